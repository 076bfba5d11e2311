//! ONNX Runtime's telemetry, off before there is any.
//!
//! The official library for Linux and macOS (since 1.29) writes a device id and a database under the
//! user's cache folder and sends events to its maker. `DisableTelemetryEvents` of its API comes too
//! late: the first event goes out, and the files are there, once an environment is made. What stops
//! all of it is a variable that the library reads when it is loaded
//! (github.com/microsoft/onnxruntime, pull request 27379). A process cannot safely set a variable
//! of its own, so it starts itself again.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Set to `1` before the library is loaded, nothing is collected, written or sent.
pub const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Replaces this process by the same program with the same arguments and telemetry off. A program
/// calls it first thing when [`TELEMETRY_VARIABLE`] is not set; whoever starts the program with the
/// variable spares it the millisecond.
///
/// Returns only when the system does not let it, or a dynamic loader was called by name.
pub fn restart_without_telemetry() -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    // Started as `ld.so PROGRAM`, the loader is what the system calls this program.
    if program.file_name().is_some_and(is_loader) {
        return io::ErrorKind::Unsupported.into();
    }
    let mut arguments = std::env::args_os();
    let mut command = Command::new(&program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(TELEMETRY_VARIABLE, "1").exec()
}

fn is_loader(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"ld-") || name == "ld.so"
}
