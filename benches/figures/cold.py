"""From exec to the first prediction, and memory after many predictions."""

import subprocess
import time
from collections.abc import Callable
from itertools import cycle, islice
from statistics import median

from figures import loop, machine, python_server
from figures.bodies import request_bodies
from figures.client import first_prediction, predict_all
from figures.process import free_port, processor_ms_of_threads, resident_mb, running
from figures.report import section, spread, table, verdicts
from figures.rows import labelled_rows

STARTS = 10
PREDICTIONS = 10_000
CONNECTIONS = 16
COLD_MS = 60.0
MEMORY_MB = 60.0

# Starts a server on a port.
Start = Callable[[int], subprocess.Popen[bytes]]


def measure() -> str:
    """Both servers in turn; medians."""
    busy = machine.load()
    data, model = loop.released_model(), python_server.exported_model()
    bodies = request_bodies().read_bytes().splitlines()

    def handler(port: int) -> subprocess.Popen[bytes]:
        return loop.start_handler(data, port)

    # One worker: the least that a Python server can do with.
    def python(port: int) -> subprocess.Popen[bytes]:
        return python_server.start(model, port, workers=1)

    cold: dict[Start, list[float]] = {}
    processor: dict[Start, list[float]] = {}
    memory: dict[Start, float] = {}
    for start in (handler, python):
        _cold(start, bodies[0])  # Files come into the page cache.
        cold[start], processor[start] = [], []
    for _ in range(STARTS):
        for start in (handler, python):
            milliseconds, of_processor = _cold(start, bodies[0])
            cold[start].append(milliseconds)
            processor[start].append(of_processor)
    for start in (handler, python):
        memory[start] = _memory_mb(start, bodies)

    def row(what: str, start: Start) -> list[str]:
        return [
            what,
            spread(cold[start], ".0f"),
            f"{median(cold[python]) / median(cold[start]):.1f}×",
            spread(processor[start], ".0f"),
            f"{memory[start]:.0f}",
            f"{memory[start] / memory[python]:.2f}×",
        ]

    _, note = labelled_rows()
    first, held = median(cold[handler]), memory[handler]
    return section(
        "cold: exec to first prediction, memory",
        note,
        f"{STARTS} starts in turn with a warm page cache, asked every millisecond, median (least–greatest). The processor's time, summed "
        "over threads, leaves out waiting for other programs. Memory: resident, of all processes of the server, after "
        f"{PREDICTIONS:,} predictions over {CONNECTIONS} connections. {busy}",
        table(
            ["server", "first prediction ms", "faster", "ms of processor", "memory MB", "memory"],
            [row("FastAPI, uvicorn (1 worker), onnxruntime", python), row("sluice handler", handler)],
        ),
        verdicts(
            (f"first prediction within {COLD_MS:.0f} ms: {first:.0f} ms", first <= COLD_MS),
            (f"at most {MEMORY_MB:.0f} MB after {PREDICTIONS:,} predictions: {held:.0f} MB", held <= MEMORY_MB),
        ),
    )


def _cold(start: Start, body: bytes) -> tuple[float, float]:
    """Milliseconds until the first prediction, by the clock and of the processor."""
    port = free_port()
    begun = time.perf_counter()
    with running(start(port)) as server:
        first_prediction(port, body)
        return (time.perf_counter() - begun) * 1000, processor_ms_of_threads(server)


def _memory_mb(start: Start, bodies: list[bytes]) -> float:
    port = free_port()
    with running(start(port)) as server:
        first_prediction(port, bodies[0])
        predict_all(port, islice(cycle(bodies), PREDICTIONS), CONNECTIONS)
        return resident_mb(server)
