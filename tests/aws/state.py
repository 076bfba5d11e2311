#!/usr/bin/env python3
"""Reads back what is in a stand-in: one JSON document.

    tests/aws/state.py URL [--each-line]

With `--each-line` one document a line, for each line that is read.
Times, revision ids and other things that differ from run to run are left out; lists are sorted.
"""

import json
import sys

from botocore.exceptions import ClientError
from clients import client

# Differ between two runs that made the same things, or say nothing of them.
DROPPED = {"ResponseMetadata", "createdDate", "lastUpdatedDate", "creationTime", "storedBytes", "RevisionId", "LastModified"}
# What LocalEmu has in an empty account.
BUILT_IN_ROLES = ("/aws-service-role/",)


def kept(document):
    if isinstance(document, dict):
        return {name: kept(value) for name, value in document.items() if name not in DROPPED}
    if isinstance(document, list):
        return [kept(value) for value in document]
    return document


def pages(client, operation, key, **arguments):
    if client.can_paginate(operation):
        items = []
        for page in client.get_paginator(operation).paginate(**arguments):
            items += page.get(key, [])
        return items
    return getattr(client, operation)(**arguments).get(key, [])


def found(call, missing):
    """The reply, or `missing` where there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return missing
        raise


def rest_apis(apigateway):
    apis = []
    for api in pages(apigateway, "get_rest_apis", "items"):
        name = api["id"]
        arn = f"arn:aws:apigateway:{apigateway.meta.region_name}::/restapis/{name}"
        tags = found(lambda: apigateway.get_tags(resourceArn=arn)["tags"], {})
        resources = pages(apigateway, "get_resources", "items", restApiId=name, embed=["methods"])
        methods = [f"{verb} {resource['path']}" for resource in resources for verb in resource.get("resourceMethods", {})]
        apis.append({
            **api,
            # LocalEmu keeps those of TagResource apart from those of CreateRestApi.
            "tags": {**(api.get("tags") or {}), **tags},
            "methods": sorted(methods),
            "deployments": pages(apigateway, "get_deployments", "items", restApiId=name),
            "stages": sorted(apigateway.get_stages(restApiId=name)["item"], key=lambda stage: stage["stageName"]),
        })
    return sorted(apis, key=lambda api: (api["name"], api["id"]))


def usage_plans(apigateway):
    plans = []
    for plan in pages(apigateway, "get_usage_plans", "items"):
        keys = pages(apigateway, "get_usage_plan_keys", "items", usagePlanId=plan["id"])
        plans.append({**plan, "keys": [{"id": key["id"], "name": key.get("name")} for key in keys]})
    return sorted(plans, key=lambda plan: plan["name"])


def functions(lambda_):
    described = []
    for function in pages(lambda_, "list_functions", "Functions"):
        name = function["FunctionName"]
        whole = lambda_.get_function(FunctionName=name)
        aliases = sorted(pages(lambda_, "list_aliases", "Aliases", FunctionName=name), key=lambda alias: alias["Name"])
        versions = pages(lambda_, "list_versions_by_function", "Versions", FunctionName=name)
        provisioned = {}
        policies = {"": found(lambda: lambda_.get_policy(FunctionName=name)["Policy"], None)}
        for alias in aliases:
            qualifier = {"FunctionName": name, "Qualifier": alias["Name"]}
            policies[alias["Name"]] = found(lambda: lambda_.get_policy(**qualifier)["Policy"], None)
            count = found(lambda: lambda_.get_provisioned_concurrency_config(**qualifier), {})
            if count:
                provisioned[alias["Name"]] = count["RequestedProvisionedConcurrentExecutions"]
        described.append({
            "name": name,
            "configuration": whole["Configuration"],
            "tags": whole.get("Tags", {}),
            "reserved_concurrency": whole.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            "provisioned_concurrency": provisioned,
            "aliases": aliases,
            "versions": versions,
            "policies": {alias: json.loads(policy) for alias, policy in policies.items() if policy},
        })
    return sorted(described, key=lambda function: function["name"])


def roles(iam):
    described = []
    for role in pages(iam, "list_roles", "Roles"):
        if role["Path"].startswith(BUILT_IN_ROLES):
            continue
        name = role["RoleName"]
        whole = iam.get_role(RoleName=name)["Role"]
        inline = pages(iam, "list_role_policies", "PolicyNames", RoleName=name)
        attached = pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
        described.append({
            "name": name,
            "path": role["Path"],
            "arn": role["Arn"],
            "trust": whole["AssumeRolePolicyDocument"],
            "boundary": whole.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "tags": {tag["Key"]: tag["Value"] for tag in whole.get("Tags", [])},
            "policies": {policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in inline},
            "attached": sorted(policy["PolicyArn"] for policy in attached),
        })
    return sorted(described, key=lambda role: role["name"])


def log_groups(logs):
    groups = []
    for group in pages(logs, "describe_log_groups", "logGroups"):
        arn = group["arn"].removesuffix(":*")
        groups.append({**group, "tags": logs.list_tags_for_resource(resourceArn=arn)["tags"]})
    return sorted(groups, key=lambda group: group["logGroupName"])


def buckets(s3):
    described = []
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        objects = pages(s3, "list_objects_v2", "Contents", Bucket=name)
        tags = found(lambda: s3.get_bucket_tagging(Bucket=name)["TagSet"], [])
        described.append({
            "name": name,
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
            "objects": [{"key": item["Key"], "etag": item["ETag"], "size_bytes": item["Size"]} for item in objects],
        })
    return described


def clients_of(url):
    return {name: client(name, url) for name in ("apigateway", "lambda", "iam", "logs", "s3")}


def state(of):
    apigateway = of["apigateway"]
    keys = pages(apigateway, "get_api_keys", "items", includeValues=False)
    return kept({
        "account": {"cloudwatch_role": apigateway.get_account().get("cloudwatchRoleArn")},
        "rest_apis": rest_apis(apigateway),
        "usage_plans": usage_plans(apigateway),
        "api_keys": [{name: key.get(name) for name in ("id", "name", "enabled", "tags")} for key in keys],
        "functions": functions(of["lambda"]),
        "roles": roles(of["iam"]),
        "log_groups": log_groups(of["logs"]),
        "buckets": buckets(of["s3"]),
    })


if __name__ == "__main__":
    of = clients_of(sys.argv[1])
    if sys.argv[2:] == ["--each-line"]:
        for _ in sys.stdin:
            print(json.dumps(state(of), default=str, sort_keys=True), flush=True)
    else:
        json.dump(state(of), sys.stdout, indent=1, default=str, sort_keys=True)
