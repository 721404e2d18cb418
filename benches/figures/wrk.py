"""Load from wrk: closed loop, each connection asks again as soon as it has its answer."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from figures.paths import WRK_SCRIPT

CONNECTIONS = 16
THREADS = 2


@dataclass(frozen=True)
class Load:
    """What one round brought."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    not_200: int
    broken: int

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


def is_installed() -> bool:
    """Whether there is a wrk on this machine."""
    return shutil.which("wrk") is not None


def post(port: int, path: str, bodies: Path, seconds: int) -> Load:
    """Asks with the bodies in the file, one JSON document per line."""
    return _run(port, seconds, str(bodies), path)


def get(port: int, path: str, seconds: int) -> Load:
    """Asks without a body."""
    return _run(port, seconds, "-", path)


def _run(port: int, seconds: int, *script_arguments: str) -> Load:
    command = [
        "wrk", f"--threads={THREADS}", f"--connections={CONNECTIONS}", f"--duration={seconds}s", "--timeout=10s",
        f"--script={WRK_SCRIPT}", f"http://127.0.0.1:{port}", "--", *script_arguments,
    ]  # fmt: skip
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Load(**json.loads(output.splitlines()[-1]))
