#!/usr/bin/env python3
"""What `parliament` finds in policy documents: one line each, and exit code 1 if there is any.

    tests/aws/lint_policies.py < DOCUMENTS

DOCUMENTS is a JSON list of policy documents.
"""

import json
import sys

import parliament


def main():
    found = False
    for number, document in enumerate(json.load(sys.stdin), start=1):
        for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
            found = True
            print(f"document {number}: {finding.issue} {finding.title} {finding.detail} {finding.location}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
