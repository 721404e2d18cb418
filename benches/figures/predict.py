"""Predict through the handler, with its log on, beside a Python server, and beside the same server answering a constant."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import median

from figures import loop, machine, python_server, wrk
from figures.bodies import request_bodies
from figures.client import first_prediction
from figures.process import free_port, running
from figures.report import section, spread, table, verdicts
from figures.rows import labelled_rows
from figures.wrk import Load, Server

ROUNDS = 3
WARM_UP_SECONDS = 2
SECONDS = 6
WORKERS = 2
TIMES_THROUGHPUT = 10.0
SHARE_OF_P99 = 1 / 3


def measure() -> str:
    """The three in turn; medians."""
    if not wrk.is_installed():
        return section("predict", "skipped: wrk is absent")
    busy = machine.load()
    data, model, bodies = loop.released_model(), python_server.exported_model(), request_bodies()
    our_port, their_port = free_port(), free_port()
    sluice: list[Load] = []
    constant: list[Load] = []
    python: list[Load] = []
    inline: list[Load] = []
    with (
        running(loop.start_handler(data, our_port)) as our_pid,
        running(python_server.start(model, their_port, WORKERS)) as their_pid,
    ):
        ours, theirs = Server(our_pid, our_port), Server(their_pid, their_port)
        first = bodies.read_bytes().splitlines()[0]
        first_prediction(our_port, first)
        first_prediction(their_port, first)
        warm_up = wrk.post(ours, "/api/predict", bodies, WARM_UP_SECONDS)
        wrk.post(theirs, "/api/predict", bodies, WARM_UP_SECONDS)
        for _ in range(ROUNDS):
            sluice.append(wrk.post(ours, "/api/predict", bodies, SECONDS))
            python.append(wrk.post(theirs, "/api/predict", bodies, SECONDS))
            inline.append(wrk.post(theirs, "/api/predict_inline", bodies, SECONDS))
            constant.append(wrk.get(ours, "/", SECONDS))
    sent = 1 + sum(load.requests for load in [warm_up, *sluice])

    times = _ratio(sluice, python, lambda load: load.per_second)
    tail = _ratio(sluice, python, lambda load: load.p99_ms)
    _, note = labelled_rows()
    return section(
        "predict: one text per request, 16 connections",
        note,
        f"wrk with {wrk.THREADS} thread on the same cores as the server; {ROUNDS} rounds of {SECONDS} s in turn, "
        f"median (least–greatest). {busy}",
        table(
            ["server", "answers/s", "throughput", "p50 ms", "p99 ms", "p99", "µs of processor per answer", "failed"],
            [
                _row(f"FastAPI, uvicorn ({WORKERS} workers), onnxruntime, TF-IDF by skl2onnx", python, python),
                _row("the same without a thread per request", inline, python),
                _row("sluice handler, prediction log on", sluice, python),
                _row("ceiling: sluice handler, `GET /`, a constant", constant, python),
            ],
        ),
        verdicts(
            (f"at least {TIMES_THROUGHPUT:.0f}× the throughput of the Python server: {times:.1f}×", times >= TIMES_THROUGHPUT),
            (f"at most a third of its p99: {tail:.2f}", tail <= SHARE_OF_P99),
            ("every answer has status 200", not any(load.not_200 or load.broken for load in sluice)),
            _log(data, sent),
        ),
    )


def _ratio(one: list[Load], other: list[Load], value: Callable[[Load], float]) -> float:
    return median(map(value, one)) / median(map(value, other))


def _row(what: str, loads: list[Load], peer: list[Load]) -> list[str]:
    return [
        what,
        spread([load.per_second for load in loads], ",.0f"),
        f"{_ratio(loads, peer, lambda load: load.per_second):.1f}×",
        spread([load.p50_ms for load in loads]),
        spread([load.p99_ms for load in loads]),
        f"{_ratio(loads, peer, lambda load: load.p99_ms):.2f}×",
        spread([load.processor_us for load in loads], ".0f"),
        str(sum(load.not_200 + load.broken for load in loads)),
    ]


def _log(data: Path, counted_by_clients: int) -> tuple[str, bool]:
    """Compares the prediction log with what the handler says it answered, and with what wrk counted."""
    folder = data / "predictions"
    logs = [file for file in folder.rglob("*.jsonl") if file.relative_to(folder).parts[0] != "requests"]
    records = sum(int(subprocess.run(["wc", "-l", file], check=True, capture_output=True).stdout.split()[0]) for file in logs)
    served = 0
    for file in (folder / "requests").rglob("*.jsonl"):
        served += sum(json.loads(line)["served"] for line in file.read_text().splitlines())
    # wrk does not count the answers that were on their way when its time was over: one for each connection and round.
    on_their_way = wrk.CONNECTIONS * (ROUNDS + 1)
    complete = records == served and counted_by_clients <= records <= counted_by_clients + on_their_way
    return (
        f"the log is complete: {records:,} records; the handler answered {served:,}; clients counted {counted_by_clients:,}, "
        f"without up to {on_their_way} that were under way when a round ended",
        complete,
    )
