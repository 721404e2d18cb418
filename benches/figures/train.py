"""Training: seconds and quality beside scikit-learn, on exactly the same rows."""

import json
import subprocess
from pathlib import Path
from statistics import median

from figures import machine
from figures.config import with_values
from figures.paths import PEERS, PYTHON, ROOT, SLUICE, WORK
from figures.process import run_measured
from figures.report import section, spread, table, verdicts
from figures.rows import labelled_rows

ROUNDS = 3
TIMES_FASTER = 5.0
F1_WITHIN = 0.005
SPLIT = WORK / "split"


def write_split() -> Path:
    """The folder with train.csv and test.csv, the rows of both sides as Sluice splits them."""
    rows, _ = labelled_rows()
    if not (SPLIT / "test.csv").is_file():
        _sluice(ROOT / "sluice.toml", rows)
    return SPLIT


def measure() -> str:
    """Both trainers in turn; medians."""
    busy = machine.load()
    rows, note = labelled_rows()
    one_strength = with_values(WORK / "train" / "sluice.toml", regularisation="[10.0]")
    searched, single, peer = [], [], []
    for _ in range(ROUNDS):
        searched.append(_sluice(ROOT / "sluice.toml", rows))
        single.append(_sluice(one_strength, rows))
        peer.append(_peer("10"))
    # Once is enough for a row that no target is judged by.
    peer_searched = [_peer("1", "3", "10", "30")]

    def times_faster(runs: list[dict]) -> float:
        return median(run["seconds"] for run in peer) / median(run["seconds"] for run in runs)

    def better(runs: list[dict]) -> float:
        return runs[0]["macro_f1"] - peer[0]["macro_f1"]

    def row(what: str, runs: list[dict]) -> list[str]:
        seconds = spread([run["seconds"] for run in runs])
        processor = spread([run["processor_seconds"] for run in runs])
        return [what, seconds, f"{times_faster(runs):.1f}×", processor, f"{runs[0]['macro_f1']:.4f}", f"{better(runs):+.4f}"]

    faster, difference = times_faster(searched), better(searched)
    return section(
        "train: featurise and fit",
        note,
        f"{peer[0]['train_rows']:,} rows to train on, {peer[0]['test_rows']:,} to judge on, split by content. Sluice keeps a tenth of "
        "its training rows for calibration and for choosing the regularisation; scikit-learn fits all of them. "
        "Reading the file is not in the seconds; it is in the processor's seconds of Sluice, which are those of the whole command. "
        f"{ROUNDS} rounds in turn, median (least–greatest). {busy}",
        table(
            ["trainer", "seconds", "speed", "processor s", "macro F1", "difference"],
            [
                row("scikit-learn, C = 10", peer),
                row("scikit-learn, search over 4 strengths (measured once)", peer_searched),
                row("sluice as shipped: search over 4 strengths, calibration", searched),
                row("sluice, C = 10 only, calibration", single),
            ],
        ),
        verdicts(
            (
                f"at least {TIMES_FASTER:.0f}× as fast as scikit-learn's one fit, with the search: {faster:.1f}×",
                faster >= TIMES_FASTER,
            ),
            (f"macro F1 no more than {F1_WITHIN} below scikit-learn's: {difference:+.4f}", difference >= -F1_WITHIN),
        ),
    )


def _sluice(config: Path, rows: Path) -> dict:
    command: list[str | Path] = [SLUICE, "--config", config, "train", rows, "--write-split", SPLIT, "--json"]
    usage = run_measured(command)
    return {**json.loads(usage.output), "processor_seconds": usage.processor_seconds}


def _peer(*strengths: str) -> dict:
    command: list[str | Path] = [PYTHON, PEERS / "train_sklearn.py", SPLIT, *strengths]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
