"""Recomputes the signatures of recorded requests with botocore, AWS's SDK for Python.

stdin: {"secret", "requests": [{"method", "target", "headers": [[name, value]], "body": base64}]}.
stdout: for each request `null` when it carries the signature that botocore makes for it, else why
not. As a server does, it takes the request as it came: the path still percent-encoded, the query
decoded into names and values, and those headers that the request says are signed.
"""

import base64
import json
import re
import sys
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


def fault(recorded, secret):
    headers = {}
    for name, value in recorded["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    if len(headers.get("authorization", [])) != 1:
        return f"{len(headers.get('authorization', []))} authorization headers"
    match = AUTHORIZATION.fullmatch(headers["authorization"][0])
    if not match:
        return "no SigV4 authorization"
    key, day, region, service, names, signature = match.groups()
    names = names.split(";")
    must = {"host", "x-amz-date", *(name for name in headers if name.startswith("x-amz-"))}
    if not must <= set(names) <= set(headers) or names != sorted(names):
        return f"signed headers {names}"
    date = headers["x-amz-date"][0]
    if not date.startswith(day):
        return f"{date} is not on {day}"
    path, _, query = recorded["target"].partition("?")
    request = AWSRequest(
        method=recorded["method"],
        url=f"https://{headers['host'][0]}{path}",
        params=parse_qsl(query, keep_blank_values=True),
        data=base64.b64decode(recorded["body"]),
    )
    for name in names:
        for value in headers[name]:
            request.headers.add_header(name, value)
    request.context["timestamp"] = date
    # The token is among the headers that came.
    signer = SigV4Auth(Credentials(key, secret), service, region)
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    if expected != signature:
        return f"another signature for:\n{canonical}"
    return None


given = json.load(sys.stdin)
print(json.dumps([fault(request, given["secret"]) for request in given["requests"]]))
