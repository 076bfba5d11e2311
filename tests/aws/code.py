#!/usr/bin/env python3
"""Fetches the code of a function version from where Lambda says that it is.

    tests/aws/code.py FUNCTION QUALIFIER FILE

Writes the zip; prints the version's `CodeSha256`.
"""

import sys
import urllib.request

from clients import client


def main():
    name, qualifier, path = sys.argv[1:]
    found = client("lambda").get_function(FunctionName=name, Qualifier=qualifier)
    with urllib.request.urlopen(found["Code"]["Location"]) as reply, open(path, "wb") as file:
        file.write(reply.read())
    print(found["Configuration"]["CodeSha256"])


if __name__ == "__main__":
    main()
