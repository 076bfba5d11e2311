#!/usr/bin/env python3
"""microburst on a loopback port of its own, in front of a stand-in.

    tests/aws/microburst_server.py UPSTREAM

Prints `{"url": …}` once it listens. Rules go to `POST /_microburst/rules`, `[]` clears them.
What microburst cannot be told: a 429 says after how long to come again; a reply to which a rule adds
the header `x-lose-reply` is lost with its connection, also one without a body.
"""

import asyncio
import json
import sys

import lifeline
from aiohttp import web
from microburst.app import make_app
from microburst.core.pipeline import Microburst

# A zip of the size that Lambda takes inline, and room around it.
REQUEST_BYTES_MAX = 256 * 1024 * 1024
RETRY_AFTER_S = 1


async def before_headers(request, response):
    if response.status == 429:
        response.headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    if "x-lose-reply" in response.headers and request.transport is not None:
        request.transport.abort()


async def serve(upstream):
    app = make_app(Microburst(upstream, rules=[], resign=False))
    app._client_max_size = REQUEST_BYTES_MAX
    app.on_response_prepare.append(before_headers)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    lifeline.hold()
    asyncio.run(serve(sys.argv[1]))
