//! The Lambda function of a local run: its flags, and what they come to over gwtf.toml.

use super::super::Context;
use super::cold_starts;
use crate::config::{Function, Settings};
use crate::error::{Exit, Failure};
use crate::spec::limits::{LAMBDA_MEMORY_MIB_MAX, LAMBDA_MEMORY_MIB_MIN, LAMBDA_TIMEOUT_MAX};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of a function that runs in sandboxes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Lambda function options")]
pub(in crate::cli) struct FunctionArgs {
    /// Run an artefact of `gwtf package` in sandboxes, as Lambda does: a zip, an image layout, or
    /// the folder of an unpacked zip
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) package: Option<PathBuf>,
    /// Sandboxes at once, at most; a request beyond them gets Lambda's 500 [default: gwtf.toml's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    reserved_concurrency: Option<u32>,
    /// The function's memory, MiB; its CPU grows with it [default: gwtf.toml's, else 1769]
    #[arg(long, value_name = "MIB", value_parser = memory_parser())]
    memory: Option<u32>,
    /// Longest invocation, in whole seconds [default: gwtf.toml's, else 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    function_timeout: Option<Duration>,
    /// Play cold starts in place of this machine's own: a JSON list of milliseconds, or a report of
    /// `loadtest --json`
    #[arg(long, value_name = "FILE")]
    cold_starts: Option<PathBuf>,
}

fn memory_parser() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(LAMBDA_MEMORY_MIB_MIN as i64..=LAMBDA_MEMORY_MIB_MAX as i64)
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = crate::load::duration::parse(text).map_err(|error| error.to_string())?;
    let whole = timeout.subsec_nanos() == 0 && !timeout.is_zero();
    if whole && timeout <= LAMBDA_TIMEOUT_MAX {
        Ok(timeout)
    } else {
        Err("Lambda takes whole seconds, from 1s to 900s".to_owned())
    }
}

/// How a function runs.
#[derive(Debug, Clone)]
pub(in crate::cli) struct FunctionChoice {
    pub(in crate::cli) function: Function,
    /// Init durations to play, in turn; `None` has each measured.
    pub(in crate::cli) cold_starts: Option<Vec<Duration>>,
}

impl FunctionArgs {
    /// The flags over gwtf.toml.
    pub(in crate::cli) fn choice(
        &self,
        settings: &Settings,
        context: &Context,
    ) -> Result<FunctionChoice, Failure> {
        let configured = settings.function;
        let function = Function {
            memory_mib: self.memory.unwrap_or(configured.memory_mib),
            timeout: self.function_timeout.unwrap_or(configured.timeout),
            reserved_concurrency: self.reserved_concurrency.or(configured.reserved_concurrency),
        };
        let file = self.cold_starts.as_ref().map(|file| context.environment.folder().join(file));
        let cold_starts = file.as_deref().map(cold_starts::read).transpose()?;
        Ok(FunctionChoice { function, cold_starts })
    }

    /// Refuses flags of a function where nothing runs as one.
    pub(in crate::cli) fn refuse_any(&self) -> Result<(), Failure> {
        let given = [
            ("--reserved-concurrency", self.reserved_concurrency.is_some()),
            ("--memory", self.memory.is_some()),
            ("--function-timeout", self.function_timeout.is_some()),
            ("--cold-starts", self.cold_starts.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => {
                let text =
                    format!("{flag}: the model is served in this process, not by a function");
                Err(Failure::new(Exit::Refused, text).with_hint(
                    "name an artefact with --package, or a MODEL under target = \"lambda\"",
                ))
            }
        }
    }
}
