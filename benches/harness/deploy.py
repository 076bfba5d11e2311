"""Deploys to AWS, which moto plays: gwtf beside `sam deploy` of the same endpoint, in time and calls."""

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from . import rows
from .process import Server
from .tools import HOME, IRIS, ROOT, say

FIXTURES = ROOT / "tests" / "aws"
MODELS = {"v1": IRIS, "v2": IRIS.parents[1] / "iris-v2" / "model.onnx"}
BUCKET = "bench-artefacts"
STACK = "gwtf-iris"
ROUNDS_MIN = 3
CONFIG = """
[endpoint]
name = "iris"
target = "lambda"
region = "eu-west-1"
[gateway]
throttle = { rate_rps = 50, burst = 100 }
[observe]
access_logs = true
"""
# Each step of gwtf's walk, and the stack's versions for CloudFormation's; `None`: it has no such step.
STEPS = {
    "first deploy": ("deploy v1.onnx --version v1 --no-smoke", ["v1"]),
    "no change": ("deploy v1.onnx --version v1 --no-smoke", ["v1"]),
    "new version": ("deploy v2.onnx --version v2 --no-smoke", ["v1", "v2"]),
    "rollback": ("rollback --no-smoke", ["v1"]),
    "canary": ("deploy v1.onnx --version v3 --canary 10 --no-smoke", None),
    "promote": ("promote --no-smoke", None),
}
# At least so many times faster than the peer; at most so many mutating calls.
TIMES_MIN = {"first deploy": 3, "no change": 5}
MUTATING_MAX = {"first deploy": 25, "no change": 0, "new version": 8, "rollback": 1, "canary": 8, "promote": 1}
# Changes nothing, though its name does not say so.
READING_TOO = {"cloudformation ValidateTemplate"}


@dataclass
class Side:
    """One of the two tools at one account."""

    name: str
    # By step: the command, or `None`.
    commands: dict
    environment: dict


@dataclass
class Calls:
    """What one step sent."""

    operations: list
    mutating: list


def run(tools, effort):
    with TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(tools, folder)
        with announced(tools, "moto_server.py", log=folder / "moto.log") as (_, moto):
            calls = counted(tools, folder, moto)
            took = timed(tools, folder, moto, max(effort.rounds, ROUNDS_MIN))
    return [*times_rows(took), *calls_rows(calls)]


def lay_out(tools, folder):
    """gwtf's folder, and beside it the stack's templates with their artefacts."""
    (folder / "gwtf.toml").write_text(CONFIG)
    documents = []
    for tag, model in MODELS.items():
        shutil.copy2(model, folder / f"{tag}.onnx")
        printed(tools, folder, f"package {tag}.onnx --target lambda-zip --version {tag} --output {tag}.zip")
        account = peer().ACCOUNT
        exported = printed(tools, folder, f"export openapi {tag}.onnx --version {tag} --account {account}")
        documents.append(json.loads(exported))
    for tags in (["v1"], ["v1", "v2"]):
        document = {}
        for one in documents[:len(tags)]:
            document = merged(document, one)
        stack = peer().template(document, tags, f"{tags[-1]}.zip")
        (folder / f"{tags[-1]}.json").write_text(json.dumps(stack))


def printed(tools, folder, arguments):
    """What a gwtf that calls nobody prints."""
    environment = {**os.environ, "GWTF_RUNTIME": str(tools.runtime)}
    command = [tools.gwtf, *arguments.split()]
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE).stdout


