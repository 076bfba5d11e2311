//! `gwtf history`: the ledger, newest release first.

use super::{Context, Releases, TargetArgs, cloud};
use crate::error::{Exit, Failure};

/// List every release, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (settings, releases) = context.releases(args.target)?;
    let Releases::Local(store) = releases else { return cloud::history(&settings, context) };
    let ledger = store.read()?;
    let columns = context.console.columns();
    context.print(&settings, &store, &ledger, |place| {
        (place.history_document(&ledger), place.history_text(&ledger, columns))
    })
}
