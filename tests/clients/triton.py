"""Speaks to a running `gwtf serve` with Triton's own client.

Usage: triton.py HOST:PORT/STAGE MODEL, where MODEL is a fixture's name. Ends with 1 and says what
differs when a reply is not what the model gives.
"""

import sys

import ml_dtypes
import numpy
import tritonclient.http as http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

IRIS = numpy.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], dtype=numpy.float32)


def expect(holds, what):
    if not holds:
        sys.exit(f"{what}: not so")


def inputs_of(arrays, binary):
    inputs = []
    for name, array in arrays.items():
        wanted = http.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
        wanted.set_data_from_numpy(array, binary_data=binary)
        inputs.append(wanted)
    return inputs


def infer(client, model, arrays, names, binary, **more):
    """Runs `arrays` through the model, in and out as binary tensors or as JSON."""
    outputs = [http.InferRequestedOutput(name, binary_data=binary) for name in names]
    result = client.infer(model, inputs_of(arrays, binary), outputs=outputs, **more)
    return {name: result.as_numpy(name) for name in names}


def check_ready(client, model):
    expect(client.is_server_live(), "the server lives")
    expect(client.is_server_ready(), "the server is ready")
    expect(client.is_model_ready(model), "the model is ready")
    expect(client.is_model_ready(model, "v1"), "version v1 is ready")
    expect(not client.is_model_ready("nothing-of-that-name"), "an unknown model is not ready")
    server = client.get_server_metadata()
    expect(server["name"] == "gwtf" and "binary_tensor_data" in server["extensions"], server)
    metadata = client.get_model_metadata(model)
    expect(metadata["name"] == model and metadata["versions"] == ["v1"], metadata)
    return metadata


def check_iris(client):
    metadata = check_ready(client, "iris")
    features = {"name": "features", "datatype": "FP32", "shape": [-1, 4]}
    expect(metadata["inputs"] == [features], metadata)
    replies = []
    for binary in (True, False):
        for more in ({}, {"model_version": "v1"}, {"request_id": "seven"}):
            reply = infer(client, "iris", {"features": IRIS}, ["probabilities"], binary, **more)
            replies.append(reply["probabilities"])
    for reply in replies:
        expect(reply.dtype == numpy.float32 and reply.shape == (2, 3), reply)
        expect(numpy.array_equal(reply, replies[0]), (reply, replies[0]))
    expect(numpy.allclose(replies[0][0], [0.99968, 0.00032, 0.0], atol=1e-4), replies[0])
    # Everything that the model gives, when no output is named.
    everything = client.infer("iris", inputs_of({"features": IRIS}, True))
    expect(numpy.array_equal(everything.as_numpy("probabilities"), replies[0]), "all outputs")
    check_refusals(client)


def check_refusals(client):
    for arrays, named in (
        ({"features": IRIS[:, :3].copy()}, "features"),
        ({"features": IRIS.astype(numpy.float64)}, "features"),
        ({"petals": IRIS}, "petals"),
    ):
        for binary in (True, False):
            try:
                client.infer("iris", inputs_of(arrays, binary))
            except InferenceServerException as error:
                expect("400" in str(error.status()), error)
                # The gateway refuses JSON that breaks the model's schema without a detail.
                expect(not binary or named in error.message(), error)
            else:
                sys.exit(f"{arrays} was not refused")


def check_two_inputs(client):
    check_ready(client, "two-inputs")
    arrays = {
        "features": numpy.ones((2, 3), dtype=numpy.float32),
        "tokens": numpy.array([[1, 2], [3, 4]], dtype=numpy.int64),
    }
    for binary in (True, False):
        reply = infer(client, "two-inputs", arrays, ["score", "next_tokens"], binary)
        expect(reply["score"].tolist() == [6, 10], reply)
        expect(reply["next_tokens"].tolist() == [[2, 3], [4, 5]], reply)


def check_all_dtypes(client):
    """Every type that numpy knows, to the limits of its range; Identity gives it back."""
    check_ready(client, "all-dtypes")
    arrays = {
        "bool": numpy.array([[True, False]]),
        "string": numpy.array([["", "Grüße, 世界 \"\\\n"]], dtype=numpy.object_),
    }
    for bits in (8, 16, 32, 64):
        for kind in ("int", "uint"):
            limits = numpy.iinfo(f"{kind}{bits}")
            arrays[f"{kind}{bits}"] = numpy.array([[limits.min, limits.max]], dtype=limits.dtype)
    for bits in (16, 32, 64):
        limits = numpy.finfo(f"float{bits}")
        arrays[f"float{bits}"] = numpy.array([[limits.min, limits.tiny]], dtype=limits.dtype)
    arrays["bfloat16"] = numpy.array([[1.5, -2.0]], dtype=ml_dtypes.bfloat16)

    inputs, outputs = [], []
    for name, array in arrays.items():
        datatype = "BF16" if name == "bfloat16" else np_to_triton_dtype(array.dtype)
        wanted = http.InferInput(f"{name}_in", array.shape, datatype)
        # Triton's client has no JSON form of the 16-bit floats; half of the rest goes as JSON.
        binary = name in ("float16", "bfloat16") or len(inputs) % 2 == 0
        wanted.set_data_from_numpy(array, binary_data=binary)
        inputs.append(wanted)
        outputs.append(http.InferRequestedOutput(f"{name}_out", binary_data=binary))
    result = client.infer("all-dtypes", inputs, outputs=outputs)
    for name, array in arrays.items():
        reply = result.as_numpy(f"{name}_out")
        if name == "string":
            text = [value.decode() if isinstance(value, bytes) else value for value in reply.flat]
            reply = numpy.array(text, dtype=numpy.object_).reshape(reply.shape)
        expect(reply.shape == array.shape and reply.dtype == array.dtype, (name, reply))
        expect(numpy.array_equal(reply, array), (name, reply, array))


def main():
    url, model = sys.argv[1:]
    checks = {"iris": check_iris, "two-inputs": check_two_inputs, "all-dtypes": check_all_dtypes}
    with http.InferenceServerClient(url=url) as client:
        checks[model](client)


main()
