"""The artefact: cold starts under AWS's runtime emulator, sizes, packaging, the sandbox's cost."""

import gzip
import json
import statistics
import subprocess
import time
import urllib.request
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from . import load, rows
from .process import Server, free_port
from .tools import IRIS, ROOT
from .twin import AMPLE, BODY, served

MB = 1e6
# A dense layer of float32: 1,600 x 1,600 weights, 10.2 MB.
DENSE_SIDE = 1_600
DENSE = """
import numpy, onnx, sys
from onnx import helper, TensorProto, numpy_helper
side, seed, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
weights = numpy.random.default_rng(seed).normal(size=(side, side)).astype(numpy.float32)
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", side])
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "dense", [value("x")],
                          [value("y")], [numpy_helper.from_array(weights, "w")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, path)
"""


def run(tools, effort):
    with TemporaryDirectory() as name:
        folder = Path(name)
        iris = package(tools, IRIS, folder / "iris.zip", "lambda-zip")
        return [
            *starts(tools, effort, folder),
            *sizes(tools, folder, iris),
            *packaging(tools, effort, folder),
            dispatch(tools, effort, folder, folder / "iris.zip"),
        ]


def package(tools, model, out, target):
    """What `gwtf package` says of an artefact that it has made."""
    command = [tools.gwtf, "package", model, "--target", target, "-o", out, "--force", "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def dense(tools, path, seed):
    subprocess.run([tools.python, "-c", DENSE, str(DENSE_SIDE), str(seed), path], check=True)
    return path


def starts(tools, effort, folder):
    """From the first invocation, for which the emulator starts the program, to its reply."""
    if not tools.rie:
        return []
    root = folder / "root"
    with zipfile.ZipFile(folder / "iris.zip") as archive:
        archive.extractall(root)
    (root / "bootstrap").chmod(0o755)
    manifest = json.loads((root / "gwtf.json").read_text())
    model, library = root / manifest["model"], root / manifest["onnxruntime"]
    peers = {
        "gwtf": ([root / "bootstrap"], {"LAMBDA_TASK_ROOT": str(root)}),
        "bare": ([tools.bare_start, library, model], {}),
        "python": ([tools.python, "-m", "awslambdaric", "lambda_onnx.handler"],
                   {"MODEL": str(model), "PYTHONPATH": str(ROOT / "benches" / "peers")}),
    }
    took = {name: [] for name in peers}
    for _ in range(effort.pairs + 1):
        for name, (command, env) in peers.items():
            took[name].append(first_reply_s(tools, command, env, folder))
    # The first of each reads its files from the disk.
    own, bare, python = (statistics.median(times[1:]) * 1e6 for times in took.values())
    what = "4-16-3 classifier, program start to first reply under AWS's emulator"
    return [
        rows.Row("artefact", f"{what}, against a bare program", rows.microseconds(own),
                 rows.microseconds(bare), rows.times(own, bare), "<= 1.15", own <= 1.15 * bare),
        rows.Row("artefact", f"{what}, against Python", rows.microseconds(own),
                 rows.microseconds(python), rows.times(python, own), ">= 3", python >= 3 * own),
    ]


def first_reply_s(tools, command, env, folder):
    port = free_port()
    env = {"AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
           "AWS_LAMBDA_FUNCTION_TIMEOUT": "30", **env}
    emulator = [tools.rie, "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
                "--runtime-api-address", f"127.0.0.1:{free_port()}", *command]
    event = {
        "resource": "/predict", "path": "/predict", "httpMethod": "POST", "body": BODY,
        "headers": {"content-type": "application/json"}, "isBase64Encoded": False,
        "requestContext": {"requestId": "bench", "stage": "prod"},
    }
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    with Server(emulator, port, env=env, log=folder / "emulator.log"):
        started = time.perf_counter()
        with urllib.request.urlopen(url, json.dumps(event).encode(), timeout=60) as reply:
            answer = json.loads(reply.read())
        took_s = time.perf_counter() - started
    if answer.get("statusCode") != 200:
        raise RuntimeError(f"{command[0]} answered {answer}")
    return took_s


def deflated(path):
    return len(zlib.compress(Path(path).read_bytes(), 9))


def sizes(tools, folder, iris):
    runtime = tools.runtime.stat().st_size / MB
    library, model = deflated(tools.onnxruntime) / MB, deflated(IRIS) / MB
    zipped = (folder / "iris.zip").stat().st_size / MB
    layout = folder / "iris-image"
    package(tools, IRIS, layout, "lambda-image")
    stored, unpacked, parts = image_sizes(layout)
    return [
        rows.Row("artefact", "`gwtf-runtime`, stripped", f"{runtime:.2f} MB", "-", "-", "<= 4 MB", runtime <= 4),
        rows.Row("artefact", "zip, against library and model deflated", f"{zipped:.2f} MB",
                 f"{library + model:.2f} MB", f"+{zipped - library - model:.2f} MB", "<= +3 MB",
                 zipped <= library + model + 3),
        rows.Row("artefact", "image as it is stored, against its parts unpacked", f"{stored:.2f} MB",
                 f"{parts:.2f} MB", f"{stored - parts:+.2f} MB", "<= +5 MB", stored <= parts + 5),
        rows.Row("artefact", "image unpacked, against library, runtime and model unpacked",
                 f"{unpacked:.2f} MB", f"{parts:.2f} MB", f"{unpacked - parts:+.2f} MB", "-", None),
    ]


def image_sizes(layout):
    """Megabytes of the layout, of its layers unpacked, and of the last three layers unpacked: ONNX
    Runtime, the runtime, the model. The first is the base."""
    blobs = layout / "blobs" / "sha256"
    stored = sum(file.stat().st_size for file in blobs.iterdir())
    blob = lambda digest: (blobs / digest.removeprefix("sha256:")).read_bytes()  # noqa: E731
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]))
    layers = [len(gzip.decompress(blob(layer["digest"]))) for layer in manifest["layers"]]
    return stored / MB, sum(layers) / MB, sum(layers[1:]) / MB


