"""The load generator against wrk and oha, on a file that one nginx worker serves."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from . import load, rows
from .process import Server, free_port

CONNECTIONS = 64
OPEN_RATE_RPS = 10_000
OPEN_ROUNDS_MIN = 3
SERVER_CORE, GENERATOR_CORE = "0", "1"
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; open_file_cache max=16; keepalive_requests 1000000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {folder}/root; }}
}}
"""


@contextmanager
def nginx(tools):
    """The URL of a small file."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        # The worker may be another user than whoever starts it.
        folder.chmod(0o755)
        (folder / "root").mkdir()
        (folder / "root" / "small.json").write_text('{"predictions": [[0.1, 0.2, 0.7]]}')
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        command = [tools.nginx, "-p", folder, "-c", folder / "nginx.conf"]
        with Server(command, port, SERVER_CORE, log=folder / "nginx.log"):
            yield f"http://127.0.0.1:{port}/small.json"


def run(tools, effort):
    if not tools.nginx or not tools.oha:
        return []
    with nginx(tools) as url:
        return [*closed(tools, effort, url), *opened(tools, effort, url)]


def closed(tools, effort, url):
    runs = {"gwtf": load.gwtf, "oha": load.oha}
    if tools.wrk:
        runs["wrk"] = load.wrk
    best = {}
    for _ in range(effort.rounds):
        for name, run_one in runs.items():
            done = run_one(tools, url, effort.seconds, CONNECTIONS, cores=GENERATOR_CORE).checked()
            best[name] = max(best.get(name, 0), done.per_cpu_s)
    figure = best["gwtf"]
    oha = rows.Row(
        "generator", f"closed loop, {CONNECTIONS} connections, requests per CPU second, against oha",
        rows.rate(figure), rows.rate(best["oha"]), rows.times(figure, best["oha"]),
        ">= 1", figure >= best["oha"],
    )
    if "wrk" not in best:
        return [oha]
    return [oha, rows.Row(
        "generator", "the same against wrk", rows.rate(figure), rows.rate(best["wrk"]),
        rows.times(figure, best["wrk"]), "on the way", None,
    )]


def opened(tools, effort, url):
    """Both in turns, and the medians of their rounds: a best round could be each one's luck."""
    own, peer = [], []
    for _ in range(max(effort.rounds, OPEN_ROUNDS_MIN)):
        # Ten seconds in every round, as the bar says.
        shared = dict(seconds=10, rate=OPEN_RATE_RPS, cores=GENERATOR_CORE, connections=CONNECTIONS)
        own.append(load.gwtf(tools, url, **shared).checked())
        peer.append(load.oha(tools, url, **shared).checked())
    lateness = median(run.lateness_p99_us for run in own)
    p50, peer_p50 = (median(run.p50_us for run in runs) for runs in (own, peer))
    cpu, peer_cpu = (median(run.cpu_us for run in runs) for runs in (own, peer))
    at = f"open loop, {OPEN_RATE_RPS:,}/s for 10 s"
    return [
        rows.Row("generator", f"{at}, lateness p99", rows.microseconds(lateness), "-", "-",
                 "< 1 ms", lateness < 1000),
        rows.Row("generator", f"{at}, median response time, against oha", rows.microseconds(p50),
                 rows.microseconds(peer_p50), rows.times(p50, peer_p50), "<= 1", p50 <= peer_p50),
        rows.Row("generator", f"{at}, CPU a request, against oha", rows.microseconds(cpu),
                 rows.microseconds(peer_cpu), rows.times(cpu, peer_cpu), "<= 1", cpu <= peer_cpu),
    ]
