#!/usr/bin/env python3
"""Holds `moto_server.py` to what it says that it adds: each refusal beside the call that passes."""

import json

from botocore.exceptions import ClientError
from clients import client
from sample import NAME, api, function, package, permit, role

apigateway, lambda_ = client("apigateway"), client("lambda")


def refused(status, code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        assert got == (status, code), (arguments, error.response)
        return
    raise AssertionError(f"not refused: {arguments}")


def op(kind, path, value=None, source=None):
    patch = {"op": kind, "path": path, "value": value, "from": source}
    return {name: text for name, text in patch.items() if text is not None}


def same(left, right):
    assert left == right, (left, right)


def stages(api_id):
    one, two, three, spare = (apigateway.create_deployment(restApiId=api_id)["id"] for _ in range(4))
    live = {"restApiId": api_id, "stageName": "live"}
    refused(400, "BadRequestException", apigateway.create_stage, **live, deploymentId="nowhere")
    apigateway.create_stage(**live, deploymentId=one, description="first", variables={"kept": "yes"})
    update = lambda *ops: apigateway.update_stage(**live, patchOperations=list(ops))
    bad = lambda *ops: refused(400, "BadRequestException", update_refused, live=live, ops=ops)

    # A canary by patch leaves the stage where it is; a promotion moves it.
    canary = [op("replace", "/canarySettings/deploymentId", two), op("replace", "/canarySettings/percentTraffic", "10.0")]
    stage = update(*canary)
    same((stage["deploymentId"], stage["canarySettings"]["deploymentId"], stage["canarySettings"]["percentTraffic"]), (one, two, 10.0))
    bad(op("replace", "/deploymentId", three))
    promotion = [op("replace", "/canarySettings/percentTraffic", "0.0"),
                 op("copy", "/deploymentId", source="/canarySettings/deploymentId"), op("remove", "/canarySettings")]
    stage = update(*promotion)
    same((stage["deploymentId"], "canarySettings" in stage, stage["variables"]), (two, False, {"kept": "yes"}))
    bad(*promotion[1:2])  # nothing to copy from
    update(*canary)
    stage = update(op("remove", "/canarySettings"), op("replace", "/deploymentId", three))
    same((stage["deploymentId"], "canarySettings" in stage), (three, False))

    # A patch that fails in the middle changes nothing.
    bad(op("replace", "/description", "second"), op("replace", "/deploymentId", "nowhere"))
    bad(op("replace", "/description", "second"), op("replace", "/no/such/path", "1"))
    bad(op("replace", "/*/*/throttling/rateLimits", "1"))
    same(apigateway.get_stage(**live)["description"], "first")

    settings = update(op("replace", "/*/*/throttling/rateLimit", "7.5"), op("replace", "/*/*/metrics/enabled", "true"),
                      op("replace", "/~1v1~1predict/POST/throttling/burstLimit", "3"))["methodSettings"]
    same((settings["*/*"]["throttlingRateLimit"], settings["*/*"]["metricsEnabled"]), (7.5, True))
    same((settings["~1v1~1predict/POST"]["throttlingBurstLimit"], settings["~1v1~1predict/POST"]["throttlingRateLimit"]), (3, 7.5))
    same(list(update(op("remove", "/*/*"))["methodSettings"]), ["~1v1~1predict/POST"])
    bad(op("remove", "/*/*"))

    update(*canary)
    for used in (two, three):
        refused(400, "BadRequestException", apigateway.delete_deployment, restApiId=api_id, deploymentId=used)
    for free in (one, spare):
        apigateway.delete_deployment(restApiId=api_id, deploymentId=free)
    update(op("remove", "/canarySettings"))
    made = apigateway.create_deployment(**live)["id"]
    stage = apigateway.get_stage(**live)
    same((stage["deploymentId"], stage["description"], stage["variables"]), (made, "first", {"kept": "yes"}))


def update_refused(live, ops):
    apigateway.update_stage(**live, patchOperations=list(ops))


def tags(api_id):
    arn = f"arn:aws:apigateway:{apigateway.meta.region_name}::/restapis/{api_id}"
    apigateway.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    apigateway.untag_resource(resourceArn=arn, tagKeys=["b"])
    same(apigateway.get_tags(resourceArn=arn)["tags"], {"made-by": "sample", "a": "1"})
    same(apigateway.get_rest_api(restApiId=api_id)["tags"], {"made-by": "sample", "a": "1"})
    refused(404, "NotFoundException", apigateway.get_tags, resourceArn=arn + "x")


def usage_plans(api_id):
    throttle = {"/v1/predict/POST": {"rateLimit": 5.0, "burstLimit": 2}}
    plan = apigateway.create_usage_plan(name=NAME, apiStages=[{"apiId": api_id, "stage": "live", "throttle": throttle}])["id"]
    update = lambda *ops: apigateway.update_usage_plan(usagePlanId=plan, patchOperations=list(ops))
    route = f"/apiStages/{api_id}:live/throttle/~1v1~1predict/POST/rateLimit"
    same(update(op("replace", route, "6.5"))["apiStages"][0]["throttle"]["/v1/predict/POST"], {"rateLimit": 6.5, "burstLimit": 2})
    key = apigateway.create_api_key(name=NAME)["id"]
    join = {"usagePlanId": plan, "keyId": key, "keyType": "API_KEY"}
    apigateway.create_usage_plan_key(**join)
    refused(409, "ConflictException", apigateway.create_usage_plan_key, **join)
    refused(400, "BadRequestException", apigateway.delete_usage_plan, usagePlanId=plan)
    same(update(op("remove", "/apiStages", f"{api_id}:live"))["apiStages"], [])
    apigateway.delete_usage_plan(usagePlanId=plan)


def functions():
    for alias in ("v1", "v2"):
        lambda_.create_alias(FunctionName=NAME, Name=alias, FunctionVersion="1")
    refused(409, "ResourceConflictException", lambda_.create_alias, FunctionName=NAME, Name="v1", FunctionVersion="1")
    permit("v1")
    refused(409, "ResourceConflictException", permit, alias="v1")
    permit("v2")
    statements = lambda alias: json.loads(lambda_.get_policy(FunctionName=NAME, Qualifier=alias)["Policy"])["Statement"]
    same([len(statements("v1")), statements("v2")[0]["Resource"].split(":")[-1]], [1, "v2"])
    lambda_.remove_permission(FunctionName=NAME, Qualifier="v1", StatementId=NAME)
    refused(404, "ResourceNotFoundException", lambda_.get_policy, FunctionName=NAME, Qualifier="v1")
    same(len(statements("v2")), 1)

    refused(412, "PreconditionFailedException", lambda_.update_alias, FunctionName=NAME, Name="v1", RevisionId="stale")
    revision = lambda_.get_alias(FunctionName=NAME, Name="v1")["RevisionId"]
    lambda_.update_alias(FunctionName=NAME, Name="v1", FunctionVersion="1", RevisionId=revision)
    # The same code is the same version; another environment is another.
    same(lambda_.update_function_code(FunctionName=NAME, ZipFile=package(), Publish=True)["Version"], "1")
    lambda_.update_function_configuration(FunctionName=NAME, Environment={"Variables": {"RELEASE": "v2"}})
    same(lambda_.update_function_code(FunctionName=NAME, ZipFile=package(), Publish=True)["Version"], "2")
    refused(400, "InvalidParameterValueException", lambda_.publish_version, FunctionName=NAME, CodeSha256="AAAA")

    provisioned = {"FunctionName": NAME, "Qualifier": "v1"}
    refused(404, "ProvisionedConcurrencyConfigNotFoundException", lambda_.get_provisioned_concurrency_config, **provisioned)
    lambda_.put_provisioned_concurrency_config(**provisioned, ProvisionedConcurrentExecutions=2)
    same(lambda_.get_provisioned_concurrency_config(**provisioned)["Status"], "READY")
    lambda_.delete_provisioned_concurrency_config(**provisioned)
    refused(404, "ProvisionedConcurrencyConfigNotFoundException", lambda_.get_provisioned_concurrency_config, **provisioned)
    lambda_.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=100)
    same(lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"], 900)

    refused(409, "ResourceConflictException", lambda_.delete_function, FunctionName=NAME, Qualifier="1")
    for alias in ("v1", "v2"):
        lambda_.delete_alias(FunctionName=NAME, Name=alias)
    lambda_.delete_function(FunctionName=NAME, Qualifier="1")


def main():
    arn = function(role(), "v1")
    api_id = api(["v1"], arn)
    stages(api_id)
    tags(api_id)
    usage_plans(api_id)
    functions()


if __name__ == "__main__":
    main()
