#!/usr/bin/env python3
"""What IAM decides on when recorded requests come in: action, ARN, and condition keys.

    tests/aws/iam_requests.py ACCOUNT TAGS < REQUESTS

REQUESTS is what `recorder.py` writes. TAGS is a JSON object from paths of API Gateway (`/restapis/ID`) to
the tags of what is there. Prints a JSON list of `{"number", "operation", "action", "resource", "context"}`.
Written from the Service Authorization Reference alone, so that it can tell what gwtf's own list gets wrong.
"""

import json
import sys
from urllib.parse import parse_qs, quote, unquote

import validate_requests as models

ROLE_TAGS = "Tags.member."


def tagged(tags):
    if not tags:
        return {}
    return {"aws:TagKeys": sorted(tags), **{f"aws:RequestTag/{key}": [value] for key, value in tags.items()}}


class Account:
    def __init__(self, account, tags):
        self.account, self.tags = account, tags
        # Path and boundary of each role, by its name.
        self.roles = {}

    def decided(self, request, name):
        service = request.service
        for action, resource, context in getattr(self, service)(request, name, request.recorded["region"]):
            yield {
                "number": request.recorded["number"],
                "operation": f"{service} {name}",
                "action": action,
                "resource": resource,
                "context": context,
            }

    # No permission is needed.
    def sts(self, request, name, region):
        return []

    def apigateway(self, request, name, region):
        path = unquote(request.path)
        arn = lambda path: f"arn:aws:apigateway:{region}::{path}"
        body = json.loads(request.body) if request.body else {}
        tags = body.get("tags") or {}
        context = tagged(tags)
        for owner, of in self.tags.items():
            if path == owner or path.startswith(owner + "/"):
                context.update({f"aws:ResourceTag/{key}": [value] for key, value in of.items()})
        if name == "CreateRestApi":
            context["apigateway:Request/ApiName"] = [body["name"]]
        yield f"apigateway:{request.method}", arn(path), context
        if tags:
            made = f"{path}/{body['stageName']}" if name == "CreateStage" else f"{path}/*"
            yield "apigateway:PUT", arn("/tags/" + quote(arn(made), safe="*")), tagged(tags)
        for one in body.get("patchOperations", []) if name == "UpdateAccount" else []:
            if one["path"] == "/cloudwatchRoleArn":
                yield "iam:PassRole", one["value"], {"iam:PassedToService": ["apigateway.amazonaws.com"]}

    def lambda_(self, request, name, region):
        path, query = unquote(request.path).strip("/").split("/"), dict(request.query)
        body = json.loads(request.body) if request.body else {}
        if name == "GetAccountSettings":
            yield "lambda:GetAccountSettings", "*", {}
            return
        function = body["FunctionName"] if name == "CreateFunction" else path[2]
        arn = f"arn:aws:lambda:{region}:{self.account}:function:{function}"
        qualifier = query.get("Qualifier")
        resource = f"{arn}:{qualifier}" if qualifier else arn
        context = tagged(body.get("Tags"))
        if name == "AddPermission":
            context["lambda:Principal"] = [body["Principal"]]
        if name == "RemovePermission":
            context["lambda:Principal"] = ["apigateway.amazonaws.com"]
        yield f"lambda:{name}", resource, context
        if name == "GetFunction":
            # Tags are the function's, whichever version is asked for.
            yield "lambda:ListTags", ":".join(arn.split(":")[:7]), {}
        if body.get("Tags"):
            yield "lambda:TagResource", arn, context
        if body.get("Role"):
            yield "iam:PassRole", body["Role"], {"iam:PassedToService": ["lambda.amazonaws.com"]}
        code = body.get("Code", body)
        if code.get("S3Bucket"):
            yield "s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}", {}

    def iam(self, request, name, region):
        form = {key: values[0] for key, values in parse_qs(request.body).items()}
        role = self.roles.setdefault(form["RoleName"], {"path": "/", "boundary": None})
        if name == "CreateRole":
            role.update(path=form.get("Path", "/"), boundary=form.get("PermissionsBoundary"))
        if name == "PutRolePermissionsBoundary":
            role["boundary"] = form["PermissionsBoundary"]
        arn = f"arn:aws:iam::{self.account}:role{role['path']}{form['RoleName']}"
        keys = sorted(key for key in form if key.startswith(ROLE_TAGS) and key.endswith(".Key"))
        tags = {form[key]: form[key[:-3] + "Value"] for key in keys}
        context = tagged(tags)
        if role["boundary"]:
            context["iam:PermissionsBoundary"] = [role["boundary"]]
        if "PolicyArn" in form:
            context["iam:PolicyARN"] = [form["PolicyArn"]]
        yield f"iam:{name}", arn, context
        if tags:
            yield "iam:TagRole", arn, tagged(tags)

    def logs(self, request, name, region):
        body = json.loads(request.body)
        if name == "DescribeLogGroups":
            yield "logs:DescribeLogGroups", "*", {}
            return
        group = lambda: f"arn:aws:logs:{region}:{self.account}:log-group:{body['logGroupName']}"
        arn = body["resourceArn"] if "resourceArn" in body else group()
        yield f"logs:{name}", arn, tagged(body.get("tags"))
        if body.get("tags"):
            yield "logs:TagResource", arn, tagged(body["tags"])

    def s3(self, request, name, region):
        bucket, _, key = unquote(request.path).lstrip("/").partition("/")
        arn, query = f"arn:aws:s3:::{bucket}", dict(request.query)
        if name in ("ListObjectsV2", "HeadBucket"):
            context = {"s3:prefix": [query["prefix"]]} if "prefix" in query else {}
            yield "s3:ListBucket", arn, context
            return
        yield f"s3:{name}", f"{arn}/{key}" if key else arn, {}
        # What is not there answers 404 to those alone who may list.
        if name == "GetObject" and request.recorded["status"] == 404:
            yield "s3:ListBucket", arn, {}


setattr(Account, "lambda", Account.lambda_)


def main():
    account = Account(sys.argv[1], json.loads(sys.argv[2]))
    decided = []
    for line in filter(str.strip, sys.stdin):
        recorded = json.loads(line)
        name, _ = models.judge(recorded)
        decided += account.decided(models.Request(recorded), name)
    json.dump(decided, sys.stdout)


if __name__ == "__main__":
    main()
