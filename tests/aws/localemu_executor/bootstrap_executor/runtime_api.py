"""The Lambda Runtime API of one sandbox, over HTTP on a loopback port.

One invocation at a time, as in Lambda. Whoever waits is woken by what happens (a poll, a reply, the
end of the process), never by a clock tick.
"""

import json
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/2018-06-01/runtime/"
# Lambda's limit on a reply; it answers the runtime with 413 and reports a function error.
REPLY_BYTES_MAX = 6 * 1024 * 1024
ERROR_BYTES_MAX = 256 * 1024


@dataclass
class Invocation:
    """What the runtime is told, and what it answered."""

    request_id: str
    payload: bytes
    function_arn: str
    trace: str
    deadline_ms: int
    reply: bytes | None = None
    is_error: bool = False


class RuntimeApi:
    """State shared by the HTTP side and the executor; every change notifies `changed`."""

    def __init__(self):
        self.changed = threading.Condition()
        self.polled = False
        self.exited = False
        self.init_error = None
        self._generation = 0
        self._current = None
        self._taken = False
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def address(self):
        host, port = self._server.server_address[:2]
        return f"{host}:{port}"

    def process_started(self):
        """A new process: polls and errors of the one before no longer count. Returns its number."""
        with self.changed:
            self._generation += 1
            self.polled = self.exited = self._taken = False
            self.init_error = None
            self.changed.notify_all()
            return self._generation

    def process_ended(self, generation):
        with self.changed:
            if generation == self._generation:
                self.exited = True
                self.changed.notify_all()

    def initialised(self, timeout_s):
        """Waits until the runtime asks for work, reports an error or ends; true if it asked."""
        with self.changed:
            self.changed.wait_for(lambda: self.polled or self.exited or self.init_error is not None, timeout_s)
            return self.polled and self.init_error is None and not self.exited

    def run(self, invocation, timeout_s):
        """Hands it out; waits for the reply, the end of the process, or the deadline."""
        with self.changed:
            self._current, self._taken = invocation, False
            self.changed.notify_all()
            self.changed.wait_for(lambda: invocation.reply is not None or self.exited, timeout_s)
            self._current = None

    def close(self):
        with self.changed:
            self._generation += 1
            self.exited = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # What the HTTP side calls.

    def next(self):
        """Blocks until there is work; nothing when this process's time is over."""
        with self.changed:
            generation = self._generation
            self.polled = True
            self.changed.notify_all()
            ready = lambda: generation != self._generation or (self._current is not None and not self._taken)
            self.changed.wait_for(ready)
            if generation != self._generation:
                return None
            self._taken = True
            return self._current

    def reply(self, request_id, body, is_error):
        """Takes the reply; false if no such invocation runs."""
        with self.changed:
            current = self._current
            if current is None or not self._taken or current.request_id != request_id or current.reply is not None:
                return False
            current.reply, current.is_error = body, is_error
            self.changed.notify_all()
            return True

    def failed_init(self, body):
        with self.changed:
            self.init_error = body
            self.changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A runtime that keeps its polling connection open must not hold up the end.
    block_on_close = False


def error_body(kind, message):
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _handler(api):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The head and the body of a reply leave in one write.
        wbufsize = -1

        def setup(self):
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path != PREFIX + "invocation/next":
                return self._answer(404, error_body("InvalidPath", self.path))
            invocation = api.next()
            if invocation is None:
                self.close_connection = True
                return None
            return self._answer(200, invocation.payload, {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": invocation.trace,
            })

        def do_POST(self):
            parts = self.path.removeprefix(PREFIX).split("/")
            body = self._body(REPLY_BYTES_MAX if parts[-1] == "response" else ERROR_BYTES_MAX)
            match parts:
                case ["init", "error"]:
                    api.failed_init(body or b"{}")
                    return self._answer(202, b'{"status":"OK"}')
                case ["invocation", request_id, ("response" | "error") as kind]:
                    too_large = body is None
                    if too_large:
                        message = f"Response payload size exceeded maximum allowed payload size ({REPLY_BYTES_MAX} bytes)."
                        body = error_body("Function.ResponseSizeTooLarge", message)
                    if not api.reply(request_id, body, kind == "error" or too_large):
                        return self._answer(400, error_body("InvalidRequestID", "Invalid request ID"))
                    if too_large:
                        return self._answer(413, error_body("RequestEntityTooLarge", "Exceeded maximum allowed payload size"))
                    return self._answer(202, b'{"status":"OK"}')
            return self._answer(404, error_body("InvalidPath", self.path))

        def _body(self, bytes_max):
            """The whole body, or nothing when it is larger than allowed (it is read all the same)."""
            body = bytearray()
            for piece in self._pieces():
                if len(body) <= bytes_max:
                    body += piece
            return bytes(body) if len(body) <= bytes_max else None

        def _pieces(self):
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                while size := int(self.rfile.readline(1024).split(b";")[0], 16):
                    yield from self._read(size)
                    self.rfile.readline(1024)
                while self.rfile.readline(8192).strip():  # trailers
                    pass
            else:
                yield from self._read(int(self.headers.get("Content-Length", 0)))

        def _read(self, size):
            while size > 0:
                piece = self.rfile.read(min(size, 65536))
                if not piece:
                    raise ConnectionError("the body ended early")
                size -= len(piece)
                yield piece

        def _answer(self, status, body, headers=None):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler
