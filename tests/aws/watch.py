#!/usr/bin/env python3
"""A client that calls an endpoint again and again until its standard input ends.

    tests/aws/watch.py URL BODY

Prints a JSON line for each call as it ends: `{"status", "version"}`, with `"body"` where the status
is not 200, or `{"error"}` where there was no reply.
"""

import http.client
import json
import sys
import threading
from urllib.parse import urlsplit

TIMEOUT_S = 60
HEADERS = {"content-type": "application/json"}


def call(connection, path, body):
    try:
        connection.request("POST", path, body, HEADERS)
        reply = connection.getresponse()
        text = reply.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return {"error": f"{type(error).__name__}: {error}"}
    seen = {"status": reply.status, "version": reply.getheader("x-gwtf-model-version")}
    return seen if reply.status == 200 else {**seen, "body": text}


def main():
    url, body = urlsplit(sys.argv[1]), sys.argv[2].encode()
    told_to_end = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), told_to_end.set()), daemon=True).start()
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=TIMEOUT_S)
    while not told_to_end.is_set():
        print(json.dumps(call(connection, url.path, body)), flush=True)


if __name__ == "__main__":
    main()
