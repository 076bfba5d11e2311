"""The plugin: LocalEmu's executor interface over a `Sandbox`.

Chosen with `LAMBDA_RUNTIME_EXECUTOR=bootstrap`. Nothing is isolated: for code of one's own, in tests.
"""

import time

from localemu import config
from localemu.services.lambda_.invocation.lambda_models import InvocationResult
from localemu.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localemu.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from .sandbox import Sandbox

TIMEOUT_S_DEFAULT = 3


class BootstrapExecutorPlugin(RuntimeExecutorPlugin):
    name = "bootstrap"

    def load(self, *_, **__):
        return BootstrapExecutor


class BootstrapExecutor(RuntimeExecutor):
    """One execution environment of one function version: any number run side by side."""

    def __init__(self, id, function_version):
        super().__init__(id, function_version)
        self._sandbox = None

    def start(self, env_vars):
        code = self.function_version.config.code
        # Versions with the same code share its folder, which the end of another may have removed.
        code.prepare_for_execution()
        self._sandbox = Sandbox(code.get_unzipped_code_location(), env_vars)
        # A failed init is not the emulator's failure: the first event reports it, as in Lambda.
        self._sandbox.start()

    def stop(self):
        if self._sandbox:
            self._sandbox.stop()

    def invoke(self, payload, function_timeout=None):
        settings = self.function_version.config
        timeout_s = float(function_timeout or settings.timeout or TIMEOUT_S_DEFAULT)
        request_id = payload["invoke-id"]
        event = payload["payload"]
        settings.code.prepare_for_execution()
        started = time.monotonic()
        body, is_error = self._sandbox.invoke(
            request_id, event.encode() if isinstance(event, str) else event,
            payload.get("invoked-function-arn") or "", payload.get("trace-id") or "", timeout_s,
        )
        duration_ms = (time.monotonic() - started) * 1000
        version = self.function_version.id.qualifier
        logs = (
            f"START RequestId: {request_id} Version: {version}\n{self._sandbox.take_log()}"
            f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {settings.memory_size} MB\tMax Memory Used: 1 MB\t\n"
        )
        return InvocationResult(request_id, body, is_error=is_error, logs=logs, executed_version=version)

    def get_logs(self):
        return self._sandbox.log_bytes.decode("utf-8", "replace") if self._sandbox else ""

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        # Unused: the Runtime API is the sandbox's own.
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localemu_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version):
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        """Versions share the unpacked code; it goes with the emulator's folder."""
