#!/usr/bin/env python3
"""A client of the kind that the stand-ins are for: something of everything, made or taken away.

    tests/aws/sample.py create|delete|serve

`serve` puts two versions of one function, each on its alias, behind two resources of an API, and
prints `{"api_id": …}` once both functions are active.
"""

import io
import json
import sys
import time
import zipfile
from pathlib import Path

from clients import client

NAME = "sample"
TAGS = {"made-by": "sample"}
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
POLICY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:eu-central-1:*:log-group:/sample:*"}]}
BOOTSTRAP = "#!/usr/bin/env python3\n" + Path(__file__).with_name("bootstrap.py").read_text()
ACTIVE_TIMEOUT_S = 60


def package():
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        member = zipfile.ZipInfo("bootstrap")
        member.external_attr = 0o755 << 16
        archive.writestr(member, BOOTSTRAP)
    return output.getvalue()


def document(aliases, function_arn):
    region = client("lambda").meta.region_name
    invoke = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function_arn}:%s/invocations"
    paths = {
        f"/{alias}/predict": {"post": {
            "responses": {"200": {"description": "the prediction"}},
            "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": invoke % alias},
        }}
        for alias in aliases
    }
    return {"openapi": "3.0.1", "info": {"title": NAME, "version": "1", "description": NAME}, "paths": paths}


def active(name, qualifier=None):
    asked = {"FunctionName": name, **({"Qualifier": qualifier} if qualifier else {})}
    deadline = time.monotonic() + ACTIVE_TIMEOUT_S
    while time.monotonic() < deadline:
        configuration = client("lambda").get_function_configuration(**asked)
        if configuration.get("State") == "Active" and configuration.get("LastUpdateStatus") != "InProgress":
            return
        time.sleep(0.05)
    raise TimeoutError(f"{name} is not active")


def role():
    iam = client("iam")
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    arn = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=tags)["Role"]["Arn"]
    iam.put_role_policy(RoleName=NAME, PolicyName="inline", PolicyDocument=json.dumps(POLICY))
    return arn


def function(role_arn, release):
    settings = {"Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 20, "MemorySize": 512}
    made = client("lambda").create_function(
        FunctionName=NAME, Role=role_arn, Code={"ZipFile": package()}, Tags=TAGS, Publish=True,
        Environment={"Variables": {"RELEASE": release}}, **settings,
    )
    return made["FunctionArn"]


def permit(alias):
    client("lambda").add_permission(
        FunctionName=NAME, Qualifier=alias, StatementId=NAME, Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:eu-central-1:123456789012:*/*/POST/predict",
    )


def api(aliases, function_arn):
    apigateway = client("apigateway")
    api_id = apigateway.create_rest_api(name=NAME, tags=TAGS, endpointConfiguration={"types": ["REGIONAL"]})["id"]
    body = json.dumps(document(aliases, function_arn))
    apigateway.put_rest_api(restApiId=api_id, mode="overwrite", failOnWarnings=True, body=body)
    return api_id


def create():
    arn = function(role(), "v1")
    active(NAME)
    client("lambda").create_alias(FunctionName=NAME, Name="v1", FunctionVersion="1")
    permit("v1")
    apigateway, api_id = client("apigateway"), api(["v1"], arn)
    for _ in range(2):
        apigateway.create_deployment(restApiId=api_id)
    canary, live = (item["id"] for item in apigateway.get_deployments(restApiId=api_id)["items"])
    apigateway.create_stage(restApiId=api_id, stageName="live", deploymentId=live, tags=TAGS)
    apigateway.update_stage(restApiId=api_id, stageName="live", patchOperations=[
        {"op": "replace", "path": "/canarySettings/deploymentId", "value": canary},
        {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "10.0"},
    ])
    plan = apigateway.create_usage_plan(name=NAME, apiStages=[{"apiId": api_id, "stage": "live"}])["id"]
    key = apigateway.create_api_key(name=NAME, enabled=True)["id"]
    apigateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    logs, s3 = client("logs"), client("s3")
    logs.create_log_group(logGroupName="/sample", tags=TAGS)
    logs.put_retention_policy(logGroupName="/sample", retentionInDays=30)
    s3.create_bucket(Bucket="sample-bucket", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    s3.put_object(Bucket="sample-bucket", Key="a/b", Body=b"\xff\x00")


def delete():
    apigateway, iam, s3 = client("apigateway"), client("iam"), client("s3")
    (api_id,) = [api["id"] for api in apigateway.get_rest_apis()["items"]]
    for plan in apigateway.get_usage_plans()["items"]:
        patch = [{"op": "remove", "path": "/apiStages", "value": f"{api_id}:live"}]
        apigateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=patch)
        apigateway.delete_usage_plan(usagePlanId=plan["id"])
    for key in apigateway.get_api_keys()["items"]:
        apigateway.delete_api_key(apiKey=key["id"])
    apigateway.delete_rest_api(restApiId=api_id)
    client("lambda").delete_function(FunctionName=NAME)
    iam.delete_role_policy(RoleName=NAME, PolicyName="inline")
    iam.delete_role(RoleName=NAME)
    client("logs").delete_log_group(logGroupName="/sample")
    s3.delete_object(Bucket="sample-bucket", Key="a/b")
    s3.delete_bucket(Bucket="sample-bucket")


def serve():
    lambda_, apigateway = client("lambda"), client("apigateway")
    arn = function(role(), "v1")
    active(NAME)
    lambda_.update_function_configuration(FunctionName=NAME, Environment={"Variables": {"RELEASE": "v2"}})
    active(NAME)
    version = lambda_.publish_version(FunctionName=NAME)["Version"]
    for alias, number in (("v1", "1"), ("v2", version)):
        active(NAME, number)
        lambda_.create_alias(FunctionName=NAME, Name=alias, FunctionVersion=number)
        permit(alias)
    api_id = api(["v1", "v2"], arn.removesuffix(":1"))
    deployment = apigateway.create_deployment(restApiId=api_id)["id"]
    apigateway.create_stage(restApiId=api_id, stageName="live", deploymentId=deployment)
    print(json.dumps({"api_id": api_id}))


if __name__ == "__main__":
    {"create": create, "delete": delete, "serve": serve}[sys.argv[1]]()
