"""Brings the loop to a released model, through the same commands that a person would use."""

import json
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

from figures.paths import ROOT, SLUICE, WORK
from figures.rows import labelled_rows

TRAINING_PATIENCE_SECONDS = 600
CONFIG = ROOT / "sluice.toml"


@cache
def released_model() -> Path:
    """A data folder whose newest model is released. Made anew by every run of the benches: old data may have old forms."""
    data = WORK / "app" / "data"
    shutil.rmtree(data.parent, ignore_errors=True)
    data.parent.mkdir(parents=True)
    rows, _ = labelled_rows()
    sluice(data, "ingest", str(rows))
    sluice(data, "retrain")
    version = _wait_for_model(data)
    sluice(data, "release", "approve", str(version), "--by", "bench", "--promote")
    return data


def sluice(data: Path, *arguments: str) -> Any:
    """Runs one command over the data folder; gives its JSON."""
    command: list[str | Path] = [SLUICE, "--config", CONFIG, "--data", data, "--json", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def start_handler(data: Path, port: int) -> subprocess.Popen[bytes]:
    """Starts the custom handler as the Functions host would, with its log in the file handler.log beside the data."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "FUNCTIONS_CUSTOMHANDLER_PORT": str(port),
        "SLUICE_STORAGE": f"directory:{data}",
        "SLUICE_CONFIG": str(CONFIG),
    }
    for name in ("XDG_CACHE_HOME", "ORT_DYLIB_PATH", "SLUICE_ONNXRUNTIME"):
        if name in os.environ:
            environment[name] = os.environ[name]
    with (data.parent / "handler.log").open("ab") as log:
        return subprocess.Popen([SLUICE], env=environment, stdout=log, stderr=log)


def _wait_for_model(data: Path) -> int:
    give_up = time.monotonic() + TRAINING_PATIENCE_SECONDS
    while time.monotonic() < give_up:
        sluice(data, "reconcile")
        run = sluice(data, "status")["runs"][-1]
        if run["state"] == "succeeded":
            return run["registered_version"]
        if run["state"] == "failed":
            raise RuntimeError(f"training failed: {run['reason']}")
        time.sleep(0.5)
    raise RuntimeError(f"no model after {TRAINING_PATIENCE_SECONDS} s")
