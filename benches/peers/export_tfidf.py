"""Trains a scikit-learn TF-IDF pipeline on labelled rows and exports it with skl2onnx: what a Python team would serve.

The locale is C.UTF-8: the default, en_US.UTF-8, does not exist in slim images and ONNX Runtime would refuse the model.
The labels are numbers in the model: strings would cost the peer a little time.
"""

import csv
import sys
from pathlib import Path

from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

csv.field_size_limit(1 << 30)


def main() -> None:
    rows, model_file = Path(sys.argv[1]), Path(sys.argv[2])
    with rows.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    names = sorted({row["label"] for row in table})
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), max_features=50_000, token_pattern=r"[a-zA-Z0-9_]+")
    pipeline = make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=1000))
    pipeline.fit([row["text"] for row in table], [names.index(row["label"]) for row in table])
    options = {id(vectorizer): {"locale": "C.UTF-8"}, id(pipeline.steps[-1][1]): {"zipmap": False}}
    model = convert_sklearn(pipeline, initial_types=[("text", StringTensorType([None, 1]))], options=options, target_opset=21)
    model_file.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
