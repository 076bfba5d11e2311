#!/usr/bin/env python3
"""moto on a loopback port of its own, held closer to AWS where a release depends on it.

    tests/aws/moto_server.py

Prints `{"url": …}` once it listens. What moto itself drops, forgives or lacks and this adds:
- UpdateStage: canary settings, `copy`, `remove` of settings and variables; all or nothing; refuses
  unknown deployments, unknown paths, and another deployment than the canary's beside a canary;
- DeleteDeployment of one that a stage or a canary names is refused; CreateDeployment with a stage's
  name keeps what the stage had;
- tags on REST APIs, usage plans and keys (TagResource, UntagResource, GetTags);
- UpdateUsagePlan: stages that have throttles, per-method throttles; DeleteUsagePlan with stages and a
  key joined twice are refused;
- Lambda: policies by alias, a statement id twice (409), a version that an alias names is kept,
  RevisionId of aliases and PublishVersion's CodeSha256 are checked, the same code is one version,
  GetAccountSettings, provisioned concurrency (ready at once).
"""

import copy
import json
import logging
import re
import time
from urllib.parse import parse_qs, unquote

from moto.apigateway import models as apigateway
from moto.apigateway.exceptions import BadRequestException, ConflictException, NotFoundException
from moto.awslambda import models as functions
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.policy import Policy
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from werkzeug.serving import make_server

ACCOUNT_CONCURRENCY = 1000
SETTING_KINDS = {"throttling": ("rateLimit", "burstLimit"), "metrics": ("enabled",), "logging": ("dataTrace", "loglevel"),
                 "caching": ("ttlInSeconds", "enabled", "dataEncrypted", "requireAuthorizationForCacheControl",
                             "unauthorizedCacheControlHeaderStrategy")}
STAGE_FIELDS = {"/description": "description", "/clientCertificateId": "client_certificate_id",
                "/cacheClusterSize": "cache_cluster_size"}


# --- API Gateway: stages and deployments


def invalid_path(op):
    return BadRequestException(f"Invalid patch path '{op['path']}' specified for op '{op['op']}'.")


