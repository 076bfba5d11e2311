"""Resident memory of `serve` beside a bare session of the same model, and after many requests."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from . import load, rows
from .process import Server
from .serving import squeezenet
from .tools import IRIS
from .twin import AMPLE, BODY, served

REQUESTS = 100_000
ABOVE_MB_MAX = 30
# What buffers and the allocator's arenas may still grow; a leak of 11 bytes a request is above it.
GROWTH_MB_MAX = 1.0


def run(tools, effort):
    with TemporaryDirectory() as name:
        folder = Path(name)
        body = folder / "body.json"
        body.write_text(BODY)
        return [
            above(tools, folder / "iris", "4-16-3 classifier", IRIS),
            above(tools, folder / "squeezenet", "SqueezeNet", squeezenet(tools)),
            growth(tools, folder, body),
        ]


def above(tools, folder, label, model):
    """Both with one session of one thread, both after their first runs."""
    with served(tools, folder, "--sessions", 1, "--threads", 1, model=model) as (server, _), \
            Server([tools.bare_session, tools.onnxruntime, model, 1, 0]) as bare:
        json.loads(bare.read_line())
        own, peer = server.resident_mb()[0], bare.resident_mb()[0]
    return rows.Row(
        "memory", f"resident, {label}, above a bare session", f"{own:.1f} MB", f"{peer:.1f} MB",
        f"+{own - peer:.1f} MB", f"<= +{ABOVE_MB_MAX} MB", own - peer <= ABOVE_MB_MAX,
    )


def growth(tools, folder, body):
    """Requests in portions, so that a slow machine takes longer and not fewer."""
    options = ("--account-throttle", AMPLE, "--access-log", folder / "access.log")
    with served(tools, folder / "many", *options) as (server, url):
        warm = portion(tools, url, body, REQUESTS)
        before = server.resident_mb()[0]
        sent = portion(tools, url, body, REQUESTS)
        after = server.resident_mb()[0]
    return rows.Row(
        "memory", f"resident before and after {sent:,} requests, {warm:,} having gone before",
        f"{after:.1f} MB", f"{before:.1f} MB before", f"{after - before:+.1f} MB",
        f"<= +{GROWTH_MB_MAX:.0f} MB", after - before <= GROWTH_MB_MAX,
    )


def portion(tools, url, body, least):
    sent = 0
    while sent < least:
        sent += load.gwtf(tools, url, 1, 16, payload=body).checked().requests
    return sent
