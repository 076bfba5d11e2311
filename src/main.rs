//! Parse, run, exit code; nothing else.

use gwtf::config::Environment;
use gwtf::runtime::{TELEMETRY_VARIABLE, restart_without_telemetry};

fn main() -> std::process::ExitCode {
    let environment = Environment::capture();
    if environment.get_os(TELEMETRY_VARIABLE).is_none() {
        // Returns where the system does not let it; the work is done all the same.
        let _ = restart_without_telemetry();
    }
    gwtf::cli::run(std::env::args_os(), environment).into()
}
