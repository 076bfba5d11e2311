#!/usr/bin/env python3
"""Holds recorded AWS requests against the service models that botocore ships.

    tests/aws/validate_requests.py [--json] < REQUESTS

REQUESTS is what `recorder.py` writes: one JSON document a line. Prints each fault on a line of its own
(request, operation, where, what), then each operation with its count; exit code 1 if there is a fault.
With `--json` it prints one document, `{"faults", "operations", "mutating"}`, and exits with 0.

What is checked: there is such an operation (by path template, `Action`, or target); every member that
was sent exists, required ones are there, types, enums, patterns, lengths and ranges hold.
"""

import argparse
import functools
import json
import re
import sys
from collections import Counter
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from botocore.loaders import Loader
from botocore.model import ServiceModel
from shapes import Faults, check, check_bounds, check_text, check_timestamp, from_text, members_of

# Signing names that are not the model's name.
SERVICES = {"monitoring": "cloudwatch"}
READING = ("Get", "List", "Describe", "Head")
READING_TOO = {"sts GetCallerIdentity", "iam SimulatePrincipalPolicy", "iam SimulateCustomPolicy", "ecr BatchGetImage",
               "ecr BatchCheckLayerAvailability", "apigateway TestInvokeMethod", "lambda Invoke"}
# Sent by every client, or a header's own business.
HEADERS_FREE = re.compile(
    r"(accept|accept-encoding|amz-sdk-.*|connection|content-(length|md5|type|encoding)|date|expect|host|traceparent|trailer"
    r"|transfer-encoding|user-agent|x-amz-(api-version|content-sha256|date|decoded-content-length|sdk-checksum-algorithm"
    r"|target|te|trailer|user-agent)|x-amz-checksum-.*|x-amzn-trace-id)$"
)


class Request:
    """A recorded request with its query and JSON taken apart."""

    def __init__(self, recorded):
        self.recorded = recorded
        self.service = recorded["service"]
        self.method, self.path = recorded["method"], recorded["path"]
        self.query = parse_qsl(recorded["query"], keep_blank_values=True)
        self.headers = {name.lower(): value for name, value in recorded["headers"].items()}
        self.body = recorded.get("body")


@functools.cache
def model(service):
    name = SERVICES.get(service, service)
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


# --- Which operation it is


@functools.cache
def templates(service):
    """Operations with their path template as a pattern, the most literal first."""
    found = []
    for name in model(service).operation_names:
        http = model(service).operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        fixed = dict(parse_qsl(query, keep_blank_values=True))
        names = re.findall(r"{(\w+)\+?}", path)
        pattern = re.escape(re.sub(r"{(\w+)(\+?)}", lambda match: f"\0{match[2]}", path))
        pattern = pattern.replace(re.escape("\0") + re.escape("+"), "(.+)").replace(re.escape("\0"), "([^/]+)")
        found.append((http["method"], re.compile(pattern.rstrip("/") + "/?$"), names, fixed, name))
    # A template with fewer holes, then one with more fixed query, says more.
    return sorted(found, key=lambda item: (len(item[2]), -len(item[3])))


def by_path(request):
    """The operation, its path's members, its fixed query; of several, the one that says most."""
    fitting = []
    for method, pattern, names, fixed, name in templates(request.service):
        match = pattern.match(request.path)
        sent = dict(request.query)
        if method != request.method or not match or any(sent.get(key) != value for key, value in fixed.items()):
            continue
        members = {hole: unquote(value) for hole, value in zip(names, match.groups())}
        fitting.append((name, members, fixed))
    if not fitting:
        return None
    if request.service == "s3":
        return s3_operation(request, fitting)
    return fitting[0]


def s3_operation(request, fitting):
    """S3 tells operations on one path apart by a query, or by a header for copies."""
    with_object = [item for item in fitting if "Key" in item[1]] or fitting
    if "x-amz-copy-source" not in request.headers:
        with_object = [item for item in with_object if not item[0].endswith("Copy") and item[0] != "CopyObject"]
    sent = dict(request.query)
    required = lambda name: {
        shape.serialization["name"]
        for member, shape in members_of(model("s3").operation_model(name).input_shape).items()
        if shape.serialization.get("location") == "querystring"
        and member in model("s3").operation_model(name).input_shape.required_members
    }
    usable = [item for item in with_object if required(item[0]) <= set(sent)]
    older = {"ListObjects": "ListObjectsV2"}
    usable.sort(key=lambda item: (-len(item[2]), -len(required(item[0])), item[0] in older))
    return usable[0] if usable else None


