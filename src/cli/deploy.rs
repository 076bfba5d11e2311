//! `gwtf deploy`: a model file becomes a version, and live or a canary.

use super::{Context, TargetArgs, cloud, local, no_model, unenforced_parser};
use crate::config::{Target, Unenforced};
use crate::error::{Exit, Failure};
use crate::release::perform;
use crate::release::{Kind, NewVersion, Version};
use std::path::PathBuf;

/// Make a model a version, and live or a canary
///
/// On AWS: looks at what is there, says what it does and why, and does it: function, version, alias,
/// role, logs, REST API, deployment, stage. Running it again goes on from what is there; with nothing
/// to do it changes nothing and ends with 0. On this machine the bytes are kept, so that going back
/// needs nothing else. A running `gwtf serve` follows without failing a request. Deploying what is
/// live already changes nothing and ends with 0; deploying it under the same tag with other bytes is
/// refused, and so is a model that ONNX Runtime does not load.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf deploy model.onnx --version v1 --target local
  gwtf deploy better.onnx --version v2 --canary 10 --target local
  gwtf deploy model.onnx --version v1 --target lambda --region eu-west-1")]
pub(super) struct Args {
    /// The ONNX file; external data beside it come along [default: `model` in gwtf.toml]
    model: Option<PathBuf>,
    /// The version's tag: small letters, digits, `.`, `_` and `-`, at most 31
    #[arg(long, value_name = "V")]
    version: Version,
    #[command(flatten)]
    target: TargetArgs,
    /// Give the version this share of the requests, in percent, and leave the rest to the live one
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    canary: Option<u8>,
    /// Make the version live at once although gwtf.toml says `canary_percent`
    #[arg(long, conflicts_with = "canary")]
    no_canary: bool,
    /// Release although the signature breaks the live one: an input or output gone, another element
    /// type or rank
    #[arg(long)]
    allow_breaking: bool,
    /// Go on without something that gwtf.toml asks for and this machine does not do yet
    #[arg(long, value_name = "NAME", value_parser = unenforced_parser())]
    allow_unenforced: Vec<Unenforced>,
    /// Overwrite what was changed by hand since the last release (AWS)
    #[arg(long)]
    yes: bool,
    /// Take the endpoint's lock although another deploy holds it (AWS)
    #[arg(long)]
    break_lock: bool,
    #[command(flatten)]
    smoke: cloud::SmokeArgs,
}

pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(args.target.target)?;
    if settings.release_target(&context.environment)? != Target::Local {
        return cloud::deploy(&args.into(), &settings, context);
    }
    Unenforced::refuse(&Unenforced::by_deploy(&settings.file), &args.allow_unenforced)?;
    let model = args.model.or_else(|| settings.model.clone()).ok_or_else(no_model)?;
    let store = settings.store();
    let recorded = store.read()?;
    let new = NewVersion {
        endpoint: settings.endpoint(recorded.endpoint(), Some(&model)),
        version: args.version,
        model,
        canary_percent: args.canary,
        canary_percent_default: settings.canary_percent.filter(|_| !args.no_canary),
        allow_breaking: args.allow_breaking,
    };
    let stamp = context.stamp(&settings);
    // A file can be well-formed and still hold a graph that no session takes: nobody wants to learn
    // that from a release.
    let given = new.model.clone();
    let outcome = perform::deploy(&store, new, context.holder(), stamp, |copy| {
        local::check_loads(&settings, context, copy, &given)
    })?;
    context.print_release(Kind::Deploy, &settings, &outcome)
}

impl From<Args> for cloud::DeployArgs {
    fn from(args: Args) -> Self {
        Self {
            model: args.model,
            version: args.version,
            canary: args.canary,
            no_canary: args.no_canary,
            allow_breaking: args.allow_breaking,
            allow_unenforced: args.allow_unenforced,
            yes: args.yes,
            break_lock: args.break_lock,
            smoke_timeout: args.smoke.timeout(),
        }
    }
}