class StagePatch:
    """One ordered patch on a copy of a stage; the caller keeps the copy when all went well."""

    def __init__(self, stage, deployments):
        self.stage, self.deployments = stage, deployments

    def apply(self, op):
        path, kind = op["path"], op["op"]
        if kind == "copy":
            op = {"op": "replace", "path": path, "value": self.read(op)}
        elif kind not in ("add", "replace", "remove"):
            raise BadRequestException(f"Unsupported op '{kind}'.")
        if kind != "remove" and not isinstance(op.get("value"), (str, dict)):
            raise BadRequestException(f"Invalid value for '{path}': patch values are strings.")
        if path.startswith("/canarySettings"):
            return self.canary(op)
        if path == "/deploymentId":
            return self.deployment(op)
        if path.startswith("/variables"):
            return self.variables(op)
        return self.setting(op)

    def read(self, op):
        canary = getattr(self.stage, "canary", None)
        if canary is None:
            raise BadRequestException(f"Cannot copy from '{op.get('from')}': there is no canary.")
        if op.get("from") == "/canarySettings/deploymentId":
            return canary["deploymentId"]
        if op.get("from") == "/canarySettings/stageVariableOverrides":
            return canary.get("stageVariableOverrides", {})
        raise BadRequestException(f"Invalid from '{op.get('from')}' specified for op 'copy'.")

    def known(self, deployment_id):
        if deployment_id not in self.deployments:
            raise BadRequestException("Deployment id does not exist")
        return deployment_id

    def deployment(self, op):
        if op["op"] == "remove":
            raise invalid_path(op)
        wanted, canary = self.known(op["value"]), getattr(self.stage, "canary", None)
        if canary and wanted not in (canary["deploymentId"], self.stage.deployment_id):
            raise BadRequestException("A stage with a canary cannot be given another deployment than the canary's.")
        self.stage.deployment_id = wanted

    def canary(self, op):
        key = op["path"].removeprefix("/canarySettings").removeprefix("/")
        if op["op"] == "remove":
            if key:
                raise invalid_path(op)
            self.stage.canary = None
            return
        canary = getattr(self.stage, "canary", None)
        if canary is None:
            canary = {"deploymentId": self.stage.deployment_id, "percentTraffic": 0.0, "useStageCache": False}
        if key == "deploymentId":
            canary["deploymentId"] = self.known(op["value"])
        elif key == "percentTraffic":
            percent = float(op["value"])
            if not 0 <= percent <= 100:
                raise BadRequestException("Invalid percentTraffic")
            canary["percentTraffic"] = percent
        elif key == "useStageCache":
            canary["useStageCache"] = op["value"] == "true"
        elif key.startswith("stageVariableOverrides/"):
            canary.setdefault("stageVariableOverrides", {})[key.split("/", 1)[1]] = op["value"]
        else:
            raise invalid_path(op)
        self.stage.canary = canary

    def variables(self, op):
        name = op["path"].removeprefix("/variables").removeprefix("/")
        if not name and isinstance(op.get("value"), dict):
            self.stage.variables.update(op["value"])
        elif not name:
            raise invalid_path(op)
        elif op["op"] == "remove":
            self.stage.variables.pop(name, None)
        else:
            self.stage.variables[name] = op["value"]

    def setting(self, op):
        path, stage, parts = op["path"], self.stage, op["path"].split("/")[1:]
        if op["op"] == "remove":
            if path == "/accessLogSettings":
                stage.access_log_settings = None
            elif len(parts) == 2 and stage.method_settings.pop("/".join(parts), None) is not None:
                pass
            else:
                raise invalid_path(op)
        elif path in STAGE_FIELDS:
            setattr(stage, STAGE_FIELDS[path], op["value"])
        elif path == "/tracingEnabled":
            stage.tracing_enabled = op["value"] == "true"
        elif path == "/cacheClusterEnabled":
            stage.cache_cluster_enabled = op["value"] == "true"
        elif path in ("/accessLogSettings/destinationArn", "/accessLogSettings/format"):
            stage.access_log_settings = {**(stage.access_log_settings or {}), parts[1]: op["value"]}
        elif len(parts) == 4 and parts[3] in SETTING_KINDS.get(parts[2], ()):
            key = "/".join(parts[:2])
            if key not in stage.method_settings and "*/*" in stage.method_settings:
                stage.method_settings[key] = dict(stage.method_settings["*/*"])
            stage._patch_method_setting(key, "/".join(parts[2:]), op["value"])
        else:
            raise invalid_path(op)


def update_stage(self, function_id, stage_name, patch_operations):
    api = self.get_rest_api(function_id)
    self.get_stage(function_id, stage_name)
    patched = copy.deepcopy(api.stages[stage_name])
    patch = StagePatch(patched, api.deployments)
    for op in patch_operations or []:
        patch.apply(op)
    api.stages[stage_name] = patched
    return patched


def stage_to_json(self, shipped=apigateway.Stage.to_json):
    document = shipped(self)
    if getattr(self, "canary", None):
        document["canarySettings"] = self.canary
    return document


def create_deployment(self, name, description, stage_variables=None, shipped=apigateway.RestAPI.create_deployment):
    kept = self.stages.get(name) if name else None
    if kept is None:
        return shipped(self, name, description, stage_variables)
    deployment = shipped(self, None, description, stage_variables)
    kept.deployment_id = deployment.id
    kept.variables.update(stage_variables or {})
    return deployment


def create_stage(self, function_id, name, deployment_id, shipped=apigateway.APIGatewayBackend.create_stage, **rest):
    if deployment_id not in self.get_rest_api(function_id).deployments:
        raise BadRequestException("Deployment id does not exist")
    return shipped(self, function_id, name, deployment_id, **rest)


def delete_deployment(self, deployment_id, shipped=apigateway.RestAPI.delete_deployment):
    for stage in self.stages.values():
        canary = getattr(stage, "canary", None) or {}
        if deployment_id in (stage.deployment_id, canary.get("deploymentId")):
            raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
    if deployment_id in self.deployments:
        # Where it was first put says nothing about where it is now.
        self.deployments[deployment_id].stage_name = None
    return shipped(self, deployment_id)