def by_target(request):
    prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
    service = model(request.service)
    if prefix != service.metadata["targetPrefix"] or name not in service.operation_names:
        return None
    return name


# --- Each protocol


def check_rest(request, operation, path_members, fixed, faults):
    shape = operation.input_shape
    members = members_of(shape)
    sent = set()
    where_of = lambda member: (members[member].serialization.get("location"), members[member].serialization.get("name", member))
    places = {where_of(member): member for member in members}
    for hole, value in path_members.items():
        member = places.get(("uri", hole))
        if member:
            sent.add(member)
            check_text(members[member], value, f".{member}", faults)
    sent |= check_query(request, members, fixed, faults)
    sent |= check_headers(request, members, faults)
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload:
        if request.body or request.recorded.get("body_bytes"):
            sent.add(payload)
            if members[payload].type_name == "structure":
                check_document(request, members[payload], f".{payload}", faults)
    else:
        sent |= check_body(request, operation, members, faults)
    for name in shape.required_members if shape is not None else []:
        if name not in sent:
            faults.add(f".{name}", "is required and missing")


def check_query(request, members, fixed, faults):
    """Each parameter is a member, an entry of the one map member, or fixed in the template."""
    named = {m.serialization.get("name", n): n for n, m in members.items() if m.serialization.get("location") == "querystring"}
    maps = [n for n, m in members.items() if m.serialization.get("location") == "querystring" and m.type_name == "map"]
    sent = set()
    for key, value in request.query:
        if key in fixed or key == "x-id":
            continue
        member = named.get(key)
        if member and members[member].type_name != "map":
            shape = members[member].member if members[member].type_name == "list" else members[member]
            check_text(shape, value, f"query `{key}`", faults)
            sent.add(member)
        elif maps:
            sent.add(maps[0])
        else:
            faults.add(f"query `{key}`", "there is no such parameter")
    return sent


def check_headers(request, members, faults):
    named, prefixes, sent = {}, {}, set()
    for name, member in members.items():
        if member.serialization.get("location") == "header":
            named[member.serialization["name"].lower()] = name
        elif member.serialization.get("location") == "headers":
            prefixes[member.serialization.get("name", "").lower()] = name
    for header, value in request.headers.items():
        if header in named:
            sent.add(named[header])
            check_text(members[named[header]], value, f"header `{header}`", faults)
        elif prefix := next((prefix for prefix in prefixes if header.startswith(prefix)), None):
            sent.add(prefixes[prefix])
        elif not HEADERS_FREE.match(header):
            faults.add(f"header `{header}`", "there is no such header")
    return sent


def check_body(request, operation, members, faults):
    """Members without a place of their own are the body's, as one JSON document."""
    inside = {n: m for n, m in members.items() if not m.serialization.get("location")}
    if not request.body:
        return set()
    document = json_of(request, faults)
    if not isinstance(document, dict):
        return set()
    names = {member.serialization.get("name", name): name for name, member in inside.items()}
    sent = set()
    for key, value in document.items():
        if key not in names:
            faults.add(f".{key}", "there is no such member")
        elif value is not None:
            sent.add(names[key])
            check(inside[names[key]], value, f".{key}", faults)
    return sent


def check_document(request, shape, where, faults):
    """A structure that is the whole body: JSON or XML."""
    if request.body.lstrip().startswith("<"):
        try:
            root = ElementTree.fromstring(request.body)
        except ElementTree.ParseError as error:
            return faults.add(where, f"is no XML: {error}")
        return check_xml(shape, root, where, faults)
    document = json_of(request, faults)
    return check(shape, document, where, faults) if document is not None else None


def check_xml(shape, element, where, faults):
    if shape.type_name != "structure":
        return check_text(shape, element.text or "", where, faults)
    named = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
    seen = set()
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag not in named:
            faults.add(f"{where}.{tag}", "there is no such member")
            continue
        name, member = named[tag]
        seen.add(name)
        if member.type_name == "list":
            flat = member.serialization.get("flattened")
            for item in [child] if flat else child:
                check_xml(member.member, item, f"{where}.{tag}[]", faults)
        else:
            check_xml(member, child, f"{where}.{tag}", faults)
    for name in shape.required_members:
        if name not in seen and shape.members[name].serialization.get("xmlAttribute") is None:
            faults.add(f"{where}.{name}", "is required and missing")
    return None


def json_of(request, faults):
    try:
        return json.loads(request.body)
    except (TypeError, ValueError) as error:
        faults.add("", f"the body is no JSON: {error}")
        return None


