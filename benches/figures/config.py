"""Variants of the project's sluice.toml."""

import re
from pathlib import Path

from figures.paths import ROOT


def with_value(key: str, value: str, file: Path) -> Path:
    """Writes sluice.toml to `file` with another value for a key that it has exactly once."""
    text, replaced = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", (ROOT / "sluice.toml").read_text(encoding="utf-8"))
    if replaced != 1:
        raise RuntimeError(f"sluice.toml has {replaced} lines with the key {key}, expected one")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
