"""The validator itself: what botocore sends passes, and each damage to it is named."""

import copy
import json
import subprocess
import sys
import unittest
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ConnectionError as NoConnection

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from validate_requests import is_mutating, judge  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/service/r"
FUNCTION_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:f"
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": []})


def recorded(service, operation, **arguments):
    """The request that botocore makes, as the recorder writes it. Botocore's own checks are off."""
    client = boto3.client(
        service, region_name="eu-central-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    seen = []

    def keep(request, **_):
        url = urlsplit(request.url)
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        body = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        text = lambda value: value.decode() if isinstance(value, bytes) else value
        headers = {name.lower(): text(value) for name, value in request.headers.items()}
        scope = headers.pop("authorization").split("Credential=")[1].split("/")
        seen.append({"service": scope[3], "method": request.method, "path": url.path, "query": url.query,
                     "headers": headers, "body": body, "status": 200})
        raise NoConnection(error="kept")

    client.meta.events.register("before-send", keep)
    try:
        getattr(client, operation)(**arguments)
    except NoConnection:
        pass
    (request,) = seen
    return request


GOOD = {
    "apigateway CreateRestApi": ("apigateway", "create_rest_api", dict(
        name="n", tags={"a": "b"}, endpointConfiguration={"types": ["REGIONAL"]}, apiKeySource="HEADER")),
    "apigateway ImportRestApi": ("apigateway", "import_rest_api", dict(
        failOnWarnings=True, parameters={"endpointConfigurationTypes": "REGIONAL"}, body=b"{}")),
    "apigateway PutRestApi": ("apigateway", "put_rest_api", dict(restApiId="abc", mode="overwrite", body=b"{}")),
    "apigateway UpdateStage": ("apigateway", "update_stage", dict(restApiId="abc", stageName="live", patchOperations=[
        {"op": "copy", "path": "/deploymentId", "from": "/canarySettings/deploymentId"}])),
    "apigateway CreateUsagePlan": ("apigateway", "create_usage_plan", dict(
        name="p", apiStages=[{"apiId": "abc", "stage": "live", "throttle": {"/v1/predict/POST": {"rateLimit": 5.5, "burstLimit": 2}}}],
        quota={"limit": 10, "period": "DAY"})),
    "apigateway TagResource": ("apigateway", "tag_resource", dict(
        resourceArn="arn:aws:apigateway:eu-central-1::/restapis/abc", tags={"a": "b"})),
    "apigateway GetRestApis": ("apigateway", "get_rest_apis", dict(limit=500)),
    "apigateway UpdateAccount": ("apigateway", "update_account", dict(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE}])),
    "lambda CreateFunction": ("lambda", "create_function", dict(
        FunctionName="f", Role=ROLE, Runtime="provided.al2023", Handler="bootstrap", Code={"ZipFile": b"zip"}, Publish=True,
        MemorySize=512, Timeout=30, Architectures=["arm64"], Environment={"Variables": {"AB": "c"}})),
    "lambda AddPermission": ("lambda", "add_permission", dict(
        FunctionName="f", Qualifier="v1", StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")),
    "lambda RemovePermission": ("lambda", "remove_permission", dict(FunctionName=FUNCTION_ARN, StatementId="s", Qualifier="v1")),
    "lambda ListTags": ("lambda", "list_tags", dict(Resource=FUNCTION_ARN)),
    "lambda GetAccountSettings": ("lambda", "get_account_settings", {}),
    "iam CreateRole": ("iam", "create_role", dict(
        RoleName="r", AssumeRolePolicyDocument=ALLOW, MaxSessionDuration=3600, Tags=[{"Key": "a", "Value": "b"}])),
    "iam PutRolePolicy": ("iam", "put_role_policy", dict(RoleName="r", PolicyName="p", PolicyDocument=ALLOW)),
    "sts GetCallerIdentity": ("sts", "get_caller_identity", {}),
    "logs CreateLogGroup": ("logs", "create_log_group", dict(logGroupName="/aws/lambda/f", tags={"a": "b"})),
    "logs PutRetentionPolicy": ("logs", "put_retention_policy", dict(logGroupName="/aws/lambda/f", retentionInDays=30)),
    "s3 PutObject": ("s3", "put_object", dict(Bucket="bucket", Key="a/b c", Body=b"x", IfNoneMatch="*", Metadata={"a": "b"})),
    "s3 DeleteObject": ("s3", "delete_object", dict(Bucket="bucket", Key="a/b", IfMatch='"e"')),
    "s3 ListObjectsV2": ("s3", "list_objects_v2", dict(Bucket="bucket", Prefix="a/")),
    "s3 GetObject": ("s3", "get_object", dict(Bucket="bucket", Key="a/b")),
    "s3 HeadBucket": ("s3", "head_bucket", dict(Bucket="bucket")),
    "s3 CreateBucket": ("s3", "create_bucket", dict(
        Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})),
    "s3 PutBucketTagging": ("s3", "put_bucket_tagging", dict(
        Bucket="bucket", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})),
    "s3 PutPublicAccessBlock": ("s3", "put_public_access_block", dict(
        Bucket="bucket", PublicAccessBlockConfiguration={"BlockPublicAcls": True})),
}


