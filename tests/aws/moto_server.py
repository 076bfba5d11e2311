#!/usr/bin/env python3
"""moto on a loopback port of its own, held closer to AWS where a release depends on it.

    tests/aws/moto_server.py

Prints `{"url": …}` once it listens. What moto itself drops, forgives or lacks and this adds:
- UpdateStage: canary settings, `copy`, `remove` of settings and variables; all or nothing; refuses
  unknown deployments, unknown paths, and another deployment than the canary's beside a canary; limits
  that nobody set are the account's;
- DeleteDeployment of one that a stage or a canary names is refused; CreateDeployment with a stage's
  name keeps what the stage had;
- tags on REST APIs, usage plans and keys (TagResource, UntagResource, GetTags);
- UpdateUsagePlan: stages that have throttles, per-method throttles; DeleteUsagePlan with stages and a
  key joined twice are refused;
- Lambda: policies by alias, a statement id twice (409), a version that an alias names is kept,
  RevisionId of aliases and PublishVersion's CodeSha256 are checked, the same code is one version,
  GetAccountSettings, provisioned concurrency (ready at once).
"""

import json
import logging
import os
import re
import time
from urllib.parse import parse_qs, unquote

# AWS's own managed policies, one of which the account's role for logs gets.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

import lifeline
import moto_apigateway
import moto_lambda
from moto.apigateway import models as apigateway
from moto.awslambda import models as functions
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from werkzeug.serving import make_server

ACCOUNT_CONCURRENCY = 1000


class Additions:
    """WSGI: answers what moto does not route, hands on the rest."""

    def __init__(self, app):
        self.app = app
        self.provisioned = {}

    def __call__(self, environ, start_response):
        answer = self.answer(environ)
        if answer is None:
            return self.app(environ, start_response)
        status, document = answer
        body = json.dumps(document).encode() if document is not None else b""
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        if status >= 400:
            headers.append(("x-amzn-errortype", document["__type"]))
        start_response(f"{status} {'OK' if status < 400 else 'Error'}", headers)
        return [body]

    def answer(self, environ):
        method = environ["REQUEST_METHOD"]
        # The undecoded path: an ARN's slashes are escaped in it.
        path = environ.get("REQUEST_URI", environ["PATH_INFO"]).split("?")[0]
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if path == "/moto-api/reset":
            self.provisioned.clear()
        if not scope:
            return None
        region, service = scope.groups()
        if service == "apigateway" and path.startswith("/tags/"):
            arn = unquote(path.removeprefix("/tags/"))
            if match := re.fullmatch(r"arn:[^:]+:apigateway:[^:]+::/(restapis|usageplans|apikeys)/([^/]+)", arn):
                return self.tags(region, method, environ, *match.groups())
        if service == "lambda":
            if path.rstrip("/") == "/2016-08-19/account-settings":
                return self.account(region)
            if match := re.fullmatch(r"/2019-09-30/functions/([^/]+)/provisioned-concurrency", path):
                return self.provision(region, method, environ, unquote(match[1]), query)
        return None

    def tags(self, region, method, environ, kind, name):
        backend = apigateway.apigateway_backends[DEFAULT_ACCOUNT_ID][region]
        store = {"restapis": backend.apis, "usageplans": backend.usage_plans, "apikeys": backend.keys}[kind]
        if name not in store:
            return 404, {"__type": "NotFoundException", "message": "Invalid resource identifier specified"}
        found = store[name]
        found.tags = dict(found.tags or {})
        if method == "GET":
            return 200, {"tags": found.tags}
        if method == "PUT":
            found.tags.update(body_of(environ)["tags"])
        else:
            for key in parse_qs(environ.get("QUERY_STRING", "")).get("tagKeys", []):
                found.tags.pop(key, None)
        return 204, None

    def account(self, region):
        backend = functions.lambda_backends[DEFAULT_ACCOUNT_ID][region]
        latest = list(backend.list_functions())
        reserved = sum(int(fn.reserved_concurrency or 0) for fn in latest)
        return 200, {
            "AccountLimit": {"TotalCodeSize": 80530636800, "CodeSizeUnzipped": 262144000, "CodeSizeZipped": 52428800,
                             "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                             "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - reserved},
            "AccountUsage": {"TotalCodeSize": sum(fn.code_size or 0 for fn in latest), "FunctionCount": len(latest)},
        }

    def provision(self, region, method, environ, name, query):
        backend = functions.lambda_backends[DEFAULT_ACCOUNT_ID][region]
        key = (region, name, query.get("Qualifier"))
        try:
            backend.get_function(name, query.get("Qualifier"))
        except Exception:
            self.provisioned.pop(key, None)
            return 404, {"__type": "ResourceNotFoundException", "Message": f"Function not found: {name}"}
        if method == "PUT":
            self.provisioned[key] = body_of(environ)["ProvisionedConcurrentExecutions"]
        elif method == "DELETE":
            self.provisioned.pop(key, None)
            return 204, None
        if key not in self.provisioned:
            return 404, {"__type": "ProvisionedConcurrencyConfigNotFoundException",
                         "Message": "No Provisioned Concurrency Config found for this function"}
        count = self.provisioned[key]
        document = {"RequestedProvisionedConcurrentExecutions": count, "AvailableProvisionedConcurrentExecutions": count,
                    "AllocatedProvisionedConcurrentExecutions": count, "Status": "READY",
                    "LastModified": time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime())}
        return (202 if method == "PUT" else 200), document


def body_of(environ):
    return json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def main():
    lifeline.hold()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto_apigateway.patch()
    moto_lambda.patch()
    app = Additions(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
