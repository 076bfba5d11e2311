#!/usr/bin/env python3
"""One call that a person might make beside gwtf; prints the reply.

    tests/aws/by_hand.py SERVICE OPERATION ARGUMENTS [TIMES]
"""

import json
import sys

from clients import client


def main():
    service, operation, arguments, *times = sys.argv[1:]
    call = getattr(client(service), operation)
    for _ in range(int(times[0]) if times else 1):
        reply = call(**json.loads(arguments))
    if "Body" in reply:
        reply["Body"] = reply["Body"].read().decode()
    json.dump(reply, sys.stdout, default=str)


if __name__ == "__main__":
    main()