def good(operation):
    service, method, arguments = GOOD[operation]
    return recorded(service, method, **arguments)


class Validator(unittest.TestCase):
    def test_what_botocore_sends_passes_and_is_named(self):
        for operation in GOOD:
            with self.subTest(operation):
                name, faults = judge(good(operation))
                self.assertEqual((f"{operation.split()[0]} {name}", list(faults)), (operation, []))

    def bad_document(self, operation, change, expected):
        request = good(operation)
        document = json.loads(request["body"])
        change(document)
        self.bad({**request, "body": json.dumps(document)}, expected)

    def bad(self, request, expected):
        _, faults = judge(request)
        self.assertEqual(len(faults), 1, list(faults))
        self.assertIn(expected, faults[0])

    def bad_form(self, operation, change, expected):
        request = good(operation)
        form = dict(pair.split("=", 1) for pair in request["body"].split("&")) if isinstance(request["body"], str) else dict(request["body"])
        change(form)
        self.bad({**request, "body": urlencode(form) if not isinstance(request["body"], str) else "&".join(f"{k}={v}" for k, v in form.items())}, expected)

    def test_each_damage_to_a_json_document_is_named(self):
        put = lambda key, value: lambda document: document.__setitem__(key, value)
        remove = lambda key: lambda document: document.pop(key)
        cases = [
            ("apigateway CreateRestApi", put("nam", "x"), ".nam: there is no such member"),
            ("apigateway CreateRestApi", remove("name"), ".name: is required and missing"),
            ("apigateway CreateRestApi", put("name", 1), ".name: is a number, not a string"),
            ("apigateway CreateRestApi", put("apiKeySource", "HEAD"), ".apiKeySource: `HEAD` is none of HEADER, AUTHORIZER"),
            ("apigateway CreateRestApi", put("tags", ["a"]), ".tags: is a list, not a map"),
            ("apigateway CreateRestApi", put("endpointConfiguration", {"types": ["LOCAL"]}), "types[0]: `LOCAL` is none of"),
            ("apigateway CreateRestApi", put("endpointConfiguration", {"type": []}), "endpointConfiguration.type: there is no such"),
            ("apigateway CreateUsagePlan", lambda d: d["apiStages"][0]["throttle"]["/v1/predict/POST"].update(burst=1), "throttle[/v1/predict/POST].burst: there is no"),
            ("apigateway CreateUsagePlan", lambda d: d["quota"].update(period="YEAR"), ".quota.period: `YEAR` is none of"),
            ("apigateway CreateUsagePlan", lambda d: d["quota"].update(limit="ten"), ".quota.limit: is a string, not a number"),
            ("apigateway CreateUsagePlan", lambda d: d["quota"].update(limit=1.5), ".quota.limit: 1.5 is no whole number"),
            ("apigateway UpdateStage", lambda d: d["patchOperations"][0].update(op="append"), "patchOperations[0].op: `append` is none of"),
            ("apigateway UpdateStage", lambda d: d["patchOperations"][0].update(value=10), "patchOperations[0].value: is a number, not a string"),
            ("lambda CreateFunction", put("MemorySize", 100), ".MemorySize: 100 is below 128"),
            ("lambda CreateFunction", put("Timeout", 0), ".Timeout: 0 is below 1"),
            ("lambda CreateFunction", put("Publish", "true"), ".Publish: is a string, not a boolean"),
            ("lambda CreateFunction", put("Role", "arn:nowhere"), ".Role: `arn:nowhere` does not fit"),
            ("lambda CreateFunction", put("Runtime", "provided.al2024"), ".Runtime: `provided.al2024` is none of"),
            ("lambda CreateFunction", lambda d: d["Code"].update(ZipFile="no base64"), ".Code.ZipFile: is not base64"),
            ("lambda CreateFunction", lambda d: d["Environment"]["Variables"].update({"1A": "x"}), "key `1A`: `1A` does not fit"),
            ("logs PutRetentionPolicy", remove("retentionInDays"), ".retentionInDays: is required"),
            ("logs CreateLogGroup", put("logGroupName", "a b"), ".logGroupName: `a b` does not fit"),
            ("logs CreateLogGroup", put("logGroupName", "x" * 513), ".logGroupName: 513 characters is above 512"),
        ]
        for operation, change, expected in cases:
            with self.subTest(expected):
                self.bad_document(operation, change, expected)

    def test_each_damage_to_a_form_is_named(self):
        cases = [
            ("iam CreateRole", lambda form: form.update(RoleNam="x"), ".RoleNam: there is no such member"),
            ("iam CreateRole", lambda form: form.pop("RoleName"), ".RoleName: is required and missing"),
            ("iam CreateRole", lambda form: form.update(MaxSessionDuration="60"), ".MaxSessionDuration: 60 is below 3600"),
            ("iam CreateRole", lambda form: form.update(MaxSessionDuration="long"), ".MaxSessionDuration: `long` is no whole number"),
            ("iam CreateRole", lambda form: form.pop("Tags.member.1.Value"), ".Tags[0].Value: is required and missing"),
            ("iam CreateRole", lambda form: form.update({"Tags.member.3.Key": "c"}), ".Tags.member.3.Key: there is no such member"),
            ("iam PutRolePolicy", lambda form: form.update(PolicyName="a b"), ".PolicyName: `a b` does not fit"),
            ("iam PutRolePolicy", lambda form: form.update(Version="2011-01-01"), ".Version: is 2011-01-01, not 2010-05-08"),
            ("iam PutRolePolicy", lambda form: form.update(Action="PutRolePolicies"), "no operation of iam is `PutRolePolicies`"),
            ("sts GetCallerIdentity", lambda form: form.update(Who="me"), ".Who: there is no such member"),
        ]
        for operation, change, expected in cases:
            with self.subTest(expected):
                self.bad_form(operation, change, expected)

    def test_each_damage_to_path_query_and_headers_is_named(self):
        cases = [
            ("apigateway UpdateStage", {"path": "/restapis/abc/stage/live"}, "no operation of apigateway is PATCH"),
            ("apigateway UpdateStage", {"method": "POST"}, "no operation of apigateway is POST"),
            ("apigateway GetRestApis", {"query": "limit=many"}, "query `limit`: `many` is no whole number"),
            ("apigateway GetRestApis", {"query": "page=2"}, "query `page`: there is no such parameter"),
            ("apigateway PutRestApi", {"query": "mode=replace"}, "query `mode`: `replace` is none of merge, overwrite"),
            ("apigateway PutRestApi", {"body": ""}, ".body: is required and missing"),
            ("lambda AddPermission", {"query": "Qualifier=v%2F1"}, "query `Qualifier`: `v/1` does not fit"),
            ("lambda AddPermission", {"path": "/2015-03-31/functions/f%20g/policy"}, ".FunctionName: `f g` does not fit"),
            ("s3 PutObject", {"query": "versions=1"}, "query `versions`: there is no such parameter"),
            ("s3 DeleteObject", {"headers": {"if-none-match": "*"}}, "header `if-none-match`: there is no such header"),
            ("logs CreateLogGroup", {"headers": {"x-amz-target": "Logs_20140328.MakeLogGroup"}}, "no operation of logs is"),
            ("logs CreateLogGroup", {"service": None}, "is not signed"),
            ("logs CreateLogGroup", {"service": "lgos"}, "no model of the service `lgos`"),
            ("logs CreateLogGroup", {"body": "{"}, "the body is no JSON"),
        ]
        for operation, change, expected in cases:
            with self.subTest(expected):
                self.bad({**good(operation), **copy.deepcopy(change)}, expected)

    def test_each_damage_to_xml_is_named(self):
        cases = [
            ("s3 CreateBucket", "eu-central-1", "eu-center-1", "LocationConstraint: `eu-center-1` is none of"),
            ("s3 PutBucketTagging", "<Value>b</Value>", "", ".TagSet[].Value: is required and missing"),
            ("s3 PutBucketTagging", "Value>", "Val>", "there is no such member"),
            ("s3 PutPublicAccessBlock", ">true<", ">yes<", "BlockPublicAcls: `yes` is no boolean"),
            ("s3 PutPublicAccessBlock", "</BlockPublicAcls>", "", "is no XML"),
        ]
        for operation, old, new, expected in cases:
            with self.subTest(expected):
                request = good(operation)
                self.assertIn(old, request["body"])
                _, faults = judge({**request, "body": request["body"].replace(old, new)})
                self.assertTrue(any(expected in fault for fault in faults), list(faults))

    def test_reading_is_told_from_changing(self):
        reading = {operation for operation in GOOD if not is_mutating(operation)}
        self.assertEqual(reading, {"apigateway GetRestApis", "lambda ListTags", "lambda GetAccountSettings", "sts GetCallerIdentity",
                                   "s3 ListObjectsV2", "s3 GetObject", "s3 HeadBucket"})

    def test_as_a_program_it_counts_and_fails_on_a_fault(self):
        requests = [good("s3 GetObject"), good("s3 GetObject"), good("iam CreateRole")]
        run = lambda lines: subprocess.run(
            [sys.executable, str(HERE / "validate_requests.py")], input="\n".join(map(json.dumps, lines)), capture_output=True, text=True)
        passed = run(requests)
        self.assertEqual((passed.returncode, passed.stdout), (0, "    1 changes iam CreateRole\n    2 reads   s3 GetObject\n"))
        failed = run(requests + [{**good("logs CreateLogGroup"), "body": "{}"}])
        self.assertEqual(failed.returncode, 1)
        self.assertIn("request 4: logs CreateLogGroup: .logGroupName: is required and missing\n", failed.stdout)


if __name__ == "__main__":
    unittest.main()
