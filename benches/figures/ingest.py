"""Ingest of one gigabyte of CSV on one core: speed and memory, between a floor and a ceiling on the same file."""

import csv
import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path

from figures import machine
from figures.config import with_values
from figures.paths import PEERS, PYTHON, SLUICE, WORK
from figures.process import MB, Usage, run_measured
from figures.report import section, table, verdicts
from figures.rows import labelled_rows

SIZE_MB = 1_000
ROUNDS = 2
CORE = "0"
MB_PER_SECOND = 80.0
MEMORY_MB = 300.0
FIRST_ID = 262_342_930_549_850_112

FOLDER = WORK / "ingest"
UPLOAD = FOLDER / "upload.csv"


def measure() -> str:
    """Ingest and its neighbours, each pinned to one core; the best round of each."""
    busy = machine.load()
    _, note = labelled_rows()
    # In a process of its own: what it needs must not count as memory of what is measured.
    subprocess.run([PYTHON, "-B", "-c", "from figures.ingest import make_upload; make_upload()"], cwd=PEERS.parent, check=True)
    size_mb = UPLOAD.stat().st_size / MB

    ours = [_ingest() for _ in range(ROUNDS)]
    floor = [_pinned(PYTHON, PEERS / "parse_csv.py", UPLOAD)]
    ceiling = [_pinned("sha256sum", UPLOAD) for _ in range(ROUNDS)]

    def row(what: str, runs: list[Usage]) -> list[str]:
        clock, processor = _clock(runs), _processor(runs)
        peak = max(run.peak_mb for run in runs)
        return [what, f"{clock:.1f}", f"{size_mb / clock:.0f}", f"{processor:.1f}", f"{size_mb / processor:.0f}", f"{peak:.0f}"]

    speed, processor_speed = size_mb / _clock(ours), size_mb / _processor(ours)
    peak = max(run.peak_mb for run in ours)
    outcome = json.loads(ours[0].output)
    return section(
        f"ingest: {size_mb:,.0f} MB of CSV on one core",
        note,
        f"{outcome['accepted']:,} rows accepted, {outcome['refused']:,} refused; repeated texts are kept, "
        "ids are new. The whole command, which also copies the file into the incoming container. Best of "
        f"{ROUNDS}; the processor's seconds leave out waiting for other programs. {busy}",
        table(
            ["what", "seconds", "MB/s", "processor s", "MB/s of processor", "peak MB"],
            [
                row("floor: Python's csv module, parse only", floor),
                row("sluice ingest: copy, parse, check, deduplicate, profile, Parquet", ours),
                row("ceiling: sha256sum of the file", ceiling),
            ],
        ),
        verdicts(
            (
                f"at least {MB_PER_SECOND:.0f} MB/s on one core: {speed:.0f} MB/s by the clock, {processor_speed:.0f} by the processor",
                speed >= MB_PER_SECOND,
            ),
            (f"under {MEMORY_MB:.0f} MB of memory: {peak:.0f} MB", peak < MEMORY_MB),
        ),
    )


def _ingest() -> Usage:
    # The texts repeat: with the shipped setting all but the first 60,000 rows would be refused.
    config = with_values(FOLDER / "sluice.toml", repeated_content='"keep"')
    data = FOLDER / "data"
    shutil.rmtree(data, ignore_errors=True)
    try:
        usage = _pinned(SLUICE, "--config", config, "--data", data, "--json", "ingest", UPLOAD)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    outcome = json.loads(usage.output)
    if outcome["outcome"] != "ingested" or outcome["accepted"] < 1_000_000:
        raise RuntimeError(f"the upload was not taken as expected: {outcome}")
    return usage


def _pinned(*command: str | Path) -> Usage:
    return run_measured(["taskset", "--cpu-list", CORE, *command])


def _clock(runs: list[Usage]) -> float:
    return min(run.seconds for run in runs)


def _processor(runs: list[Usage]) -> float:
    return min(run.processor_seconds for run in runs)


def make_upload() -> None:
    """Writes the upload once: the labelled rows again and again, each with an id of its own."""
    if UPLOAD.is_file() and UPLOAD.stat().st_size >= SIZE_MB * MB:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    head, rows = _rows_around_id()
    identity, size = FIRST_ID, len(head)
    new = UPLOAD.with_suffix(".new")
    with new.open("wb", buffering=1 << 20) as output:
        output.write(head)
        while size < SIZE_MB * MB:
            for before, after in rows:
                identity += 7
                size += output.write(b"%b%d%b" % (before, identity, after))
    new.rename(UPLOAD)


def _rows_around_id() -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The header, and for each row what stands before and after its id."""
    source, _ = labelled_rows()
    binary = gzip.open(source) if source.suffix == ".gz" else source.open("rb")
    csv.field_size_limit(1 << 30)
    with io.TextIOWrapper(binary, encoding="utf-8", newline="") as text:
        table = csv.reader(text)
        names = next(table)
        column = names.index("tweet_id")
        rows = [(_line(fields[:column]), _line(fields[column + 1 :])) for fields in table]
    head = _line(names) + b"\n"
    return head, [(before + b",", b"," + after + b"\n") for before, after in rows]


def _line(fields: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue().encode()
