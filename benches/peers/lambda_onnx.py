"""The peer: a Python handler with onnxruntime, as one would write it for AWS's Python runtime."""

import base64
import json
import os

import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
given = session.get_inputs()[0].name


def handler(event, _context):
    body = event["body"]
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    rows = numpy.asarray(json.loads(body)["instances"], dtype=numpy.float32)
    outputs = session.run(None, {given: rows})
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"predictions": outputs[-1].tolist()}),
    }
