"""The rows that are measured on: real tweets, or synthetic messages on a machine without them."""

import subprocess
from pathlib import Path

from figures.paths import SLUICE, TWEETS, WORK

SYNTHETIC_ROWS = 60_000
ABSENT = "skipped: ../shared is absent"


def labelled_rows() -> tuple[Path, str]:
    """A labelled file and a note about it, empty when it holds the real tweets."""
    if TWEETS.is_file():
        return TWEETS, ""
    file = WORK / "sample.csv"
    if not file.is_file():
        command: list[str | Path] = [SLUICE, "sample", "--rows", str(SYNTHETIC_ROWS)]
        with file.with_suffix(".new").open("wb") as output:
            subprocess.run(command, check=True, stdout=output)
        file.with_suffix(".new").rename(file)
    return file, f"{ABSENT}: measured on {SYNTHETIC_ROWS:,} synthetic messages instead, which are easier than real ones."
