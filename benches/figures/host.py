"""What the local host adds to a prediction: the same handler asked through `sluice up` and directly."""

import os
import re
import subprocess
import time
from pathlib import Path
from statistics import median

from figures import loop, machine, wrk
from figures.bodies import request_bodies
from figures.client import first_prediction
from figures.paths import SLUICE
from figures.process import free_port, running, tree
from figures.report import section, spread, table, verdicts
from figures.rows import labelled_rows
from figures.wrk import Load, Server

ROUNDS = 5
WARM_UP_SECONDS = 2
SECONDS = 4
ADDED_MS = 0.3
START_SECONDS = 60
PORT_VARIABLE = re.compile(rb"(?:^|\0)FUNCTIONS_CUSTOMHANDLER_PORT=(\d+)")


def measure() -> str:
    """Both ways in turn; medians."""
    if not wrk.is_installed():
        return section("host", "skipped: wrk is absent")
    busy = machine.load()
    data, bodies = loop.released_model(), request_bodies()
    port = free_port()
    direct: list[Load] = []
    through: list[Load] = []
    with running(_up(data, port)) as host_pid:
        handler_pid, handler_port = _handler(host_pid)
        host, handler = Server(host_pid, port), Server(handler_pid, handler_port)
        first_prediction(port, bodies.read_bytes().splitlines()[0])
        for server in (host, handler):
            wrk.post(server, "/api/predict", bodies, WARM_UP_SECONDS)
        for _ in range(ROUNDS):
            direct.append(wrk.post(handler, "/api/predict", bodies, SECONDS))
            through.append(wrk.post(host, "/api/predict", bodies, SECONDS))

    added = [there.p50_ms - here.p50_ms for there, here in zip(through, direct, strict=True)]
    _, note = labelled_rows()
    return section(
        "host: what the local host adds to a forwarded predict, 16 connections",
        note,
        f"wrk with {wrk.THREADS} thread on the same cores, closed loop: every connection asks again at once, so both processes are busy "
        f"all the time; {ROUNDS} rounds of {SECONDS} s in turn, median (least–greatest). {busy}",
        table(
            ["way", "p50 ms", "p99 ms", "answers/s", "µs of processor per answer", "failed"],
            [_row("directly", direct), _row("through the local host, proxied", through)],
        ),
        verdicts(
            (f"adds less than {ADDED_MS} ms at the median: {spread(added)} ms", median(added) < ADDED_MS),
            ("every answer has status 200", not any(load.not_200 or load.broken for load in direct + through)),
        ),
    )


def _row(way: str, loads: list[Load]) -> list[str]:
    return [
        way,
        spread([load.p50_ms for load in loads]),
        spread([load.p99_ms for load in loads]),
        spread([load.per_second for load in loads], ",.0f"),
        spread([load.processor_us for load in loads], ".0f"),
        str(sum(load.not_200 + load.broken for load in loads)),
    ]


def _up(data: Path, port: int) -> subprocess.Popen[bytes]:
    command = [SLUICE, "--config", loop.CONFIG, "--data", data, "up", "--empty", "--no-timers", "--port", str(port)]
    with (data.parent / "up.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _handler(host: int) -> tuple[int, int]:
    """The process of the handler below the host, and the port that the host told it."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        for pid in tree(host):
            if pid == host:
                continue
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                name = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            except OSError:  # It has ended meanwhile.
                continue
            if name.startswith("sluice") and (port := PORT_VARIABLE.search(environment)):
                return pid, int(port[1])
        time.sleep(0.05)
    raise RuntimeError(f"no handler below process {host} after {START_SECONDS} s")
