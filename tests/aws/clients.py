"""boto3 clients for a stand-in, from the environment that tests give every AWS client."""

import functools

import boto3
from botocore.config import Config

# One attempt: a test that wants a retry makes it itself.
ONCE = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=60)


@functools.cache
def client(service, url=None):
    return boto3.client(service, endpoint_url=url, config=ONCE)
