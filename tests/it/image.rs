//! OCI images against the tools that read them: skopeo, umoci, podman with runc, a registry.

/// `check` on images of every fault.
mod check;
/// ECR's password.
mod ecr;
/// The layout: what it holds, how it is reproduced, what is refused.
mod layout;
/// A push through the port to AWS.
mod port;
/// Images through the program.
mod program;
/// Pushes to and pulls from a real registry.
mod push;
/// A registry process on loopback.
mod registry;
/// What a registry may answer: refusals, tokens, cuts.
mod replies;
/// The image of a real artefact, run as Lambda and as ECS run it.
mod run;
/// A server that answers as a test says.
mod scripted;

use bytes::Bytes;
use gwtf::package::image::{Host, LayoutReport, Options, write_layout};
use gwtf::package::{Entry, Part, Source};
use gwtf::spec::Architecture;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of this machine that needs a few libraries and says who runs it.
const PROGRAM: &str = "/usr/bin/id";
/// The tag in every layout.
const TAG: &str = "v1";

fn entry(path: &str, part: Part, source: Source) -> Entry {
    Entry { path: path.to_owned(), executable: part == Part::Runtime, part, source }
}

/// An artefact: the program for `bootstrap`, ONNX Runtime, and a model of these bytes.
fn entries(model: &'static str) -> Vec<Entry> {
    let library = super::support::library();
    let name = library.path.file_name().unwrap().to_str().unwrap();
    vec![
        entry("bootstrap", Part::Runtime, Source::File(PROGRAM.into())),
        entry("gwtf.json", Part::Model, Source::Bytes(Bytes::from(format!("\"{model}\"")))),
        entry("model/model.onnx", Part::Model, Source::Bytes(Bytes::from_static(model.as_bytes()))),
        entry(&format!("lib/{name}"), Part::OnnxRuntime, Source::File(library.path.clone())),
    ]
}

/// Options with a cache that other tests share, as other runs of the program do.
fn options() -> Options {
    let mut options = Options::new(Host::Lambda, Architecture::X86_64, TAG);
    options.cache_folder = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("image-cache"));
    options
}

fn write(model: &'static str, out: &Path) -> LayoutReport {
    write_layout(&entries(model), &options(), out).unwrap()
}

/// Podman as the tests use it, in `folder`, with its store there. Its `vfs` driver leaves no mounts.
/// Images are named by relative paths: podman makes names of them, and those have no capitals.
fn podman(folder: &Path) -> Command {
    let mut podman = Command::new("podman");
    podman.current_dir(folder).args(["--runtime", "runc", "--storage-driver", "vfs"]);
    podman.args(["--root", "engine/root", "--runroot", "engine/run"]);
    podman
}

/// Arguments that make a container as bare as Lambda's sandbox.
const SANDBOX: [&str; 11] = [
    "run",
    "--rm",
    "--network",
    "host",
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit",
    "nproc=1024:1024",
];

/// A command's stdout; it has to end well.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn skopeo(arguments: &[&str]) -> String {
    output(Command::new("skopeo").args(arguments))
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// The blob of a digest in a layout.
fn blob(layout: &Path, digest: &Value) -> PathBuf {
    layout.join("blobs").join(digest.as_str().unwrap().replace(':', "/"))
}

/// A layout's manifest and configuration.
fn documents(layout: &Path) -> (Value, Value) {
    let index = json(layout.join("index.json"));
    let manifest = json(blob(layout, &index["manifests"][0]["digest"]));
    let config = json(blob(layout, &manifest["config"]["digest"]));
    (manifest, config)
}
