"""The twin: what it adds to the service behind it, what a 429 costs, and fakecloud beside it."""

import json
import statistics
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from . import load, rows
from .process import Server, free_port
from .tools import IRIS

BODY = '{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
# Beyond what a machine can send, so that every limit is asked and none refuses.
AMPLE = "100000000:100000000"
KEY = "benchmark-key-of-forty-characters-0000000"
LADDER = """
[endpoint]
name = "iris"
[gateway]
auth = "api-key"
throttle = { rate_rps = 100000000, burst = 100000000 }
[[usage_plan]]
name = "bench"
throttle = { rate_rps = 100000000, burst = 100000000 }
quota = { limit = 1000000000, period = "day" }
keys = ["bench"]
[observe]
access_logs = true
"""


@contextmanager
def served(tools, folder, *options, cores=None, model=IRIS, config=None):
    """A `gwtf serve` in a folder of its own; the server and its URL."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if config:
        (folder / "gwtf.toml").write_text(config)
    port = free_port()
    command = [tools.gwtf, "serve", model, "--port", port, *options]
    env = {"GWTF_KEY_BENCH": KEY}
    with Server(command, port, cores, env, folder, folder / "serve.log") as server:
        yield server, f"http://127.0.0.1:{port}/prod/predict"


def run(tools, effort):
    with TemporaryDirectory() as name:
        folder = Path(name)
        body = folder / "body.json"
        body.write_text(BODY)
        return [
            added(tools, effort, folder, body),
            refusal(tools, effort, folder, body),
            *ladder(tools, effort, folder, body),
        ]


def added(tools, effort, folder, body):
    """Pairs of short runs, one right after the other, so that both meet the same machine."""
    differences, bare, full = [], [], []
    with served(tools, folder / "bare", "--bare") as (_, bare_url), \
            served(tools, folder / "twin", config=LADDER, *limits(folder)) as (_, url):
        for _ in range(effort.pairs):
            shared = dict(seconds=1, connections=1, payload=body)
            without = load.gwtf(tools, bare_url, **shared).checked().p50_us
            with_twin = load.gwtf(tools, url, headers=[f"x-api-key: {KEY}"], **shared).checked().p50_us
            differences.append(with_twin - without)
            bare.append(without)
            full.append(with_twin)
    median = statistics.median(differences)
    return rows.Row(
        "twin", "median response time at 1 connection, whole ladder, against `serve --bare`",
        rows.microseconds(statistics.median(full)), rows.microseconds(statistics.median(bare)),
        f"{median:+.0f} us", "<= +60 us", median <= 60,
    )


def limits(folder):
    return "--account-throttle", AMPLE, "--access-log", folder / "access.log"


def refusal(tools, effort, folder, body):
    """A flood that the stage's throttle refuses: what the server's whole process spends on each."""
    best, rate = None, 0.0
    options = ("--throttle", "1:1", "--access-log", folder / "refused.log")
    with served(tools, folder / "refusing", *options) as (server, url):
        for _ in range(effort.rounds):
            before = server.cpu_s()
            done = load.gwtf(tools, url, effort.seconds, 16, payload=body)
            cost_us = (server.cpu_s() - before) / done.throttled * 1e6
            best, rate = min(best or cost_us, cost_us), max(rate, done.rate)
    return rows.Row(
        "twin", f"CPU of a 429, HTTP and access log included (at {rows.rate(rate)})",
        rows.microseconds(best), "-", "-", "<= 20 us", best <= 20,
    )


def ladder(tools, effort, folder, body):
    if not tools.fakecloud:
        return []
    with served(tools, folder / "ladder", config=LADDER, *limits(folder)) as (_, url), \
            fakecloud(tools, folder) as mock_url:
        runs = {"gwtf": (url, [f"x-api-key: {KEY}"]), "fakecloud": (mock_url, [])}
        rates, medians = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, float("inf"))
        for _ in range(effort.rounds):
            for name, (target, headers) in runs.items():
                shared = dict(payload=body, headers=headers)
                many = load.gwtf(tools, target, effort.seconds, 16, **shared).checked()
                one = load.gwtf(tools, target, effort.seconds, 1, **shared).checked()
                rates[name] = max(rates[name], many.rate)
                medians[name] = min(medians[name], one.p50_us)
    what = "whole ladder and a model, against fakecloud's mock route"
    own_rate, rate = rates["gwtf"], rates["fakecloud"]
    own_p50, p50 = medians["gwtf"], medians["fakecloud"]
    return [
        rows.Row("twin", f"{what}, 16 connections", rows.rate(own_rate), rows.rate(rate),
                 rows.times(own_rate, rate), "> 1", own_rate > rate),
        rows.Row("twin", "the same, median response time at 1 connection", rows.microseconds(own_p50),
                 rows.microseconds(p50), rows.times(own_p50, p50), "< 1", own_p50 < p50),
    ]


@contextmanager
def fakecloud(tools, folder):
    """fakecloud with a mock route; it logs errors only, its fastest."""
    port = free_port()
    command = [tools.fakecloud, "--addr", f"127.0.0.1:{port}", "--log-level", "error"]
    with Server(command, port, log=folder / "fakecloud.log"):
        yield mock_route(f"http://127.0.0.1:{port}")


def mock_route(base):
    """A REST API with a MOCK integration on `POST /predict`; its URL."""
    def call(method, path, body=None):
        # It reads the service out of the credential's scope and checks no signature.
        headers = {
            "Content-Type": "application/json",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/apigateway/"
                             "aws4_request, SignedHeaders=host;x-amz-date, Signature=0",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(base + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read() or b"{}")

    api = call("POST", "/restapis", {"name": "bench"})["id"]
    (root,) = call("GET", f"/restapis/{api}/resources")["item"]
    resource = call("POST", f"/restapis/{api}/resources/{root['id']}", {"pathPart": "predict"})["id"]
    method = f"/restapis/{api}/resources/{resource}/methods/POST"
    call("PUT", method, {"authorizationType": "NONE"})
    call("PUT", f"{method}/responses/200", {})
    templates = {"application/json": '{"statusCode": 200}'}
    call("PUT", f"{method}/integration", {"type": "MOCK", "requestTemplates": templates})
    templates = {"application/json": '{"predictions": [[0.1, 0.2, 0.7]]}'}
    call("PUT", f"{method}/integration/responses/200", {"responseTemplates": templates})
    call("POST", f"/restapis/{api}/deployments", {"stageName": "prod"})
    return f"{base}/restapis/{api}/prod/_user_request_/predict"
