"""API Gateway in moto, held closer to AWS: stages, canaries, deployments, usage plans."""

import copy
import re

from moto.apigateway import models as apigateway
from moto.apigateway.exceptions import BadRequestException, ConflictException, NotFoundException

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


def default_settings(self, shipped=apigateway.Stage._get_default_method_settings):
    """What a stage shows of limits that nobody set: the account's."""
    limits = apigateway.Account().throttle_settings
    return {**shipped(self), "throttlingRateLimit": limits["rateLimit"], "throttlingBurstLimit": limits["burstLimit"]}


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


def patch():
    apigateway.APIGatewayBackend.update_stage = update_stage
    apigateway.Stage.to_json = stage_to_json
    apigateway.Stage._get_default_method_settings = default_settings
    apigateway.RestAPI.create_deployment = create_deployment
    apigateway.APIGatewayBackend.create_stage = create_stage
    apigateway.RestAPI.delete_deployment = delete_deployment
    apigateway.UsagePlan.apply_patch_operations = patch_usage_plan
    apigateway.APIGatewayBackend.delete_usage_plan = delete_usage_plan
    apigateway.APIGatewayBackend.create_usage_plan_key = create_usage_plan_key
