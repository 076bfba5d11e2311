#!/usr/bin/env python3
"""A proxy that writes down each AWS request on its way to a stand-in.

    tests/aws/recorder.py UPSTREAM FILE

Prints `{"url": …}` once it listens. FILE gets one JSON line a request, once it was answered: service
and region (from the credential scope), method, path, query, headers without credentials, body,
status (null when the upstream gave no answer). A body that is no text stands as its length and digest.
Nothing is repeated, changed or reordered.
"""

import hashlib
import http.client
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import lifeline

BODY_BYTES_MAX = 256 * 1024 * 1024
UPSTREAM_TIMEOUT_S = 120
# Left out of what is written: secrets, and what the proxy's two connections have for themselves.
SECRET = {"authorization", "x-amz-security-token"}
HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "expect", "upgrade"}
SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([^/]+)/([^/]+)/aws4_request")


class Log:
    def __init__(self, path):
        self._file = open(path, "a", encoding="utf-8")
        self._lock = threading.Lock()
        self._number = 0

    def write(self, entry):
        with self._lock:
            self._number += 1
            self._file.write(json.dumps({"number": self._number, **entry}) + "\n")
            self._file.flush()


def written(body):
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body": None, "body_bytes": len(body), "body_sha256": hashlib.sha256(body).hexdigest()}


def handler(upstream, log):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True
        # One connection to the upstream for each of the client's.
        _upstream = None

        def log_message(self, *_):
            pass

        def body(self):
            if "chunked" in self.headers.get("transfer-encoding", "").lower():
                pieces = []
                while size := int(self.rfile.readline(1024).split(b";")[0], 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline(1024)
                    if sum(map(len, pieces)) > BODY_BYTES_MAX:
                        raise ValueError("the body is too large to record")
                while self.rfile.readline(8192).strip():  # trailers
                    pass
                return b"".join(pieces)
            length = int(self.headers.get("content-length") or 0)
            if length > BODY_BYTES_MAX:
                raise ValueError("the body is too large to record")
            return self.rfile.read(length)

        def relay(self):
            body = self.body()
            if "content-length" in self.headers and len(body) < int(self.headers["content-length"]):
                self.close_connection = True  # cut off on the way: no request
                return
            scope = SCOPE.search(self.headers.get("authorization", ""))
            path, _, query = self.path.partition("?")
            entry = {
                "service": scope and scope[2],
                "region": scope and scope[1],
                "method": self.command,
                "path": path,
                "query": query,
                "headers": {name.lower(): value for name, value in self.headers.items() if name.lower() not in SECRET},
                **written(body),
            }
            try:
                status, headers, reply = self.ask(body)
            except (OSError, http.client.HTTPException):
                log.write({**entry, "status": None})
                self.close_connection = True
                return
            log.write({**entry, "status": status})
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in HOP and name.lower() != "content-length":
                    self.send_header(name, value)
            if status != 204 and status >= 200:
                length = dict((name.lower(), value) for name, value in headers).get("content-length")
                self.send_header("content-length", length if self.command == "HEAD" and length else str(len(reply)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply)

        def ask(self, body):
            if self._upstream is None:
                self._upstream = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=UPSTREAM_TIMEOUT_S)
            # A connection that the upstream closed meanwhile is opened anew before anything is sent.
            if self._upstream.sock is not None and closed(self._upstream.sock):
                self._upstream.close()
            try:
                self._upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in HOP and name.lower() != "content-length":
                        self._upstream.putheader(name, value)
                if body or self.command in ("POST", "PUT", "PATCH"):
                    self._upstream.putheader("content-length", str(len(body)))
                self._upstream.endheaders(body or None)
                reply = self._upstream.getresponse()
                return reply.status, reply.getheaders(), reply.read()
            except (OSError, http.client.HTTPException):
                self._upstream.close()
                raise

        def finish(self):
            if self._upstream is not None:
                self._upstream.close()
            super().finish()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = relay

    return Handler


def closed(sock):
    """Whether the other side has closed an idle connection."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(UPSTREAM_TIMEOUT_S)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    lifeline.hold()
    upstream, log = urlsplit(sys.argv[1]), Log(sys.argv[2])
    server = Server(("127.0.0.1", 0), handler(upstream, log))
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
