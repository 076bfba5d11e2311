"""The endpoint that `gwtf deploy` makes, as a person would write it for CloudFormation.

One stack holds the role, the two log groups, the function, a published version and an alias for each
version with a permission for each method, the REST API from one OpenAPI document, a deployment for
each version, the stage with its method settings and access log, and the account's role for logs.
Versions and deployments are new resources for each tag, as otherwise CloudFormation makes none.
"""

REGION = "eu-west-1"
ACCOUNT = "123456789012"
NAME = "gwtf-iris"
VERBS = ("GET", "POST")
PUSH_LOGS = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
ACCESS_LOG = '{"request_id": "$context.requestId", "status": "$context.status", "path": "$context.path"}'


def template(document, tags, zip_name):
    """The stack with these versions, the last one live. `document` is the API's OpenAPI document,
    `zip_name` the live version's artefact, which `sam deploy` uploads."""
    resources = {**ground(document), "Function": function(zip_name, tags[-1])}
    for tag in tags:
        resources |= version(tag)
    resources["Stage"] = stage(tags[-1])
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def resource(kind, properties, **rest):
    return {"Type": f"AWS::{kind}", "Properties": properties, **rest}


def trust(service):
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}


def ground(document):
    """What stays over all versions."""
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{NAME}:*"
    writing = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": logs}]}
    return {
        "Role": resource("IAM::Role", {
            "RoleName": f"{NAME}-execution", "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
            "Policies": [{"PolicyName": "logs", "PolicyDocument": writing}],
        }),
        "FunctionLog": resource("Logs::LogGroup", {"LogGroupName": f"/aws/lambda/{NAME}", "RetentionInDays": 30}),
        "AccessLog": resource("Logs::LogGroup", {"LogGroupName": f"/aws/apigateway/{NAME}", "RetentionInDays": 30}),
        "AccountRole": resource("IAM::Role", {
            "AssumeRolePolicyDocument": trust("apigateway.amazonaws.com"), "ManagedPolicyArns": [PUSH_LOGS],
        }),
        "Account": resource("ApiGateway::Account", {"CloudWatchRoleArn": {"Fn::GetAtt": ["AccountRole", "Arn"]}}),
        "Api": resource("ApiGateway::RestApi", {
            "Name": NAME, "EndpointConfiguration": {"Types": ["REGIONAL"]}, "Body": document,
        }),
        **route_for_moto(),
    }


def route_for_moto():
    """moto's CloudFormation drops an API's body, and refuses a deployment of an API without a method.
    On AWS this one would stand in the way: the body has it."""
    uri = (f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
           f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}/invocations")
    return {
        "Path": resource("ApiGateway::Resource", {
            "RestApiId": {"Ref": "Api"}, "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "predict",
        }),
        "Method": resource("ApiGateway::Method", {
            "RestApiId": {"Ref": "Api"}, "ResourceId": {"Ref": "Path"}, "HttpMethod": "POST",
            "AuthorizationType": "AWS_IAM",
            "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri},
        }),
    }


def function(zip_name, tag):
    return resource("Lambda::Function", {
        "FunctionName": NAME, "Description": tag, "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Architectures": ["x86_64"], "MemorySize": 1769, "Timeout": 30, "Code": zip_name,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Environment": {"Variables": {"ORT_DISABLE_TELEMETRY": "1"}},
    }, DependsOn="FunctionLog")


def version(tag):
    """What each version has for itself; all of it stays when the next one comes."""
    found = {
        f"Version{tag}": resource("Lambda::Version", {
            "FunctionName": {"Ref": "Function"}, "Description": tag,
        }, DeletionPolicy="Retain"),
        f"Alias{tag}": resource("Lambda::Alias", {
            "Name": tag, "FunctionName": {"Ref": "Function"},
            "FunctionVersion": {"Fn::GetAtt": [f"Version{tag}", "Version"]},
        }),
        f"Deployment{tag}": resource("ApiGateway::Deployment", {
            "RestApiId": {"Ref": "Api"}, "Description": tag,
        }, DependsOn=["Method"]),
    }
    for verb in VERBS:
        # On the function, not on the alias, which moto's CloudFormation has not.
        found[f"Permission{tag}{verb}"] = resource("Lambda::Permission", {
            "FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Sub": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:${{Api}}/prod/{verb}/*"},
        })
    return found


def stage(tag):
    settings = {"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": True,
                "ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100}
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/apigateway/{NAME}"
    return resource("ApiGateway::Stage", {
        "StageName": "prod", "RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": f"Deployment{tag}"},
        "MethodSettings": [settings], "AccessLogSetting": {"DestinationArn": log, "Format": ACCESS_LOG},
    }, DependsOn=["Account", "AccessLog"])
