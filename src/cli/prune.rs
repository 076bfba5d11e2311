//! `gwtf prune`: old versions go, with their bytes.

use super::{Context, Releases, TargetArgs, cloud};
use crate::error::{Exit, Failure};
use crate::release::perform;

/// Remove old versions and their bytes
///
/// The live version and a running canary always stay; then the most recently released ones, until
/// --keep are kept. The history stays.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many versions to keep [default: `release.keep` in gwtf.toml, then 5]
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Overwrite what was changed by hand since the last release (AWS)
    #[arg(long)]
    yes: bool,
    /// Take the endpoint's lock although another deploy holds it (AWS)
    #[arg(long)]
    break_lock: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (settings, releases) = context.releases(args.target)?;
    let keep = args.keep.unwrap_or(settings.keep);
    let Releases::Local(store) = releases else {
        return cloud::prune(keep, args.yes, args.break_lock, &settings, context);
    };
    let (ledger, removed) = perform::prune(&store, keep, context.holder())?;
    context.print(&settings, &store, &ledger, |place| {
        (place.prune_document(&ledger, &removed), place.prune_text(&ledger, &removed))
    })
}
