"""The executor's sandbox without LocalEmu: each way a `bootstrap` may behave."""

import json
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "localemu_executor"))

from bootstrap_executor.sandbox import Sandbox  # noqa: E402

BOOTSTRAP = (HERE / "bootstrap.py").read_text()


class SandboxCase(unittest.TestCase):
    def sandbox(self, bootstrap=None, **environment):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        if bootstrap is None:
            bootstrap = f"#!{sys.executable}\n{BOOTSTRAP}"
        path = Path(folder.name, "bootstrap")
        path.write_text(bootstrap)
        path.chmod(0o755)
        sandbox = Sandbox(folder.name, environment)
        self.addCleanup(sandbox.stop)
        return sandbox

    def invoke(self, sandbox, timeout_s=20, **event):
        body, is_error = sandbox.invoke("id-1", json.dumps(event).encode(), "arn:f", "Root=1-x", timeout_s)
        return json.loads(body), is_error

    def test_an_event_comes_back_with_what_lambda_tells_a_runtime(self):
        sandbox = self.sandbox(AWS_LAMBDA_FUNCTION_VERSION="7")
        self.assertTrue(sandbox.start())
        before_ms = int(time.time() * 1000)
        reply, is_error = self.invoke(sandbox, x=1)
        self.assertFalse(is_error, reply)
        self.assertEqual(reply["event"], {"x": 1})
        self.assertEqual(reply["variables"]["AWS_LAMBDA_FUNCTION_VERSION"], "7")
        self.assertEqual((reply["arn"], reply["trace"], reply["request_id"]), ("arn:f", "Root=1-x", "id-1"))
        self.assertGreaterEqual(reply["deadline_ms"], before_ms + 20_000)
        self.assertIn("started", sandbox.take_log())

    def test_one_process_serves_event_after_event_and_two_sandboxes_are_apart(self):
        one, two = self.sandbox(NAME="one"), self.sandbox(NAME="two")
        self.assertTrue(one.start() and two.start())
        pids = {self.invoke(one)[0]["pid"] for _ in range(3)}
        self.assertEqual(len(pids), 1)
        other, _ = self.invoke(two)
        self.assertNotIn(other["pid"], pids)
        self.assertEqual(other["variables"]["NAME"], "two")

    def test_nothing_of_the_callers_environment_reaches_it(self):
        sandbox = self.sandbox()
        sandbox.start()
        reply, _ = self.invoke(sandbox)
        self.assertNotIn("HOME", reply["variables"])

    def test_an_error_is_a_function_error_and_the_process_lives_on(self):
        sandbox = self.sandbox()
        sandbox.start()
        reply, is_error = self.invoke(sandbox, do="error")
        self.assertTrue(is_error)
        self.assertEqual(reply["errorType"], "Told")
        self.assertFalse(self.invoke(sandbox)[1])

    def test_a_crash_is_reported_and_the_next_event_gets_a_new_process(self):
        sandbox = self.sandbox()
        sandbox.start()
        first, _ = self.invoke(sandbox)
        reply, is_error = self.invoke(sandbox, do="exit", status=3)
        self.assertTrue(is_error)
        self.assertEqual(reply["errorType"], "Runtime.ExitError")
        self.assertTrue(reply["errorMessage"].endswith("Runtime exited with error: exit status 3"), reply)
        again, is_error = self.invoke(sandbox)
        self.assertFalse(is_error)
        self.assertNotEqual(first["pid"], again["pid"])

    def test_a_late_reply_is_a_timeout_and_the_next_event_gets_a_new_process(self):
        sandbox = self.sandbox()
        sandbox.start()
        reply, is_error = self.invoke(sandbox, timeout_s=0.3, do="hang")
        self.assertTrue(is_error)
        self.assertEqual(reply["errorType"], "Sandbox.Timedout")
        self.assertIn("Task timed out after 0.30 seconds", reply["errorMessage"])
        self.assertFalse(self.invoke(sandbox)[1])

    def test_a_large_reply_is_a_function_error(self):
        sandbox = self.sandbox()
        sandbox.start()
        reply, is_error = self.invoke(sandbox, do="large", bytes=6 * 1024 * 1024 + 1)
        self.assertTrue(is_error)
        self.assertEqual(reply["errorType"], "Function.ResponseSizeTooLarge")
        reply, is_error = self.invoke(sandbox, do="large", bytes=5 * 1024 * 1024)
        self.assertFalse(is_error)

    def test_each_failed_init_is_told_at_the_event(self):
        cases = [
            (self.sandbox(INIT="exit"), "Runtime.ExitError"),
            (self.sandbox(INIT="report"), "Told.Init"),
            (self.sandbox(bootstrap="#!/no/such/program\n"), "Runtime.InvalidEntrypoint"),
        ]
        for sandbox, kind in cases:
            self.assertFalse(sandbox.start())
            reply, is_error = self.invoke(sandbox)
            self.assertTrue(is_error)
            self.assertEqual(reply["errorType"], kind)

    def test_an_init_without_a_poll_times_out(self):
        sandbox = self.sandbox(INIT="hang")
        self.assertFalse(sandbox.start(timeout_s=0.3))
        reply, is_error = self.invoke(sandbox, timeout_s=0.3)
        self.assertEqual((reply["errorType"], is_error), ("Sandbox.Timedout", True))

    def test_a_reply_to_another_event_is_refused(self):
        sandbox = self.sandbox()
        sandbox.start()
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{sandbox.api.address}/2018-06-01/runtime/invocation/other/response", b"1")
        self.assertEqual(refused.exception.code, 400)
        refused.exception.close()

    def test_stopping_ends_the_process_and_its_children_and_a_running_event(self):
        sandbox = self.sandbox()
        sandbox.start()
        child, _ = self.invoke(sandbox, do="child")
        results = []
        running = threading.Thread(target=lambda: results.append(self.invoke(sandbox, timeout_s=30, do="hang")))
        running.start()
        with sandbox.api.changed:
            self.assertTrue(sandbox.api.changed.wait_for(lambda: sandbox.api._current is not None and sandbox.api._taken, 20))
        sandbox.stop()
        running.join(20)
        self.assertTrue(results[0][1])
        for pid in (child["pid"], child["child"]):
            self.assertFalse(alive(pid), pid)


def alive(pid):
    """Whether it runs: one that was killed and not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


if __name__ == "__main__":
    unittest.main()
