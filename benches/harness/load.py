"""The load generators, each read into the same few numbers."""

import json
import re
from dataclasses import dataclass

from .process import run_measured


@dataclass
class Load:
    """What one run of a generator did."""

    requests: int
    ok: int
    seconds: float
    p50_us: float
    cpu_s: float
    lateness_p99_us: float | None = None
    throttled: int = 0

    @property
    def rate(self):
        return self.requests / self.seconds

    @property
    def per_cpu_s(self):
        return self.requests / self.cpu_s

    @property
    def cpu_us(self):
        """CPU of the generator a request, microseconds."""
        return self.cpu_s / self.requests * 1e6

    def checked(self):
        """Itself, if every reply was a 2xx: the speed of errors is nobody's interest."""
        if self.requests == 0 or self.ok < self.requests * 0.999:
            raise RuntimeError(f"{self.requests - self.ok} of {self.requests} replies were no 2xx")
        return self


def gwtf(tools, url, seconds, connections, rate="max", payload=None, headers=(), cores=None):
    command = [tools.gwtf, "loadtest", "--url", url, "--rps", rate, "--duration", f"{seconds}s",
               "--connections", connections, "--json"]
    command += ["--payload", payload] if payload else []
    for header in headers:
        command += ["--header", header]
    output, cpu_s = run_measured(command, cores)
    report = json.loads(output)
    times, lateness = report["response_time_us"] or {}, report["lateness_us"] or {}
    return Load(
        requests=report["completed"],
        ok=report["outcomes"]["ok"]["count"],
        seconds=report["elapsed_s"],
        p50_us=times.get("p50", 0.0),
        cpu_s=cpu_s,
        lateness_p99_us=lateness.get("p99"),
        throttled=report["groups"]["throttled"]["count"],
    )


def oha(tools, url, seconds, connections, rate=None, cores=None):
    command = [tools.oha, "--no-tui", "--output-format", "json", "-z", f"{seconds}s", "-c", connections]
    # Corrected: from the instant that a request was due, as gwtf counts.
    command += ["-q", rate, "--latency-correction"] if rate else []
    # One thread for one core, or its threads would only get into each other's way.
    command += ["--worker-threads", 1] if cores and cores.isdigit() else []
    output, cpu_s = run_measured([*command, url], cores)
    report = json.loads(output)
    statuses = {int(code): count for code, count in report["statusCodeDistribution"].items()}
    return Load(
        requests=sum(statuses.values()),
        ok=sum(count for code, count in statuses.items() if 200 <= code < 300),
        seconds=report["summary"]["total"],
        p50_us=report["latencyPercentiles"]["p50"] * 1e6,
        cpu_s=cpu_s,
    )


def wrk(tools, url, seconds, connections, cores=None):
    command = [tools.wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    output, cpu_s = run_measured(command, cores)
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", output).groups()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", output).groups()
    return Load(
        requests=int(requests),
        ok=int(requests) - (int(refused.group(1)) if refused else 0),
        seconds=float(took),
        p50_us=float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit],
        cpu_s=cpu_s,
    )