# --- API Gateway: usage plans


def patch_usage_plan(self, patch_operations, shipped=apigateway.UsagePlan.apply_patch_operations):
    stages = copy.deepcopy(self.api_stages)
    find = lambda name: next((stage for stage in stages if f"{stage['apiId']}:{stage['stage']}" == name), None)
    rest = []
    for op in patch_operations:
        path, value = op["path"], op.get("value")
        if path == "/apiStages" and op["op"] == "add":
            if find(value):
                raise ConflictException(f"Usage plan already has the stage {value}")
            api_id, stage = value.split(":")
            stages.append({"apiId": api_id, "stage": stage})
        elif path == "/apiStages" and op["op"] == "remove":
            if not find(value):
                raise NotFoundException(f"Usage plan has no stage {value}")
            stages.remove(find(value))
        elif match := re.fullmatch(r"/apiStages/([^/]+:[^/]+)/throttle(?:/(.+)/([A-Z]+|\*)(?:/(rateLimit|burstLimit))?)?", path):
            name, route, verb, limit = match.groups()
            stage = find(name)
            if stage is None:
                raise NotFoundException(f"Usage plan has no stage {name}")
            throttles = stage.setdefault("throttle", {})
            route = route and (route.replace("~1", "/").replace("~0", "~"))
            key = route and f"{route if route.startswith('/') else '/' + route}/{verb}"
            if op["op"] == "remove":
                throttles.clear() if key is None else throttles.pop(key, None)
            elif key and limit:
                throttles.setdefault(key, {})[limit] = float(value) if limit == "rateLimit" else int(value)
            else:
                raise invalid_path(op)
        elif path == "/throttle/rateLimit" and op["op"] in ("add", "replace"):
            self.throttle["rateLimit"] = float(value)
        else:
            rest.append(op)
    shipped(self, rest)
    self.api_stages = stages


def delete_usage_plan(self, usage_plan_id, shipped=apigateway.APIGatewayBackend.delete_usage_plan):
    plan = self.usage_plans.get(usage_plan_id)
    if plan is None:
        raise NotFoundException("Invalid Usage Plan ID specified")
    if plan.api_stages:
        raise BadRequestException(f"Cannot delete usage plan {usage_plan_id} because it has stages")
    shipped(self, usage_plan_id)
    self.usage_plan_keys.pop(usage_plan_id, None)


def create_usage_plan_key(self, usage_plan_id, payload, shipped=apigateway.APIGatewayBackend.create_usage_plan_key):
    if payload["keyId"] in self.usage_plan_keys.get(usage_plan_id, {}):
        raise ConflictException(f"{payload['keyId']} is already subscribed")
    return shipped(self, usage_plan_id, payload)


# --- Lambda


def error(status, kind, message):
    raised = LambdaClientError(kind, message)
    raised.code = status
    return raised


def policies(backend, function_name):
    latest = backend.get_function(function_name)
    if not hasattr(latest, "policies_by_qualifier"):
        latest.policies_by_qualifier = {}
    return latest, latest.policies_by_qualifier


def add_permission(self, function_name, qualifier, raw):
    self.get_function(function_name, qualifier)
    latest, by_qualifier = policies(self, function_name)
    policy = by_qualifier.setdefault(qualifier or None, Policy(latest))
    sid = json.loads(raw).get("StatementId")
    if any(statement.get("Sid") == sid for statement in policy.statements):
        raise error(409, "ResourceConflictException", f"The statement id ({sid}) provided already exists.")
    return policy.add_statement(raw, qualifier)[0]


def policy_of(self, function_name, qualifier):
    latest, by_qualifier = policies(self, function_name)
    return by_qualifier.get(qualifier or None) or Policy(latest)


def get_policy(self, function_name, qualifier=None):
    return policy_of(self, function_name, qualifier).wire_format()


def remove_permission_response(self):
    parts = self.path.split("?")[0].split("/")
    policy = policy_of(self.backend, unquote(parts[-3]), self.querystring.get("Qualifier", [None])[0])
    policy.del_statement(parts[-1], self.querystring.get("RevisionId", [""])[0])
    return 204, {"status": 204}, "{}"


