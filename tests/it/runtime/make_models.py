"""Models that graph optimisation changes, and models that it must not be trusted with.

Usage: make_models.py NAME PATH
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def array(name, *shape):
    values = np.random.default_rng(len(name)).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def model(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def info(name, shape, dtype=FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def convolution():
    """Convolution, batch normalisation and ReLU, which become one node."""
    scale = [array(name, 8) for name in ("scale", "shift", "mean")]
    variance = numpy_helper.from_array(np.linspace(0.3, 2.0, 8, dtype=np.float32), "variance")
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["n"]),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    weight = array("weight", 8, 3, 3, 3)
    shape = ["batch", 3, "height", "width"]
    return model(
        nodes, [info("x", shape)], [info("y", ["batch", 8, "height", "width"])],
        [weight, *scale, variance],
    )


def random():
    """Adds noise."""
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"]),
        helper.make_node("Add", ["x", "noise"], ["y"]),
    ]
    return model(nodes, [info("x", ["batch", 4])], [info("y", ["batch", 4])])


def picky():
    """Takes 7 features, and does not say so."""
    nodes = [helper.make_node("MatMul", ["x", "weight"], ["y"])]
    inputs, outputs = [info("x", ["batch", "features"])], [info("y", ["batch", 2])]
    return model(nodes, inputs, outputs, [array("weight", 7, 2)])


def huge_input():
    """Takes 64 MiB."""
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    return model(nodes, [info("x", [16 << 20])], [info("y", [16 << 20])])


def never_a_number():
    """The logarithm of what is below zero."""
    nodes = [
        helper.make_node("Sub", ["x", "two"], ["d"]),
        helper.make_node("Log", ["d"], ["y"]),
    ]
    two = numpy_helper.from_array(np.array([2], dtype=np.float32), "two")
    return model(nodes, [info("x", ["batch", 4])], [info("y", ["batch", 4])], [two])


def never_anything():
    """The places of elements above five."""
    nodes = [
        helper.make_node("Greater", ["x", "five"], ["g"]),
        helper.make_node("NonZero", ["g"], ["y"]),
    ]
    five = numpy_helper.from_array(np.array([5], dtype=np.float32), "five")
    outputs = [info("y", [2, "count"], TensorProto.INT64)]
    return model(nodes, [info("x", ["batch", 4])], outputs, [five])


def swelling():
    """A constant of 40 MB that a few bytes describe."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["c"]),
        helper.make_node("Add", ["c", "x"], ["z"]),
        helper.make_node("ReduceMean", ["z"], ["y"], keepdims=0),
    ]
    shape = numpy_helper.from_array(np.array([1000, 1000, 10], dtype=np.int64), "shape")
    return model(nodes, [info("x", [1])], [info("y", [])], [shape])


def wide():
    """Weights of 2.4 MB."""
    nodes = [helper.make_node("MatMul", ["x", "weight"], ["y"])]
    inputs, outputs = [info("x", ["batch", 1000])], [info("y", ["batch", 600])]
    return model(nodes, inputs, outputs, [array("weight", 1000, 600)])


onnx.save(globals()[sys.argv[1]](), sys.argv[2])
