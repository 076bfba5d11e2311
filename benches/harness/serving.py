"""Serving: a convolutional network against the bare runtime, a small classifier against FastAPI."""

import array
import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from . import load, rows
from .process import Server, free_port
from .tools import IRIS, ROOT
from .twin import AMPLE, BODY, served

SERVER_CORE, GENERATOR_CORE = "0", "1"


def run(tools, effort):
    with TemporaryDirectory() as name:
        folder = Path(name)
        return [*network(tools, effort, folder), *classifier(tools, effort, folder)]


def squeezenet(tools):
    """The small SqueezeNet that the `onnx` package ships."""
    script = "import onnx.backend.test as t, os; print(os.path.dirname(t.__file__))"
    found = subprocess.run([tools.python, "-c", script], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()) / "data" / "light" / "light_squeezenet.onnx"


def image(tools, model, folder):
    """A request in the Open Inference Protocol's binary form; its file and headers."""
    inspected = subprocess.run(
        [tools.gwtf, "inspect", model, "--json"], capture_output=True, text=True, check=True,
    )
    given = json.loads(inspected.stdout)["inputs"][0]
    shape = [1, 3, 224, 224]
    numbers = array.array("f", [0.5]) * (3 * 224 * 224)
    head = json.dumps({"inputs": [{
        "name": given["name"], "datatype": "FP32", "shape": shape,
        "parameters": {"binary_data_size": len(numbers) * 4},
    }], "parameters": {"binary_data_output": True}}).encode()
    file = folder / "image.bin"
    file.write_bytes(head + numbers.tobytes())
    return file, ["content-type: application/octet-stream",
                  f"inference-header-content-length: {len(head)}"]


def network(tools, effort, folder):
    model = squeezenet(tools)
    payload, headers = image(tools, model, folder)
    options = ("--sessions", 1, "--threads", 1, "--account-throttle", AMPLE,
               "--access-log", folder / "network.log")
    found = []
    # Free, a run and the reading of the next request overlap; on one core nothing can.
    for where, core, bar in (("", None, 0.95), (", HTTP on the same core as the run", SERVER_CORE, None)):
        alone, through = 0.0, 0.0
        with served(tools, folder / "network", *options, cores=core, model=model) as (_, url):
            for _ in range(effort.rounds):
                command = [tools.bare_session, tools.onnxruntime, model, 1, effort.seconds]
                with Server(command, cores=core) as bare:
                    alone = max(alone, json.loads(bare.read_line())["runs_per_s"])
                # Two connections: the next request is there when a run ends.
                done = load.gwtf(tools, url, effort.seconds, 2, payload=payload, headers=headers,
                                 cores=core and GENERATOR_CORE)
                through = max(through, done.checked().rate)
        found.append(rows.Row(
            "serving", f"SqueezeNet through the twin, 1 session of 1 thread{where}, against `Session::run`",
            rows.rate(through), rows.rate(alone), rows.times(through, alone),
            f">= {bar}" if bar else "-", through >= alone * bar if bar else None,
        ))
    return found


@contextmanager
def fastapi(tools, folder):
    """The peer on one core; its URL."""
    port = free_port()
    command = [tools.python, "-m", "uvicorn", "fastapi_onnx:app", "--port", port, "--loop", "uvloop",
               "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    peers = ROOT / "benches" / "peers"
    with Server(command, port, SERVER_CORE, {"MODEL": str(IRIS)}, peers, folder / "uvicorn.log"):
        yield f"http://127.0.0.1:{port}/v1/models/iris:predict"


def plural(connections):
    return "1 connection" if connections == 1 else f"{connections} connections"


def classifier(tools, effort, folder):
    body = folder / "body.json"
    body.write_text(BODY)
    options = ("--account-throttle", AMPLE, "--access-log", folder / "classifier.log")
    names = ("gwtf", "bare", "fastapi")
    rates = {(name, count): 0.0 for name in names for count in (16, 1)}
    medians = {key: float("inf") for key in rates}
    with served(tools, folder / "twin", *options, cores=SERVER_CORE) as (_, url), \
            served(tools, folder / "bare", "--bare", cores=SERVER_CORE) as (_, bare_url), \
            fastapi(tools, folder) as peer_url:
        route = "v1/models/iris:predict"
        urls = {"gwtf": url.replace("predict", route), "bare": bare_url.replace("predict", route),
                "fastapi": peer_url}
        for _ in range(effort.rounds):
            for name, connections in rates:
                done = load.gwtf(tools, urls[name], effort.seconds, connections, payload=body,
                                 cores=GENERATOR_CORE).checked()
                key = (name, connections)
                rates[key] = max(rates[key], done.rate)
                medians[key] = min(medians[key], done.p50_us)
    found = []
    for connections, bar in ((16, 8), (1, None)):
        for name, label in (("gwtf", "through the twin"), ("bare", "`serve --bare`")):
            own, peer = rates[name, connections], rates["fastapi", connections]
            asked = bar if name == "gwtf" else None
            found.append(rows.Row(
                "serving", f"classifier, {label}, {plural(connections)}, against FastAPI",
                f"{rows.rate(own)}, median {rows.microseconds(medians[name, connections])}",
                f"{rows.rate(peer)}, median {rows.microseconds(medians['fastapi', connections])}",
                rows.times(own, peer), f">= {asked}" if asked else "-",
                own >= asked * peer if asked else None,
            ))
    return found
