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


def answer(inputs: list[str]) -> dict:
    labels, scores = session.run(None, {"text": np.array(inputs, dtype=object).reshape(-1, 1)})
    predictions = [
        {"label": int(label), "confidence": float(row.max()), "scores": [float(score) for score in row]}
        for label, row in zip(labels, scores, strict=True)
    ]
    return {"id": str(uuid.uuid4()), "predictions": predictions}


# As FastAPI's documentation has it for code that blocks: on a thread.
@app.post("/api/predict")
def predict(request: Request) -> dict:
    return answer(request.inputs)


# Without the thread: faster, as long as no request takes long, for it stops all others of its worker.
@app.post("/api/predict_inline")
async def predict_inline(request: Request) -> dict:
    return answer(request.inputs)
