//! What every integration test needs: fixture paths, a clean folder, the program.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A path under `fixtures/`.
pub(crate) fn fixture(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(relative)
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
