"""What the figures were measured on: absolute numbers mean nothing without it."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from figures.paths import ROOT, SLUICE


def description() -> str:
    """The headline of the results."""
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    version = subprocess.run([SLUICE, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    now = datetime.now(UTC)
    return (
        f"# Figures of {version}{f' at {commit}' if commit else ''}\n\n"
        f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} × {processor}, Python {platform.python_version()}. {load()} "
        "Ratios to what was measured in the same run say more than the absolute numbers."
    )


def load() -> str:
    """How busy the machine is with other things: the measure of the noise."""
    return f"Load average before: {os.getloadavg()[0]:.1f}."