def check_form(request, operation, faults):
    """The query protocol: `A.member.1.B=…`, gathered into the document that it stands for."""
    pairs = parse_qsl(request.body or "", keep_blank_values=True)
    form = {key: value for key, value in pairs if key not in ("Action", "Version")}
    version = dict(pairs).get("Version")
    wanted = operation.service_model.api_version
    if version != wanted:
        faults.add(".Version", f"is {version}, not {wanted}")
    shape = operation.input_shape
    if shape is None:
        for key in form:
            faults.add(f".{key}", "there is no such member")
        return
    document = gather(shape, form, "", faults)
    for key in form:
        faults.add(f".{key}", "there is no such member")
    check_structure_named(shape, document, "", faults)


def gather(shape, form, prefix, faults):
    """Takes what belongs to `shape` out of the form."""
    join = lambda key: f"{prefix}.{key}" if prefix else key
    if shape.type_name == "structure":
        document = {}
        for name, member in shape.members.items():
            wire = member.serialization.get("name", name)
            value = gather(member, form, join(wire), faults)
            if value is not None:
                document[name] = value
        return document or None
    if shape.type_name == "list":
        flat = shape.serialization.get("flattened")
        base = prefix if flat else join(shape.member.serialization.get("name", "member"))
        items = []
        while any(key == f"{base}.{len(items) + 1}" or key.startswith(f"{base}.{len(items) + 1}.") for key in form):
            items.append(gather(shape.member, form, f"{base}.{len(items) + 1}", faults))
        if not items and form.pop(prefix, None) is not None:
            return []
        return items or None
    if prefix not in form:
        return None
    return from_text(shape, form.pop(prefix), f".{prefix}", faults)


def check_structure_named(shape, document, where, faults):
    """Like `check_structure`, by members' own names, which `gather` has given back."""
    document = document or {}
    for name in shape.required_members:
        if document.get(name) is None:
            faults.add(f"{where}.{name}", "is required and missing")
    for name, value in document.items():
        member = shape.members[name]
        if member.type_name == "structure":
            check_structure_named(member, value, f"{where}.{name}", faults)
        elif member.type_name == "list" and member.member.type_name == "structure":
            check_bounds(member, len(value), "items", f"{where}.{name}", faults)
            for index, item in enumerate(value):
                check_structure_named(member.member, item, f"{where}.{name}[{index}]", faults)
        elif member.type_name == "timestamp":
            check_timestamp(member, value, f"{where}.{name}", faults)
        elif member.type_name != "blob":
            check(member, value, f"{where}.{name}", faults)


# --- One request


def judge(recorded):
    """The operation's name (none: no such operation) and the faults."""
    request, faults = Request(recorded), Faults()
    if not request.service:
        faults.add("", "is not signed: no credential scope")
        return None, faults
    try:
        service = model(request.service)
    except Exception as error:
        faults.add("", f"no model of the service `{request.service}`: {error}")
        return None, faults
    protocol = service.metadata["protocol"]
    if protocol in ("rest-json", "rest-xml"):
        found = by_path(request)
        if found is None:
            faults.add("", f"no operation of {request.service} is {request.method} {request.path}")
            return None, faults
        name, path_members, fixed = found
        check_rest(request, service.operation_model(name), path_members, fixed, faults)
        return name, faults
    name = by_target(request) if protocol == "json" else dict(parse_qsl(request.body or "")).get("Action")
    if name not in service.operation_names:
        faults.add("", f"no operation of {request.service} is `{name or request.headers.get('x-amz-target')}`")
        return None, faults
    operation = service.operation_model(name)
    if protocol == "json":
        document = json_of(request, faults)
        if document is not None and operation.input_shape is not None:
            check(operation.input_shape, document, "", faults)
    else:
        check_form(request, operation, faults)
    return name, faults


def is_mutating(operation):
    name = operation.split(" ", 1)[1]
    return not name.startswith(READING) and operation not in READING_TOO


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines, operations = [], []
    for line in filter(str.strip, sys.stdin):
        recorded = json.loads(line)
        name, faults = judge(recorded)
        operation = f"{recorded['service']} {name}" if name else f"{recorded['service']} (unknown)"
        operations.append(operation)
        number = recorded.get("number", len(operations))
        lines += [f"request {number}: {operation}: {fault}" for fault in faults]
    if arguments.json:
        mutating = [operation for operation in operations if is_mutating(operation)]
        json.dump({"faults": lines, "operations": operations, "mutating": mutating}, sys.stdout)
        return 0
    for line in lines:
        print(line)
    for operation, count in sorted(Counter(operations).items()):
        print(f"{count:5} {'changes' if is_mutating(operation) else 'reads  '} {operation}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
