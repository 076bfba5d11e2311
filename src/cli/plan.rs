//! `gwtf plan`: what a deploy would do, and why.

use super::{Context, TargetArgs, cloud};
use crate::config::Target;
use crate::error::{Exit, Failure};
use crate::release::Version;
use std::path::PathBuf;

/// Say what a deploy to AWS would do, and why, without doing it
///
/// The actions are the very ones that `deploy` performs, each with its complete request (--json).
/// What was changed by hand since the last release is named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf plan model.onnx --version v3
  gwtf plan --version v3 --check")]
pub(super) struct Args {
    /// The ONNX file [default: `model` in gwtf.toml]
    model: Option<PathBuf>,
    /// The version's tag
    #[arg(long, value_name = "V")]
    version: Version,
    #[command(flatten)]
    target: TargetArgs,
    /// Plan a canary with this share of the requests, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    canary: Option<u8>,
    /// Plan the version as live although gwtf.toml says `canary_percent`
    #[arg(long, conflicts_with = "canary")]
    no_canary: bool,
    /// Plan although the signature breaks the live one
    #[arg(long)]
    allow_breaking: bool,
    /// End with 1 when there is anything to do
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(args.target.target)?;
    if settings.release_target(&context.environment)? == Target::Local {
        let text = "target `local`: a local deploy is one step, there is nothing to plan";
        return Err(Failure::new(Exit::Refused, text).with_hint("name --target lambda"));
    }
    let check = args.check;
    let args = cloud::DeployArgs {
        model: args.model,
        version: args.version,
        canary: args.canary,
        no_canary: args.no_canary,
        allow_breaking: args.allow_breaking,
        allow_unenforced: Vec::new(),
        yes: false,
        break_lock: false,
        smoke_timeout: None,
    };
    cloud::plan(&args, check, &settings, context)
}
