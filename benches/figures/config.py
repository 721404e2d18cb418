"""Variants of the project's sluice.toml."""

import re
from pathlib import Path

from figures.paths import ROOT


def with_values(file: Path, **values: str) -> Path:
    """Writes sluice.toml to `file` with other values for keys that it has exactly once."""
    text = (ROOT / "sluice.toml").read_text(encoding="utf-8")
    for key, value in values.items():
        text, replaced = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        if replaced != 1:
            raise RuntimeError(f"sluice.toml has {replaced} lines with the key {key}, expected one")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