def peer():
    """The peer's template."""
    path = ROOT / "benches" / "peers" / "cloudformation.py"
    spec = importlib.util.spec_from_file_location("cloudformation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def merged(left, right):
    """Both documents as one: routes and models of each, and `right` where they differ."""
    if not isinstance(left, dict) or not isinstance(right, dict):
        return right
    return {**left, **{key: merged(left[key], value) if key in left else value for key, value in right.items()}}


class announced:
    """A script of the tests' stand-ins for the length of a `with` block: its server and URL."""

    def __init__(self, tools, script, *arguments, log):
        command = [tools.stand_in_python, FIXTURES / script, *arguments]
        self.server = Server(command, env={"LIFELINE": "stdin"}, log=log)

    def __enter__(self):
        server = self.server.__enter__()
        try:
            return server, json.loads(server.read_line())["url"]
        except BaseException:
            self.server.__exit__()
            raise

    def __exit__(self, *_):
        self.server.__exit__()


def sides(tools, folder, url):
    """gwtf and sam, with this account and nothing of the caller's."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("AWS_", "GWTF_", "SAM_", "HTTP_PROXY"))}
    environment |= {
        "AWS_ENDPOINT_URL": url, "AWS_REGION": peer().REGION, "AWS_DEFAULT_REGION": peer().REGION,
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    own = {step: [tools.gwtf, *arguments.split()] for step, (arguments, _) in STEPS.items()}
    theirs = {step: tags and sam(tools, f"{tags[-1]}.json") for step, (_, tags) in STEPS.items()}
    # It takes 127.0.0.1 for a host of buckets. Its home lasts: it looks for a newer version of itself
    # once a week, in the walk that is counted and not timed.
    (HOME / "sam-home").mkdir(exist_ok=True)
    of_sam = {"SAM_CLI_TELEMETRY": "0", "AWS_ENDPOINT_URL": url.replace("127.0.0.1", "localhost"),
              "HOME": str(HOME / "sam-home")}
    return [
        Side("gwtf", own, environment | {"GWTF_RUNTIME": str(tools.runtime)}),
        Side("sam", theirs, environment | of_sam),
    ]


def sam(tools, template):
    return [tools.sam, "deploy", "--template-file", template, "--stack-name", STACK, "--s3-bucket", BUCKET,
            "--capabilities", "CAPABILITY_NAMED_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset",
            "--no-progressbar"]


def start_anew(moto):
    """An empty account but for the bucket that sam uploads to."""
    request = urllib.request.Request(f"{moto}/moto-api/reset", b"", method="POST")
    urllib.request.urlopen(request, timeout=30).close()
    scope = f"Credential=test/20260101/{peer().REGION}/s3/aws4_request"
    body = ('<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<LocationConstraint>{peer().REGION}</LocationConstraint></CreateBucketConfiguration>")
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
               "Content-Type": "application/xml"}
    request = urllib.request.Request(f"{moto}/{BUCKET}", body.encode(), headers, method="PUT")
    urllib.request.urlopen(request, timeout=30).close()


def step_s(side, step, folder):
    """Runs one step of one side to its end; seconds, or `None` where it has no such step."""
    command = side.commands[step]
    if command is None:
        return None
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=side.environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    took_s = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"{side.name}, {step}, ended with {done.returncode}: {done.stdout}{done.stderr}")
    return took_s


def timed(tools, folder, moto, rounds):
    """Seconds by side and step, a list each: the two take turns, each in an empty account."""
    took = {}
    for number in range(rounds):
        for side in sides(tools, folder, moto):
            start_anew(moto)
            for step in STEPS:
                took_s = step_s(side, step, folder)
                if took_s is not None:
                    took.setdefault((side.name, step), []).append(took_s)
                    say(f"round {number + 1}: {side.name}, {step}: {took_s:.2f} s")
    return took


def counted(tools, folder, moto):
    """Calls by side and step, in a walk of its own: the recorder costs time."""
    calls = {}
    written = folder / "requests"
    with announced(tools, "recorder.py", moto, written, log=folder / "recorder.log") as (_, url):
        for side in sides(tools, folder, url):
            start_anew(moto)
            for step in STEPS:
                before = len(written.read_text().splitlines())
                if step_s(side, step, folder) is not None:
                    calls[side.name, step] = judged(tools, written.read_text().splitlines()[before:])
    return calls


def judged(tools, requests):
    command = [tools.stand_in_python, FIXTURES / "validate_requests.py", "--json"]
    done = subprocess.run(command, input="\n".join(requests), stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    if len(found["operations"]) != len(requests):
        raise RuntimeError(f"not every call has a name: {found['faults']}")
    return Calls(found["operations"], [name for name in found["mutating"] if name not in READING_TOO])


def times_rows(took):
    found = []
    for step, (_, tags) in STEPS.items():
        own = took["gwtf", step]
        theirs = took.get(("sam", step))
        what, bar = f"{step}, against `sam deploy`" if tags else step, TIMES_MIN.get(step)
        if not theirs:
            found.append(rows.Row("deploy", what, seconds(own), "-", "-", "-", None))
            continue
        # Of pairs, each of one round, so that both met the same machine.
        ratio = statistics.median(peer_s / own_s for own_s, peer_s in zip(own, theirs))
        found.append(rows.Row("deploy", what, seconds(own), seconds(theirs), f"{ratio:.2f}",
                              f">= {bar}" if bar else "-", ratio >= bar if bar else None))
    return found


def seconds(took):
    return f"{statistics.median(took):.2f} s"


def calls_rows(calls):
    found = []
    for step in STEPS:
        own, theirs, bar = calls["gwtf", step], calls.get(("sam", step)), MUTATING_MAX[step]
        say(f"{step}: gwtf changes with {own.mutating}")
        if theirs:
            say(f"{step}: sam changes with {theirs.mutating}")
        found.append(rows.Row("deploy", f"{step}, mutating calls of all", tally(own),
                              tally(theirs) if theirs else "-", "-", f"<= {bar}", len(own.mutating) <= bar))
    return found


def tally(calls):
    return f"{len(calls.mutating)} of {len(calls.operations)}"
