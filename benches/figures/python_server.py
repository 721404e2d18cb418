"""The peer of the handler: FastAPI, uvicorn and onnxruntime over a scikit-learn pipeline that skl2onnx exported."""

import os
import subprocess
from pathlib import Path

from figures.paths import PEERS, PYTHON, WORK
from figures.train import write_split


def exported_model() -> Path:
    """The TF-IDF pipeline as ONNX, fitted on the training rows once and kept."""
    model = WORK / "tfidf.onnx"
    if not model.is_file():
        subprocess.run([PYTHON, PEERS / "export_tfidf.py", write_split() / "train.csv", model], check=True)
    return model


def start(model: Path, port: int, workers: int) -> subprocess.Popen[bytes]:
    """Starts uvicorn with as little logging as it can do with."""
    command: list[str | Path] = [
        PYTHON, "-m", "uvicorn", "server:app", "--host=127.0.0.1", f"--port={port}", f"--workers={workers}",
        "--no-access-log", "--log-level=warning", "--loop=uvloop", "--http=httptools",
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=PEERS, env={**os.environ, "MODEL": str(model), "PYTHONDONTWRITEBYTECODE": "1"})
