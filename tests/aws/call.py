#!/usr/bin/env python3
"""Plain HTTP calls from where it runs, which may be a network namespace of a stand-in.

    tests/aws/call.py < CALLS

CALLS is a JSON list of `{"method", "url", "headers", "body"}`; prints the list of replies in order,
`{"status", "headers", "body"}`, or `{"error"}` where there was no reply. Calls share a connection
for as long as the other side keeps it.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 60


def call(connections, wanted):
    url = urlsplit(wanted["url"])
    path = url.path + (f"?{url.query}" if url.query else "")
    place = (url.hostname, url.port)
    try:
        connection = connections.setdefault(place, http.client.HTTPConnection(*place, timeout=TIMEOUT_S))
        connection.request(wanted["method"], path or "/", (wanted.get("body") or "").encode(), wanted.get("headers") or {})
        reply = connection.getresponse()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        return {"status": reply.status, "headers": headers, "body": reply.read().decode("utf-8", "replace")}
    except (OSError, http.client.HTTPException) as error:
        connections.pop(place).close()
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    connections = {}
    json.dump([call(connections, wanted) for wanted in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
