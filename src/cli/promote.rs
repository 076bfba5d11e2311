//! `gwtf promote`: the canary becomes live.

use super::{Context, TargetArgs};
use crate::error::{Exit, Failure};
use crate::release::{Kind, perform};

/// Make the canary live
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (settings, store) = context.releases(args.target)?;
    let outcome = perform::promote(&store, context.holder(), context.stamp(&settings))?;
    context.print_release(Kind::Promote, &settings, &outcome)
}
