"""Processes: started pinned to cores, measured by the kernel's own account, always ended."""

import os
import socket
import subprocess
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_TIMEOUT_S = 60


def pinned(command, cores):
    """The command held to these cores; `None` leaves it free."""
    command = [str(part) for part in command]
    return command if cores is None else ["taskset", "-c", cores, *command]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run_measured(command, cores=None, env=None):
    """Runs a command to its end; its standard output, and the CPU seconds of it and its children."""
    process = subprocess.Popen(
        pinned(command, cores), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})},
    )
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    # 1 is a verdict (an objective that did not hold), not a failure to measure.
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors.strip()}")
    return output, usage.ru_utime + usage.ru_stime


class Server:
    """A server process for the length of a `with` block."""

    def __init__(self, command, port=None, cores=None, env=None, cwd=None, log=None):
        self.command, self.port, self.cores = command, port, cores
        self.env, self.cwd, self.log = {**os.environ, **(env or {})}, cwd, log

    def __enter__(self):
        self._log = open(self.log or os.devnull, "wb")
        self.process = subprocess.Popen(
            pinned(self.command, self.cores), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, env=self.env, cwd=self.cwd,
        )
        try:
            if self.port is not None:
                self._wait_for_port()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_for_port(self):
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.command[0]} did not start; see {self.log}")

    def read_line(self):
        line = self.process.stdout.readline().decode()
        if not line:
            raise RuntimeError(f"{self.command[0]} ended early; see {self.log}")
        return line

    def cpu_s(self):
        """User and system time so far, all threads."""
        after_name = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        fields = after_name.split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def resident_mb(self):
        """Resident memory now, and how much of it is the process's own (not mapped from files)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        numbers = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if " kB" in line}
        return int(numbers["VmRSS"]) * 1024 / 1e6, int(numbers["RssAnon"]) * 1024 / 1e6

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self._log.close()
