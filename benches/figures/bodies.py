"""Requests to predict: one text each, many different ones."""

import csv
import json
from pathlib import Path

from figures.paths import WORK
from figures.train import write_split

TEXTS = 5_000


def request_bodies() -> Path:
    """A file with one JSON body per line, made from texts that no model was trained on."""
    file = WORK / "bodies.jsonl"
    csv.field_size_limit(1 << 30)
    with (write_split() / "test.csv").open(newline="", encoding="utf-8") as rows:
        texts = [row["text"] for row in csv.DictReader(rows)][:TEXTS]
    file.write_text("".join(json.dumps({"inputs": [text]}) + "\n" for text in texts), encoding="utf-8")
    return file
