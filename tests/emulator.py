#!/usr/bin/env python3
"""Takes AWS's Lambda Runtime Interface Emulator out of the package that ships it.

    tests/emulator.py DESTINATION

The program is in the wheel of aws-sam-cli, a static executable for each architecture; only it is
kept. Fetched with the pip of the Python that runs this, held to a pinned digest.
"""

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-sam-cli==1.170.0"
MEMBERS = {
    "x86_64": "samcli/local/rapid/aws-lambda-rie-x86_64",
    "aarch64": "samcli/local/rapid/aws-lambda-rie-arm64",
}
SHA256 = {
    "x86_64": "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5",
    "aarch64": "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21",
}


def main():
    destination = Path(sys.argv[1])
    machine = platform.machine()
    if machine not in MEMBERS:
        sys.exit(f"there is no emulator for {machine}")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(pip, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            program = archive.read(MEMBERS[machine])
    digest = hashlib.sha256(program).hexdigest()
    if digest != SHA256[machine]:
        sys.exit(f"the emulator's digest is {digest}, not {SHA256[machine]}")
    partial = destination.with_suffix(".partial")
    partial.write_bytes(program)
    partial.chmod(0o755)
    os.replace(partial, destination)


if __name__ == "__main__":
    main()
