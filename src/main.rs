//! Parse, run, exit code; nothing else.

fn main() -> std::process::ExitCode {
    gwtf::cli::run(std::env::args_os(), gwtf::config::Environment::capture()).into()
}
