"""The peer of `sluice train FILE`: a scikit-learn hashing 1-2-gram logistic regression on the same rows and the same split.

Reads the rows that `sluice train --write-split DIR` wrote (train.csv, test.csv), so that both fit and judge the same rows.
Prints one JSON object.
"""

import csv
import json
import sys
import time
from pathlib import Path

from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

csv.field_size_limit(1 << 30)


def rows(path: Path) -> tuple[list[str], list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    return [row["text"] for row in table], [row["label"] for row in table]


def main() -> None:
    folder = Path(sys.argv[1])
    train_text, train_label = rows(folder / "train.csv")
    test_text, test_label = rows(folder / "test.csv")

    started = time.perf_counter()
    vectorizer = HashingVectorizer(n_features=2**18, ngram_range=(1, 2), alternate_sign=False)
    train_features = vectorizer.transform(train_text)
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(train_features, train_label)
    seconds = time.perf_counter() - started

    predicted = model.predict(vectorizer.transform(test_text))
    print(
        json.dumps(
            {
                "train_rows": len(train_text),
                "test_rows": len(test_text),
                "seconds": seconds,
                "macro_f1": f1_score(test_label, predicted, average="macro"),
            }
        )
    )


if __name__ == "__main__":
    main()
