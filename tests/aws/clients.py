"""boto3 clients for a stand-in, from the environment that tests give every AWS client."""

import boto3
from botocore.config import Config

# One attempt: a test that wants a retry makes it itself.
ONCE = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=60)


def client(service, url=None, region=None):
    return boto3.client(service, endpoint_url=url, region_name=region, config=ONCE)
