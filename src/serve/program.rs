//! What `gwtf-runtime` does: finds its artefact and picks its host from its environment.
//!
//! `AWS_LAMBDA_RUNTIME_API` is set: Lambda. Otherwise HTTP on `PORT`.

use super::artefact::{Artefact, Overrides, StartError};
use super::container::{self, HttpStart};
use super::lambda::{self, Api, LambdaError, LambdaStart};
use super::log::EventLine;
use crate::error::{Exit, chain};
use crate::spec::artefact::MANIFEST_FILE;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The port without `PORT`.
const PORT_DEFAULT: &str = "8080";

/// The variables that the program looks at.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// `LAMBDA_TASK_ROOT`.
    pub task_root: Option<PathBuf>,
    /// `AWS_LAMBDA_RUNTIME_API`: host and port.
    pub runtime_api: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, MiB.
    pub memory_mib: Option<String>,
    /// `PORT`.
    pub port: Option<String>,
    /// `GWTF_VERSION` and `GWTF_ENDPOINT`.
    pub overrides: Overrides,
}

/// Serves until SIGTERM, then ends the process. `program_folder` is where the program itself lies.
///
/// The process ends without the destructors of ONNX Runtime: a run that serves nobody any more, or
/// loading, may still be under way in it.
pub fn run(variables: Variables, program_folder: Option<PathBuf>, started: Instant) -> ! {
    log_panics();
    let mut log = std::io::stdout();
    let root = root(variables.task_root.as_deref(), program_folder);
    let artefact = Artefact::read(root, variables.overrides);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let ended = match variables.runtime_api {
        Some(address) => {
            let memory_mib = variables.memory_mib.and_then(|mib| mib.parse().ok());
            let start = LambdaStart { started, cores, memory_mib };
            on_lambda(Api::new(address), artefact, &start, &mut log)
        }
        None => on_http(artefact, variables.port.as_deref(), started, cores),
    };
    let exit = match ended {
        Ok(()) => Exit::Done,
        Err((kind, message)) => {
            EventLine { level: "error", event: "ended", error: Some(kind), message: &message }
                .emit(&mut log);
            Exit::Machine
        }
    };
    // A log that takes nothing is no reason to stay.
    let _ = log.flush();
    signal_hook::low_level::exit(exit.code().into())
}

/// Lambda's name of an error, and gwtf's words.
type Ended = Result<(), (&'static str, String)>;

fn on_lambda(
    api: Api,
    artefact: Result<Artefact, StartError>,
    start: &LambdaStart,
    log: &mut dyn Write,
) -> Ended {
    lambda::serve(api, artefact, start, log).map_err(|error| {
        let kind = match &error {
            LambdaError::Start(error) => error.kind(),
            LambdaError::Api(_) => "Runtime.ApiError",
        };
        (kind, chain(&error))
    })
}

fn on_http(
    artefact: Result<Artefact, StartError>,
    port: Option<&str>,
    started: Instant,
    cores: usize,
) -> Ended {
    let refuse = |error: StartError| (error.kind(), error.message());
    let port = port.unwrap_or(PORT_DEFAULT);
    let port = port.parse().map_err(|_| {
        ("Runtime.InvalidPort", format!("`PORT` is {port:?}: write a number from 0 to 65535"))
    })?;
    let start = HttpStart { started, cores, port };
    match container::serve(artefact.map_err(refuse)?, &start) {
        Ok(true) => Ok(()),
        Ok(false) => Err(("Runtime.NotDrained", "requests were open at the end".to_owned())),
        Err(error) => Err(refuse(error)),
    }
}

/// Where the artefact lies: Lambda's task root if it holds a manifest, else beside the program.
fn root(task_root: Option<&Path>, program_folder: Option<PathBuf>) -> PathBuf {
    task_root
        .filter(|root| root.join(MANIFEST_FILE).is_file())
        .map(Path::to_path_buf)
        .or(program_folder)
        .unwrap_or_else(|| PathBuf::from("."))
}

/// A panic is logged with its place alone: its message may quote what a client sent.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let mut log = std::io::stdout();
        EventLine { level: "error", event: "panic", error: Some("Runtime.Panic"), message: &place }
            .emit(&mut log);
        let _ = log.flush();
    }));
}
