"""Ingest of one gigabyte of CSV on one core: speed and memory, between a floor and a ceiling on the same file."""

import csv
import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path

from figures import machine
from figures.config import with_value
from figures.paths import PEERS, PYTHON, SLUICE, WORK
from figures.process import MB, run_measured
from figures.report import section, table, verdict
from figures.rows import labelled_rows

SIZE_MB = 1_000
ROUNDS = 2
CORE = "0"
MB_PER_SECOND = 80.0
MEMORY_MB = 300.0
FIRST_ID = 262_342_930_549_850_112


def measure() -> str:
    """Ingest and its two neighbours, each pinned to one core; the best round of each."""
    busy = machine.load()
    _, note = labelled_rows()
    upload = WORK / "ingest" / "upload.csv"
    # In a process of its own: what it needs must not count as memory of what is measured.
    subprocess.run([PYTHON, "-B", "-c", "from figures.ingest import make_upload; make_upload()"], cwd=PEERS.parent, check=True)
    size_mb = upload.stat().st_size / MB
    # The texts repeat: with the shipped setting all but the first 60,000 rows would be refused.
    config = with_value("repeated_content", '"keep"', WORK / "ingest" / "sluice.toml")
    data = WORK / "ingest" / "data"

    def ingest() -> tuple[float, float, float]:
        shutil.rmtree(data, ignore_errors=True)
        *measured, output = run_measured([*_PINNED, SLUICE, "--config", config, "--data", data, "--json", "ingest", upload])
        outcome = json.loads(output)
        if outcome["outcome"] != "ingested" or outcome["accepted"] < 1_000_000:
            raise RuntimeError(f"the upload was not taken as expected: {outcome}")
        nonlocal rows
        rows = outcome["accepted"], outcome["refused"]
        return tuple(measured)

    rows = (0, 0)
    try:
        ours = [ingest() for _ in range(ROUNDS)]
    finally:
        shutil.rmtree(data, ignore_errors=True)
    floor = [run_measured([*_PINNED, PYTHON, PEERS / "parse_csv.py", upload])[:3]]
    ceiling = [run_measured([*_PINNED, "sha256sum", upload])[:3] for _ in range(ROUNDS)]

    def row(what: str, runs: list[tuple[float, float, float]]) -> list[str]:
        wall, processor, memory = (min(run[column] for run in runs) for column in range(3))
        return [what, f"{wall:.1f}", f"{size_mb / wall:.0f}", f"{processor:.1f}", f"{size_mb / processor:.0f}", f"{memory:.0f}"]

    speed = size_mb / min(wall for wall, _, _ in ours)
    processor_speed = size_mb / min(processor for _, processor, _ in ours)
    memory = max(memory for _, _, memory in ours)
    return section(
        f"ingest: {size_mb:,.0f} MB of CSV on one core",
        note,
        f"{rows[0]:,} rows accepted, {rows[1]:,} refused; repeated texts are kept, ids are new. The whole command, with copying the "
        f"file into the incoming container and writing every part durably. Best of {ROUNDS}; the processor's seconds do not count the "
        f"time that other programs took from the core. {busy}",
        table(
            ["what", "wall s", "MB/s", "processor s", "MB/s of processor", "peak MB"],
            [
                row("floor: Python's csv module, parse only", floor),
                row("sluice ingest: parse, check, deduplicate, profile, Parquet", ours),
                row("ceiling: sha256sum of the file", ceiling),
            ],
        ),
        "\n".join([
            verdict(
                f"at least {MB_PER_SECOND:.0f} MB/s on one core: {speed:.0f} MB/s by the clock, {processor_speed:.0f} MB/s by the processor",
                speed >= MB_PER_SECOND,
            ),
            verdict(f"under {MEMORY_MB:.0f} MB of memory: {memory:.0f} MB", memory < MEMORY_MB),
        ]),
    )


def make_upload() -> None:
    """Writes the upload once: the labelled rows again and again, each with an id of its own."""
    upload = WORK / "ingest" / "upload.csv"
    if upload.is_file() and upload.stat().st_size >= SIZE_MB * MB:
        return
    upload.parent.mkdir(parents=True, exist_ok=True)
    head, rows = _rows_around_id()
    identity, size = FIRST_ID, len(head)
    with upload.with_suffix(".new").open("wb", buffering=1 << 20) as output:
        output.write(head)
        while size < SIZE_MB * MB:
            for before, after in rows:
                identity += 7
                size += output.write(b"%b%d%b" % (before, identity, after))
    upload.with_suffix(".new").rename(upload)


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


_PINNED = ["taskset", "--cpu-list", CORE]
