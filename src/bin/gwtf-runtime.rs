//! The program that goes into an artefact and serves the model there; see `gwtf::serve::program`.

use gwtf::config::Environment;
use gwtf::runtime::{TELEMETRY_VARIABLE, restart_without_telemetry};
use gwtf::serve::Overrides;
use gwtf::serve::program::{Variables, run};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() {
    #[expect(clippy::disallowed_methods, reason = "the start is timed from here")]
    let started = Instant::now();
    let environment = Environment::capture();
    if environment.get_os(TELEMETRY_VARIABLE).is_none() {
        // Where the system does not let it, serving is still what was asked for.
        let _ = restart_without_telemetry();
    }
    let text = |name: &str| environment.get(name).map(str::to_owned);
    let variables = Variables {
        task_root: environment.get_os("LAMBDA_TASK_ROOT").map(PathBuf::from),
        runtime_api: text("AWS_LAMBDA_RUNTIME_API"),
        memory_mib: text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        port: text("PORT"),
        overrides: Overrides { version: text("GWTF_VERSION"), endpoint: text("GWTF_ENDPOINT") },
    };
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    run(variables, folder, started)
}
