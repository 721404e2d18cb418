"""Replay: what weekly and early retraining bring on real tweets, week by week."""

import json
import os
import re
import subprocess
from pathlib import Path

from figures import machine
from figures.paths import REPLAY_REFERENCE, ROOT, SLUICE, TWEETS, WORK
from figures.report import section, table, verdicts
from figures.rows import ABSENT

LABEL_SHARES = ("0.05", "0.2", "1.0")
MEAN_WITHIN = 0.02
WEEK_WITHIN = 0.05


def measure() -> str:
    """One replay for each share of labels that come back."""
    if not TWEETS.is_file():
        return section("replay", ABSENT)
    busy = machine.load()
    results = {share: _replay(share) for share in LABEL_SHARES}
    reference = _reference()

    weeks = {week["week"]: week for week in next(iter(results.values()))["weeks"]}
    if missing := reference.keys() - weeks.keys():
        raise RuntimeError(f"the replay has no week {', '.join(sorted(missing))}")
    compared = {name: weeks[name] for name in reference}
    mean = results[LABEL_SHARES[0]]["mean_f1"]
    wanted = sum(reference.values()) / len(reference)
    off = [name for name, week in compared.items() if abs(week["weekly_f1"] - reference[name]) > WEEK_WITHIN]

    def week_row(name: str, week: dict) -> list[str]:
        difference = week["weekly_f1"] - reference[name]
        early = [_week(results[share], name) for share in LABEL_SHARES]
        return [
            name,
            f"{week['rows']:,}",
            f"{week['stale_f1']:.3f}",
            f"{reference[name]:.3f}",
            f"{week['weekly_f1']:.3f}",
            f"**{difference:+.3f}**" if name in off else f"{difference:+.3f}",
            *(f"{one['early_f1']:.3f} ({one['early_runs']})" for one in early),
        ]

    means = [results[share]["mean_f1"] for share in LABEL_SHARES]
    shares = [f"{float(share):.0%}" for share in LABEL_SHARES]
    return section(
        "replay: nine weeks of real tweets",
        f"F1 of the positive class. Releases are approved automatically, as no production does. The reference is scikit-learn, retrained "
        f"every week. In brackets: early retrains of the week. {busy}",
        table(
            [
                "week",
                "rows",
                "stale",
                "reference weekly",
                "weekly",
                "difference",
                *(f"early, {share} of labels" for share in shares),
            ],
            [
                *(week_row(name, week) for name, week in compared.items()),
                [
                    "**mean**",
                    "",
                    f"{mean['stale']:.3f}",
                    f"{wanted:.3f}",
                    f"{mean['weekly']:.3f}",
                    f"{mean['weekly'] - wanted:+.3f}",
                    *(f"{one['early']:.3f}" for one in means),
                ],
            ],
        ),  # fmt: skip
        table(
            ["labels that come back", "stale", "weekly", "early", "early – weekly"],
            [
                [
                    share,
                    f"{one['stale']:.3f}",
                    f"{one['weekly']:.3f}",
                    f"{one['early']:.3f}",
                    f"{one['early'] - one['weekly']:+.3f}",
                ]
                for share, one in zip(shares, means, strict=True)
            ],
        ),
        verdicts(
            (f"weekly mean at least {wanted - MEAN_WITHIN:.3f}: {mean['weekly']:.3f}", mean["weekly"] >= wanted - MEAN_WITHIN),
            (f"no week off by more than {WEEK_WITHIN}: {', '.join(off) or 'none is'}", not off),
            *(
                (
                    f"early retraining better than weekly with {share} of the labels: {one['early'] - one['weekly']:+.3f}",
                    one["early"] > one["weekly"],
                )
                for share, one in zip(shares, means, strict=True)
            ),
        ),
    )


def _replay(share: str) -> dict:
    plot = WORK / f"replay-{share}.svg"
    command: list[str | Path] = [
        SLUICE,
        "--config",
        ROOT / "sluice.toml",
        "replay",
        TWEETS,
        "--labels",
        share,
        "--plot",
        plot,
        "--json",
    ]
    # Without the warnings: that a candidate fails its gate is no news in a replay.
    environment = {**os.environ, "SLUICE_LOG": "error"}
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout)


def _week(result: dict, name: str) -> dict:
    return next(week for week in result["weeks"] if week["week"] == name)


def _reference() -> dict[str, float]:
    """The weekly F1 of each week, from the last column of the table that comes with the data."""
    rows = (
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in REPLAY_REFERENCE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| *\d{4}-W\d\d *\|", line)
    )
    return {row[0]: float(row[-1]) for row in rows}
