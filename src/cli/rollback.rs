//! `gwtf rollback`: away from a canary, or back to a version that was live.

use super::{Context, Releases, TargetArgs, cloud};
use crate::error::{Exit, Failure};
use crate::release::{Kind, Version, perform};

/// Point back: away from a running canary, or to the version that was live before
///
/// Nothing is built or copied: the version's bytes are kept. Without --to, a running canary ends and
/// the live version stays; else the version that was live before becomes live again. Going back twice
/// returns to where one was, as with `kubectl rollout undo`; --to goes farther back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf rollback
  gwtf rollback --to v1")]
pub(super) struct Args {
    /// The version to go back to; any running canary ends
    #[arg(long, value_name = "V")]
    to: Option<Version>,
    #[command(flatten)]
    smoke: cloud::SmokeArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (settings, releases) = context.releases(args.target)?;
    let Releases::Local(store) = releases else {
        return cloud::rollback(args.to.as_ref(), args.smoke.timeout(), &settings, context);
    };
    let stamp = context.stamp(&settings);
    let outcome = perform::rollback(&store, args.to.as_ref(), context.holder(), stamp)?;
    context.print_release(Kind::Rollback, &settings, &outcome)
}
