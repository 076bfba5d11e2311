#!/usr/bin/env python3
"""What `parliament` finds in policy documents: one line each, and exit code 1 if there is any.

    tests/aws/lint_policies.py < DOCUMENTS

DOCUMENTS is a JSON list of policy documents. parliament knows neither trust documents, which have no
`Resource`, nor OIDC providers: a role stands in for the first, and of the second the provider's ARN and
the claims under its own name are no finding. A claim under another provider's name is one.
"""

import copy
import json
import re
import sys

import parliament

ROLE = "arn:aws:iam::123456789012:role/any"
PROVIDER = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:oidc-provider/([\w.-]+(?:/[\w./-]+)?)")


def listed(value):
    return value if isinstance(value, list) else [value]


def lint(document):
    document = copy.deepcopy(document)
    providers = set()
    for statement in listed(document.get("Statement", [])):
        principal = statement.get("Principal")
        if principal is None:
            continue
        federated = listed(principal.get("Federated", [])) if isinstance(principal, dict) else []
        providers |= {match[1] for match in map(PROVIDER.fullmatch, federated) if match}
        actions = listed(statement.get("Action", []))
        if all(action.startswith("sts:") for action in actions):
            statement.setdefault("Resource", ROLE)
    findings = parliament.analyze_policy_string(json.dumps(document)).findings
    return [finding for finding in findings if not of_a_provider(finding, providers)]


def of_a_provider(finding, providers):
    if finding.issue == "UNKNOWN_FEDERATION_SOURCE":
        return PROVIDER.fullmatch(str(finding.detail)) is not None
    claim = re.match(r"Unknown condition (\S+):(\w+) for action sts:AssumeRoleWithWebIdentity$", str(finding.detail))
    return finding.issue == "UNKNOWN_CONDITION_FOR_ACTION" and claim is not None and claim[1] in providers


def main():
    found = False
    for number, document in enumerate(json.load(sys.stdin), start=1):
        for finding in lint(document):
            found = True
            print(f"document {number}: {finding.issue} {finding.title} {finding.detail} {finding.location}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
