//! `gwtf destroy`: an endpoint goes from AWS, with all that carries its tag.

use super::{Context, Releases, TargetArgs, cloud};
use crate::error::{Exit, Failure};

/// Remove an endpoint from AWS
///
/// Only what carries the endpoint's tag goes: REST API, function with all versions, role, log groups,
/// usage plans, keys, images, objects. The account's role for API Gateway's logs stays, and so does
/// the bucket while other endpoints use it. Asks for the endpoint's name on a terminal.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Take the endpoint's lock although another deploy holds it
    #[arg(long)]
    break_lock: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (settings, releases) = context.releases(args.target)?;
    let Releases::Cloud = releases else {
        let text = "target `local`: an endpoint on this machine is the folder `.gwtf`";
        return Err(Failure::new(Exit::Refused, text).with_hint("remove the folder"));
    };
    cloud::destroy(args.yes, args.break_lock, &settings, context)
}
