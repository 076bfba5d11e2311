//! What every integration test needs: fixture paths, a clean folder, the program.

/// What plays AWS.
pub(crate) mod aws;
/// A running `gwtf serve` and a plain HTTP client.
pub(crate) mod served;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A path under `fixtures/`.
pub(crate) fn fixture(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(relative)
}

/// A fixture model's path as an argument.
pub(crate) fn model(name: &str) -> String {
    fixture("models").join(name).join("model.onnx").to_str().unwrap().to_owned()
}

/// The environment that `tests/run` makes: its interpreter, clients and published models.
pub(crate) fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-env/bin/python");
    assert!(python.is_file(), "{} is missing: run tests/run", python.display());
    python
}

/// The published voice detector, in the wheel that `tests/run` installs.
pub(crate) fn silero() -> PathBuf {
    let library = python().parent().unwrap().parent().unwrap().join("lib");
    let versions = fs_err::read_dir(&library).unwrap().map(|entry| entry.unwrap().path());
    let model = |python: PathBuf| python.join("site-packages/silero_vad/data/silero_vad.onnx");
    versions.map(model).find(|path| path.is_file()).expect("silero-vad is installed: run tests/run")
}

/// The `gwtf` program in `folder`, with nothing of the caller's AWS environment.
pub(crate) fn gwtf(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gwtf"));
    command.current_dir(folder);
    for name in ["AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

/// The one document of a run's stdout, valid under the schema that it names.
pub(crate) fn held_to_schema(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    let name = document["schema"].as_str().unwrap().replace('/', ".");
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let schema = fs_err::read_to_string(schemas.join(format!("{name}.json"))).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
    document
}

/// ONNX Runtime as this machine has it: named by `ORT_DYLIB_PATH`, cached, or fetched once.
///
/// Every test process asks for itself; a lock in the cache lets one of them fetch.
pub(crate) fn library() -> gwtf::runtime::Library {
    let mut request = gwtf::runtime::LocateRequest::new(cache_folder(), search_path());
    request.environment = variable("ORT_DYLIB_PATH").map(PathBuf::from);
    gwtf::runtime::locate(&request, &mut |_| {}).expect("ONNX Runtime is cached or can be fetched")
}

/// The loaded library.
pub(crate) fn engine() -> gwtf::runtime::Engine {
    gwtf::runtime::Engine::load(&library()).expect("the library loads")
}

/// gwtf's cache folder, as the program finds it.
pub(crate) fn cache_folder() -> PathBuf {
    let home = || PathBuf::from(variable("HOME").expect("HOME is set"));
    variable("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from).join("gwtf")
}

/// `PATH`.
pub(crate) fn search_path() -> std::ffi::OsString {
    variable("PATH").unwrap_or_default()
}

/// A variable of the environment that the tests are run in.
#[expect(clippy::disallowed_methods, reason = "tests take the environment that they are run in")]
pub(crate) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
