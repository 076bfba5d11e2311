#!/usr/bin/env python3
"""Prints the API keys that are there, with their values, as a JSON list."""

import json

from clients import client

print(json.dumps(client("apigateway").get_api_keys(includeValues=True)["items"], default=str))
