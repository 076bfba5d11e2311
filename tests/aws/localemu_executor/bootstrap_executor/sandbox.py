"""One sandbox: a `bootstrap` process with its Runtime API, started again after a crash."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from .runtime_api import Invocation, RuntimeApi, error_body

# How long the runtime may take to its first poll, as in Lambda.
INIT_TIMEOUT_S = 10
LOG_BYTES_MAX = 256 * 1024
# What a reader of the process's output waits for, once the process is gone.
DRAIN_TIMEOUT_S = 2


class Sandbox:
    def __init__(self, code, environment):
        self._code = Path(code)
        self._environment = environment
        self._process = None
        self._reader = None
        self._stopped = False
        self._init_timed_out = False
        self._lock = threading.Lock()
        self._log = bytearray()
        self.api = RuntimeApi()

    def start(self, timeout_s=INIT_TIMEOUT_S):
        """Starts the process; true once it asks for work. One that failed has ended by then."""
        bootstrap = self._code / "bootstrap"
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            **{name: str(value) for name, value in self._environment.items() if value is not None},
            "LAMBDA_TASK_ROOT": str(self._code),
            "LAMBDA_RUNTIME_DIR": str(self._code),
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
        }
        generation = self.api.process_started()
        with self._lock:
            if self._stopped:
                return False
            try:
                self._process = subprocess.Popen(
                    [str(bootstrap)], cwd=self._code, env=environment, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                )
            except OSError as error:
                # No file, not executable, not a program for this machine.
                self._process = None
                self.api.failed_init(error_body("Runtime.InvalidEntrypoint", str(error)))
                return False
        self._reader = threading.Thread(target=self._drain, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        threading.Thread(target=self._watch, args=(self._process, generation), daemon=True).start()
        ready = self.api.initialised(timeout_s)
        self._init_timed_out = not ready and not self.api.exited and self.api.init_error is None
        if not ready:
            self._kill()
        return ready

    def invoke(self, request_id, payload, function_arn, trace, timeout_s):
        """Runs one event: the reply, and whether it is a function error."""
        started = time.monotonic()
        deadline_ms = int((time.time() + timeout_s) * 1000)
        if self._process is None or self.api.exited:
            # An init that failed, or a crash before, is repeated at the next event's expense.
            if not self.start(min(timeout_s, INIT_TIMEOUT_S)):
                if self.api.init_error is not None:
                    return self.api.init_error, True
                if self._init_timed_out or self._exit_code is None:
                    return self._timed_out(request_id, timeout_s), True
                return self._ended(request_id), True
        invocation = Invocation(request_id, payload, function_arn, trace, deadline_ms)
        self.api.run(invocation, max(0, timeout_s - (time.monotonic() - started)))
        if invocation.reply is not None:
            return invocation.reply, invocation.is_error
        if self.api.exited:
            return self._ended(request_id), True
        self._kill()
        return self._timed_out(request_id, timeout_s), True

    def stop(self):
        with self._lock:
            self._stopped = True
        self._kill()
        self.api.close()

    @property
    def log_bytes(self):
        return bytes(self._log)

    @property
    def _exit_code(self):
        return self._process.returncode if self._process else None

    def take_log(self):
        """What was printed since the last time."""
        log, self._log = self._log, bytearray()
        return log.decode("utf-8", "replace")

    def _timed_out(self, request_id, timeout_s):
        return error_body("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds")

    def _ended(self, request_id):
        self._reader.join(DRAIN_TIMEOUT_S)
        code = self._exit_code
        if code == 0:
            reason = "Runtime exited without providing a reason"
        elif code < 0:
            reason = f"Runtime exited with error: signal: {signal.strsignal(-code).lower()}"
        else:
            reason = f"Runtime exited with error: exit status {code}"
        return error_body("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}")

    def _watch(self, process, generation):
        process.wait()
        self.api.process_ended(generation)

    def _drain(self, output):
        with output:
            for line in output:
                self._log += line
                del self._log[: max(0, len(self._log) - LOG_BYTES_MAX)]

    def _kill(self):
        """Ends the process and all that it started."""
        process = self._process
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        with self.api.changed:
            self.api.exited = True
            self.api.changed.notify_all()