def packaging(tools, effort, folder):
    """A model never packaged before each time; the library and the programs are cached."""
    found = []
    for target, bar_s in (("lambda-zip", 2), ("lambda-image", 2)):
        took = []
        for seed in range(effort.rounds + 1):
            model = dense(tools, folder / f"dense-{target}-{seed}.onnx", seed)
            started = time.perf_counter()
            package(tools, model, folder / f"dense-{target}-{seed}", target)
            took.append(time.perf_counter() - started)
        best = min(took[1:])
        found.append(rows.Row("artefact", f"packaging a 10 MB model, warm cache, {target}", f"{best:.2f} s",
                              f"{took[0]:.2f} s the first time", "-", f"< {bar_s} s", best < bar_s))
    return found


@contextmanager
def sandboxed(tools, folder, artefact):
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [tools.gwtf, "serve", "--package", artefact, "--port", port, "--account-throttle", AMPLE,
               "--access-log", folder / "access.log"]
    with Server(command, port, cwd=folder, log=folder / "serve.log"):
        yield f"http://127.0.0.1:{port}/prod/predict"


def dispatch(tools, effort, folder, artefact):
    """Pairs of short runs, one right after the other, so that both meet the same machine."""
    body = folder / "body.json"
    body.write_text(BODY)
    options = ("--account-throttle", AMPLE, "--access-log", folder / "in-process.log")
    differences, inside, through = [], [], []
    with served(tools, folder / "in-process", *options) as (_, plain_url), \
            sandboxed(tools, folder / "sandboxed", artefact) as url:
        # The cold start is no part of it.
        load.gwtf(tools, url, 1, 1, payload=body)
        for _ in range(effort.pairs):
            shared = dict(seconds=1, connections=1, payload=body)
            inside.append(load.gwtf(tools, plain_url, **shared).checked().p50_us)
            through.append(load.gwtf(tools, url, **shared).checked().p50_us)
            differences.append(through[-1] - inside[-1])
    median = statistics.median(differences)
    return rows.Row(
        "artefact", "median response time at 1 connection, sandbox, against the model in-process",
        rows.microseconds(statistics.median(through)), rows.microseconds(statistics.median(inside)),
        f"{median:+.0f} us", "<= +150 us", median <= 150,
    )
