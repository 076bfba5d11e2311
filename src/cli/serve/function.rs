//! Serving an artefact as Lambda would: its sandboxes behind the twin.

use super::Serving;
use crate::cli::local::{FunctionLog, Packaged};
use crate::cli::signals;
use crate::error::{Exit, Failure};
use std::sync::Arc;

/// Serves one artefact, the only version.
pub(super) fn serve(serving: &Serving<'_>, packaged: Packaged) -> Result<Exit, Failure> {
    serving.args.refuse_pool()?;
    let console = &serving.context.console;
    let log = Arc::new(FunctionLog::open(&serving.settings, console)?);
    let interrupts = signals::interrupts()?;
    let start = || packaged.start(&log);
    let (served, sandboxes_max) = (packaged.served(), packaged.sandboxes_max());
    let exit = serving.behind_twin(&served, sandboxes_max, start, &interrupts, |_, upstream| {
        console.talk(&upstream.0.limits());
        console.talk(&format!("the function's lines go to {}", log.place()));
        // Ends on a signal; a sender that is gone is one too.
        let _ = interrupts.recv();
    })?;
    log.end();
    Ok(exit)
}
