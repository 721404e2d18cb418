"""Load from wrk: closed loop, each connection asks again as soon as it has its answer."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from figures.paths import WRK_SCRIPT
from figures.process import processor_seconds

CONNECTIONS = 16
# One is enough, and leaves the most of the machine to the server.
THREADS = 1


@dataclass(frozen=True)
class Load:
    """What one round brought."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    not_200: int
    broken: int
    # What the server used of the processor for all of them.
    processor_seconds: float

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds

    @property
    def processor_us(self) -> float:
        """Microseconds of the processor per answer, of the server alone."""
        return self.processor_seconds / self.requests * 1e6


def is_installed() -> bool:
    """Whether there is a wrk on this machine."""
    return shutil.which("wrk") is not None


@dataclass(frozen=True)
class Server:
    """A server on this machine."""

    pid: int
    port: int


def post(server: Server, path: str, bodies: Path, seconds: int) -> Load:
    """Asks with the bodies in the file, one JSON document per line."""
    return _run(server, seconds, str(bodies), path)


def get(server: Server, path: str, seconds: int) -> Load:
    """Asks without a body."""
    return _run(server, seconds, "-", path)


def _run(server: Server, seconds: int, *script_arguments: str) -> Load:
    command = [
        "wrk", f"--threads={THREADS}", f"--connections={CONNECTIONS}", f"--duration={seconds}s", "--timeout=10s",
        f"--script={WRK_SCRIPT}", f"http://127.0.0.1:{server.port}", "--", *script_arguments,
    ]  # fmt: skip
    before = processor_seconds(server.pid)
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Load(**json.loads(output.splitlines()[-1]), processor_seconds=processor_seconds(server.pid) - before)
