"""The peer of the serving benchmark: FastAPI + uvicorn + onnxruntime, TensorFlow Serving's format.

Written the way its users write it, with the fast parts switched on (uvloop, httptools, one thread).
Usage: MODEL=model.onnx uvicorn fastapi_onnx:app --loop uvloop --http httptools --no-access-log
"""

import os

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI
from pydantic import BaseModel

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
input_name = session.get_inputs()[0].name
app = FastAPI()


class PredictRequest(BaseModel):
    instances: list[list[float]]


@app.post("/v1/models/iris:predict")
def predict(request: PredictRequest):
    (result,) = session.run(None, {input_name: np.asarray(request.instances, dtype=np.float32)})
    return {"predictions": result.tolist()}
