"""The peer of `POST /api/predict`: FastAPI and onnxruntime over the exported TF-IDF pipeline, with the same answer's shape.

Started as `uvicorn server:app --workers 2`; the model's path is in MODEL.
"""

import os
import uuid

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Request(BaseModel):
    inputs: list[str]


@app.post("/api/predict")
def predict(request: Request) -> dict:
    labels, scores = session.run(None, {"text": np.array(request.inputs, dtype=object).reshape(-1, 1)})
    predictions = [
        {"label": int(label), "confidence": float(row.max()), "scores": [float(score) for score in row]}
        for label, row in zip(labels, scores)
    ]
    return {"id": str(uuid.uuid4()), "predictions": predictions}
