"""The peer of `sluice train FILE`: a scikit-learn hashing 1-2-gram logistic regression on the same rows and the same split.

    train_sklearn.py SPLIT C…

Reads the rows that `sluice train --write-split SPLIT` wrote (train.csv, test.csv), so that both fit and judge the same
rows. With one C it fits once on all training rows; with several it first tries each on nine tenths of them, judges on
the rest, and keeps the best of those models, as Sluice does. Prints one JSON object.
"""

import csv
import json
import sys
import time
from pathlib import Path

from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import train_test_split

csv.field_size_limit(1 << 30)


def rows(path: Path) -> tuple[list[str], list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    return [row["text"] for row in table], [row["label"] for row in table]


def fit(strength: float, features, labels) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=1000).fit(features, labels)


def main() -> None:
    folder, strengths = Path(sys.argv[1]), [float(strength) for strength in sys.argv[2:]]
    train_text, train_label = rows(folder / "train.csv")
    test_text, test_label = rows(folder / "test.csv")

    started, processor_started = time.perf_counter(), time.process_time()
    vectorizer = HashingVectorizer(n_features=2**18, ngram_range=(1, 2), alternate_sign=False)
    features = vectorizer.transform(train_text)
    if len(strengths) == 1:
        model = fit(strengths[0], features, train_label)
    else:
        fitted, held_out, fitted_label, held_out_label = train_test_split(features, train_label, test_size=0.1, random_state=1)
        models = [fit(strength, fitted, fitted_label) for strength in strengths]
        model = min(models, key=lambda model: log_loss(held_out_label, model.predict_proba(held_out)))
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - processor_started

    predicted = model.predict(vectorizer.transform(test_text))
    print(
        json.dumps(
            {
                "train_rows": len(train_text),
                "test_rows": len(test_text),
                "seconds": seconds,
                "processor_seconds": processor_seconds,
                "macro_f1": f1_score(test_label, predicted, average="macro"),
            }
        )
    )


if __name__ == "__main__":
    main()
