//! Parse, run, exit code; nothing else.

fn main() -> std::process::ExitCode {
    gwtf::error::Exit::Done.into()
}
