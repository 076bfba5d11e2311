# A Lambda runtime that does what its event says. A zip's `bootstrap` is this behind a `#!` line.
import json
import os
import subprocess
import sys
import time
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/"


def post(path, body):
    request = urllib.request.Request(API + path, data=body, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        reply.read()


def hang():
    while True:
        time.sleep(3600)


print("started", flush=True)
match os.environ.get("INIT"):
    case "exit":
        sys.exit(7)
    case "hang":
        hang()
    case "report":
        post("init/error", b'{"errorType":"Told.Init","errorMessage":"told to fail"}')
        sys.exit(1)

while True:
    with urllib.request.urlopen(API + "invocation/next") as work:
        event, headers = json.loads(work.read()), work.headers
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    kind = "response"
    answer = {
        "event": event,
        "pid": os.getpid(),
        "request_id": request_id,
        "deadline_ms": int(headers["Lambda-Runtime-Deadline-Ms"]),
        "arn": headers["Lambda-Runtime-Invoked-Function-Arn"],
        "trace": headers["Lambda-Runtime-Trace-Id"],
        "variables": dict(os.environ),
    }
    match event.get("do"):
        case "exit":
            os._exit(event["status"])
        case "hang":
            hang()
        case "error":
            kind, answer = "error", {"errorType": "Told", "errorMessage": "told to fail"}
        case "large":
            answer = "x" * (event["bytes"] - 2)
        case "child":
            answer["child"] = subprocess.Popen(["sleep", "3600"]).pid
    # Behind API Gateway the event has a path, and the reply must be a proxy reply.
    if "requestContext" in event:
        answer = {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(answer)}
    try:
        post(f"invocation/{request_id}/{kind}", json.dumps(answer).encode())
    except urllib.error.HTTPError as error:
        if error.code != 413:
            raise
