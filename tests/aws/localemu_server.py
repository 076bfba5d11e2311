#!/usr/bin/env python3
"""LocalEmu, held closer to AWS where a release depends on it; run by its own interpreter.

    tests/aws/localemu_server.py

Configured by LocalEmu's environment variables; prints `Ready.` once it answers. What LocalEmu drops
or forgives and this adds:
- an imported document's gateway responses;
- `overwrite` replaces validators, authorizers, models and gateway responses, and leaves those of
  earlier deployments as they were;
- one set of tags for a REST API, whether CreateRestApi or TagResource gave them;
- UpdateUsagePlan: stages that have throttles, per-method throttles.
"""

import lifeline
import moto_apigateway
from localemu.runtime.main import main
from localemu.services.apigateway.helpers import get_apigateway_store, get_moto_rest_api
from localemu.services.apigateway.legacy import provider as legacy
from localemu.services.apigateway.next_gen.execute_api.gateway_response import build_gateway_response
from moto.apigateway import models as moto_models

GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"
DEFAULT_MODELS = ("Empty", "Error")


def import_document(rest_api, context, open_api_spec, mode, shipped=legacy.import_api_from_openapi_spec):
    container = get_apigateway_store(context).rest_apis.get(rest_api.id)
    if container and mode == "overwrite":
        # New tables: a deployment shares those that were there when it was made.
        container.validators, container.authorizers, container.resolved_models = {}, {}, {}
        container.models = {name: found for name, found in container.models.items() if name in DEFAULT_MODELS}
        container.gateway_responses = {}
    result = shipped(rest_api, context=context, open_api_spec=open_api_spec, mode=mode)
    container = get_apigateway_store(context).rest_apis[rest_api.id]
    container.gateway_responses = dict(container.gateway_responses)
    for kind, wanted in open_api_spec.get(GATEWAY_RESPONSES, {}).items():
        status = wanted.get("statusCode")
        container.gateway_responses[kind] = build_gateway_response(
            response_type=kind, status_code=status and str(status), default_response=False,
            response_parameters=wanted.get("responseParameters"), response_templates=wanted.get("responseTemplates"),
        )
    return result


def rest_api_of(context, arn):
    prefix, _, name = arn.rpartition("/")
    return get_moto_rest_api(context, name) if prefix.endswith("::/restapis") else None


def get_tags(self, context, resource_arn, shipped=legacy.ApigatewayProvider.get_tags, **rest):
    found = rest_api_of(context, resource_arn)
    return shipped(self, context, resource_arn, **rest) if found is None else {"tags": dict(found.tags or {})}


def tag_resource(self, context, resource_arn, tags, shipped=legacy.ApigatewayProvider.tag_resource, **rest):
    found = rest_api_of(context, resource_arn)
    if found is None:
        return shipped(self, context, resource_arn, tags, **rest)
    found.tags = {**(found.tags or {}), **tags}


def untag_resource(self, context, resource_arn, tag_keys, shipped=legacy.ApigatewayProvider.untag_resource, **rest):
    found = rest_api_of(context, resource_arn)
    if found is None:
        return shipped(self, context, resource_arn, tag_keys, **rest)
    found.tags = {key: value for key, value in (found.tags or {}).items() if key not in tag_keys}


def patch():
    legacy.import_api_from_openapi_spec = import_document
    legacy.ApigatewayProvider.get_tags = get_tags
    legacy.ApigatewayProvider.tag_resource = tag_resource
    legacy.ApigatewayProvider.untag_resource = untag_resource
    moto_models.UsagePlan.apply_patch_operations = moto_apigateway.patch_usage_plan


if __name__ == "__main__":
    lifeline.hold()
    patch()
    main()
