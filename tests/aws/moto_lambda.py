"""Lambda in moto, held closer to AWS: policies by alias, versions, revisions."""

import json
from urllib.parse import unquote

from moto.awslambda import models as functions
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse


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


def patch():
    functions.LambdaBackend.add_permission = add_permission
    functions.LambdaBackend.get_policy = get_policy
    functions.LambdaBackend.create_alias = create_alias
    functions.LambdaBackend.delete_alias = delete_alias
    functions.LambdaBackend.delete_function = delete_function
    functions.LambdaBackend.update_function_code = update_function_code
    LambdaResponse.remove_permission = remove_permission_response
    for name, wrapper in (("publish_version", publish_version_response), ("update_alias", update_alias_response)):
        shipped = getattr(LambdaResponse, name)
        setattr(LambdaResponse, name, lambda self, wrapper=wrapper, shipped=shipped: wrapper(self, shipped))
