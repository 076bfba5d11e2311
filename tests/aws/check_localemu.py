#!/usr/bin/env python3
"""Holds `localemu_server.py` to what a release depends on, by calling the endpoint."""

import json
import os
import urllib.error
import urllib.request

from clients import client
from sample import NAME, TAGS, active, function, role

apigateway, lambda_ = client("apigateway"), client("lambda")
SAMPLES = 60


def same(left, right):
    assert left == right, (left, right)


def op(kind, path, value=None, source=None):
    patch = {"op": kind, "path": path, "value": value, "from": source}
    return {name: text for name, text in patch.items() if text is not None}


def document(function_arn, alias, required, told, key=False):
    """One route to `alias`; a body must have the member `required`; a bad one is told `told`."""
    invoke = f"arn:aws:apigateway:{apigateway.meta.region_name}:lambda:path/2015-03-31/functions/{function_arn}:{alias}/invocations"
    operation = {
        "responses": {"200": {"description": "the prediction"}},
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Input"}}}},
        "x-amazon-apigateway-request-validator": "all",
        "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": invoke},
        **({"security": [{"key": []}]} if key else {}),
    }
    return {
        "openapi": "3.0.1", "info": {"title": NAME, "version": "1", "description": alias},
        "paths": {"/predict": {"post": operation}},
        "components": {"schemas": {"Input": {"type": "object", "required": [required]}},
                       "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}},
        "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True, "validateRequestParameters": True}},
        "x-amazon-apigateway-gateway-responses": {
            "BAD_REQUEST_BODY": {"statusCode": 422, "responseTemplates": {"application/json": json.dumps({"told": told})}}},
    }


class Api:
    def __init__(self, function_arn):
        self.function_arn = function_arn
        self.id = apigateway.create_rest_api(name=NAME, tags=TAGS, endpointConfiguration={"types": ["REGIONAL"]})["id"]

    def deploy(self, *wanted, **named):
        body = json.dumps(document(self.function_arn, *wanted, **named))
        apigateway.put_rest_api(restApiId=self.id, mode="overwrite", failOnWarnings=True, body=body)
        return apigateway.create_deployment(restApiId=self.id)["id"]

    def update(self, *ops):
        return apigateway.update_stage(restApiId=self.id, stageName="live", patchOperations=list(ops))

    def call(self, body, **headers):
        url = f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{self.id}/live/predict"
        headers = {"content-type": "application/json", **headers}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as reply:
                return json.loads(reply.read())["variables"]["RELEASE"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


def releases(api):
    one = api.deploy("v1", "a", "v1 wants a")
    apigateway.create_stage(restApiId=api.id, stageName="live", deploymentId=one)
    same(api.call({"a": 1}), "v1")
    same(api.call({"b": 1}), (422, {"told": "v1 wants a"}))

    # A deployment is a snapshot: routes, models and gateway responses of the live one stay.
    two = api.deploy("v2", "b", "v2 wants b")
    same(api.call({"a": 1}), "v1")
    same(api.call({"b": 1}), (422, {"told": "v1 wants a"}))
    api.update(op("replace", "/canarySettings/deploymentId", two), op("replace", "/canarySettings/percentTraffic", "50.0"))
    same({api.call({"a": 1, "b": 1}) for _ in range(SAMPLES)}, {"v1", "v2"})
    api.update(op("replace", "/canarySettings/percentTraffic", "0.0"),
               op("copy", "/deploymentId", source="/canarySettings/deploymentId"), op("remove", "/canarySettings"))
    same({api.call({"b": 1}) for _ in range(SAMPLES)}, {"v2"})
    same(api.call({"a": 1}), (422, {"told": "v2 wants b"}))
    api.update(op("replace", "/deploymentId", one))
    same({api.call({"a": 1}) for _ in range(SAMPLES)}, {"v1"})
    same(api.call({"b": 1}), (422, {"told": "v1 wants a"}))
    same([found["name"] for found in apigateway.get_request_validators(restApiId=api.id)["items"]], ["all"])


def keys(api):
    api.update(op("replace", "/deploymentId", api.deploy("v1", "a", "", key=True)))
    key = apigateway.create_api_key(name=NAME, enabled=True)
    sent = {"x-api-key": key["value"]}
    same((api.call({"a": 1})[0], api.call({"a": 1}, **sent)[0]), (403, 403))
    throttle = {"/predict/POST": {"rateLimit": 5.0, "burstLimit": 2}}
    stages = [{"apiId": api.id, "stage": "live", "throttle": throttle}]
    plan = apigateway.create_usage_plan(name=NAME, apiStages=stages)["id"]
    apigateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    same((api.call({"a": 1}, **sent), api.call({"a": 1})[0]), ("v1", 403))
    route = f"/apiStages/{api.id}:live/throttle/~1predict/POST/rateLimit"
    update = lambda *ops: apigateway.update_usage_plan(usagePlanId=plan, patchOperations=list(ops))
    same(update(op("replace", route, "6.5"))["apiStages"][0]["throttle"]["/predict/POST"], {"rateLimit": 6.5, "burstLimit": 2})
    same(update(op("remove", "/apiStages", f"{api.id}:live")).get("apiStages", []), [])


def tags(api):
    arn = f"arn:aws:apigateway:{apigateway.meta.region_name}::/restapis/{api.id}"
    apigateway.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    apigateway.untag_resource(resourceArn=arn, tagKeys=["b"])
    wanted = {**TAGS, "a": "1"}
    same(apigateway.get_tags(resourceArn=arn)["tags"], wanted)
    same(apigateway.get_rest_api(restApiId=api.id)["tags"], wanted)
    same(apigateway.get_rest_apis()["items"][0]["tags"], wanted)
    api.deploy("v1", "a", "")
    same(apigateway.get_rest_api(restApiId=api.id)["tags"], wanted)


def main():
    arn = function(role(), "v1")
    active(NAME)
    lambda_.update_function_configuration(FunctionName=NAME, Environment={"Variables": {"RELEASE": "v2"}})
    active(NAME)
    version = lambda_.publish_version(FunctionName=NAME)["Version"]
    for alias, number in (("v1", "1"), ("v2", version)):
        active(NAME, number)
        lambda_.create_alias(FunctionName=NAME, Name=alias, FunctionVersion=number)
    api = Api(arn.removesuffix(":1"))
    releases(api)
    keys(api)
    tags(api)


if __name__ == "__main__":
    main()
