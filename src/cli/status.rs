//! `gwtf status`: what is live, what is kept, and whether it is whole.

use super::{Context, Releases, TargetArgs, cloud};
use crate::error::{Exit, Explain, Failure, chain};
use crate::release::store::damage;

/// Say what is live, which canary runs, and which versions are kept
///
/// Every kept version's bytes are held to their digest; if one is missing or damaged, the command
/// ends with 1. On AWS the command names what was changed by hand since the last release, and then
/// ends with 1 too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (settings, releases) = context.releases(args.target)?;
    let Releases::Local(store) = releases else { return cloud::status(&settings, context) };
    let ledger = store.read()?;
    let damage = damage(&store, &ledger);
    let columns = context.console.columns();
    context.print(&settings, &store, &ledger, |place| {
        (place.status_document(&ledger, &damage), place.status_text(&ledger, &damage, columns))
    })?;
    match damage.first() {
        None => Ok(Exit::Done),
        Some((_, error)) => Err(Failure {
            exit: Exit::Verdict,
            message: damage.iter().map(|(_, error)| chain(error)).collect::<Vec<_>>().join("\n  "),
            hint: error.hint(),
        }),
    }
}
