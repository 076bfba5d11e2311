//! The variables of a function's process.
//!
//! Source: Lambda developer guide, "Defined runtime environment variables". Differs: there are no
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, as the function has no role;
//! `LAMBDA_TASK_ROOT` is where the artefact lies.

use super::fleet::FunctionOptions;
use super::knobs::Knobs;
use std::ffi::OsString;

/// The Region that the function is told it is in.
pub(super) const REGION: &str = "us-east-1";
/// AWS's account of examples, which the runtime emulator names too.
pub(super) const ACCOUNT_ID: &str = "012345678912";

/// All variables but `AWS_LAMBDA_RUNTIME_API`.
pub(super) fn environment(
    options: &FunctionOptions,
    knobs: &Knobs,
    log_stream: &str,
) -> Vec<(OsString, OsString)> {
    let root = &options.task_root;
    let mut libraries = OsString::from("/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:");
    libraries.push(root);
    libraries.push(":");
    libraries.push(root.join("lib"));
    libraries.push(":/opt/lib");
    let mut all: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in [
        ("_HANDLER", "bootstrap".into()),
        ("AWS_DEFAULT_REGION", REGION.into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", options.memory_mib.to_string().into()),
        ("AWS_LAMBDA_FUNCTION_NAME", (&options.name).into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", (&options.version).into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", options.name).into()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.into()),
        ("AWS_REGION", REGION.into()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".into()),
        ("LAMBDA_TASK_ROOT", root.into()),
        ("LANG", "en_US.UTF-8".into()),
        ("LD_LIBRARY_PATH", libraries),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin".into()),
        ("PWD", root.into()),
        ("TZ", ":UTC".into()),
    ] {
        all.push((name.into(), value));
    }
    all.extend(knobs.environment.iter().cloned());
    all
}
