"""Runs the benches that are asked for; prints Markdown tables and writes them to target/bench/results.md.

Missing a target is a result, not a failure: the exit code says only whether everything could be measured.
"""

import argparse
import sys
import traceback

from figures import cold, host, ingest, machine, predict, replay, train
from figures.paths import WORK

BENCHES = {"train": train, "ingest": ingest, "predict": predict, "cold": cold, "host": host, "replay": replay}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/run.sh", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="|".join([*BENCHES, "all"]), help="what to measure [default: all]")
    names = parser.parse_args().benches or ["all"]
    if unknown := [name for name in names if name not in BENCHES and name != "all"]:
        parser.error(f"unknown bench {unknown[0]!r}: expected one of {', '.join([*BENCHES, 'all'])}")
    names = list(BENCHES) if "all" in names else names

    WORK.mkdir(parents=True, exist_ok=True)
    broken = []
    with (WORK / "results.md").open("w", encoding="utf-8") as results:

        def say(text: str) -> None:
            for file in (sys.stdout, results):
                print(text + "\n", file=file, flush=True)

        say(machine.description())
        for name in names:
            print(f"measuring: {name}", file=sys.stderr)
            try:
                say(BENCHES[name].measure())
            except Exception as error:  # The other benches can still be measured.
                traceback.print_exc()
                broken.append(name)
                say(f"## {name}\n\nnot measured: {error}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