def create_alias(self, name, function_name, *rest, shipped=functions.LambdaBackend.create_alias, **named):
    self.get_function(function_name)
    if any(alias.name == name for alias in self.list_aliases(function_name)):
        raise error(409, "ResourceConflictException", f"Alias already exists: {name}")
    return shipped(self, name, function_name, *rest, **named)


def delete_alias(self, name, function_name, shipped=functions.LambdaBackend.delete_alias):
    policies(self, function_name)[1].pop(name, None)
    return shipped(self, name, function_name)


def delete_function(self, function_name, qualifier=None, shipped=functions.LambdaBackend.delete_function):
    if qualifier:
        users = [alias.name for alias in self.list_aliases(function_name) if qualifier_in(alias, qualifier)]
        if users:
            raise error(409, "ResourceConflictException", f"Unable to delete version because the following aliases reference it: {users}")
    return shipped(self, function_name, qualifier)


def qualifier_in(alias, version):
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    return version == alias.function_version or version in weights


def update_function_code(self, function_name, qualifier, body, shipped=functions.LambdaBackend.update_function_code):
    """AWS publishes nothing new when neither code nor configuration changed since the last version."""
    body = dict(body)
    publish = body.pop("Publish", False)
    result = shipped(self, function_name, qualifier, body)
    if not publish or body.get("DryRun"):
        return result
    latest = self.get_function(function_name)
    published = [fn for fn in self.list_versions_by_function(function_name) if fn.version != "$LATEST"]
    if published and same_release(published[-1], latest):
        return published[-1].get_configuration(on_create=False)
    fn = self.publish_version(function_name, "")
    return fn.get_configuration(on_create=False)


def same_release(published, latest):
    facts = lambda fn: (fn.code_sha_256, fn.environment_vars, fn.memory_size, fn.timeout, fn.role, fn.handler)
    return facts(published) == facts(latest)


def publish_version_response(self, shipped):
    body = json.loads(self.body or "{}")
    latest = self.backend.get_function(unquote(self.path.split("/")[-2]))
    if body.get("CodeSha256") and body["CodeSha256"] != latest.code_sha_256:
        raise error(400, "InvalidParameterValueException", "CodeSHA256 is different from current CodeSHA256 in $LATEST.")
    return shipped(self)


def update_alias_response(self, shipped):
    body, parts = json.loads(self.body or "{}"), self.path.split("/")
    wanted = body.get("RevisionId")
    if wanted:
        alias = self.backend.get_alias(unquote(parts[-1]), unquote(parts[-3]))
        if wanted != alias.revision_id:
            raise error(412, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id.")
    return shipped(self)


# --- Calls that moto has no route for


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


def patch_moto():
    apigateway.APIGatewayBackend.update_stage = update_stage
    apigateway.Stage.to_json = stage_to_json
    apigateway.RestAPI.create_deployment = create_deployment
    apigateway.APIGatewayBackend.create_stage = create_stage
    apigateway.RestAPI.delete_deployment = delete_deployment
    apigateway.UsagePlan.apply_patch_operations = patch_usage_plan
    apigateway.APIGatewayBackend.delete_usage_plan = delete_usage_plan
    apigateway.APIGatewayBackend.create_usage_plan_key = create_usage_plan_key
    functions.LambdaBackend.add_permission = add_permission
    functions.LambdaBackend.get_policy = get_policy
    functions.LambdaBackend.create_alias = create_alias
    functions.LambdaBackend.delete_alias = delete_alias
    functions.LambdaBackend.delete_function = delete_function
    functions.LambdaBackend.update_function_code = update_function_code
    from moto.awslambda.responses import LambdaResponse

    LambdaResponse.remove_permission = remove_permission_response
    for name, wrapper in (("publish_version", publish_version_response), ("update_alias", update_alias_response)):
        shipped = getattr(LambdaResponse, name)
        setattr(LambdaResponse, name, lambda self, wrapper=wrapper, shipped=shipped: wrapper(self, shipped))


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    patch_moto()
    app = Additions(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
