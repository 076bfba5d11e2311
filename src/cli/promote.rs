//! `gwtf promote`: the canary becomes live.

use super::{Context, Releases, TargetArgs, cloud};
use crate::error::{Exit, Failure};
use crate::release::{Kind, perform};

/// Make the canary live
///
/// On AWS this is one call: the stage is pointed to the canary's deployment, and its canary ends.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    smoke: cloud::SmokeArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (settings, releases) = context.releases(args.target)?;
    let Releases::Local(store) = releases else {
        return cloud::promote(args.smoke.timeout(), &settings, context);
    };
    let outcome = perform::promote(&store, context.holder(), context.stamp(&settings))?;
    context.print_release(Kind::Promote, &settings, &outcome)
}
