//! `status` and `history`: what is live, what was changed by hand, what was released.

use super::super::{Context, cannot_print};
use super::session::Session;
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::plan::render::ledger::Place;
use crate::plan::{Ledger, Observed, Plan, settings::changed_by_hand};

/// Ends with 1 when something is no longer as the last release left it.
pub(in crate::cli) fn status(settings: &Settings, context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(settings, context, None)?;
    let observed = session.observe()?;
    let ledger = Ledger::of(&observed, &session.names);
    let drift = changed_by_hand(&observed, &session.names, &ledger);
    session.print(&observed, |place| {
        let columns = context.console.columns();
        (place.status_document(&drift), place.status_text(&drift, columns))
    })?;
    Ok(if drift.is_empty() { Exit::Done } else { Exit::Verdict })
}

pub(in crate::cli) fn history(settings: &Settings, context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(settings, context, None)?;
    let observed = session.observe()?;
    session.print(&observed, |place| {
        (place.history_document(), place.history_text(context.console.columns()))
    })?;
    Ok(Exit::Done)
}

impl Session<'_> {
    /// Prints what a release command did.
    pub(super) fn print_release(
        &self,
        command: &'static str,
        observed: &Observed,
        plan: &Plan,
    ) -> Result<Exit, Failure> {
        self.print(observed, |place| {
            (place.release_document(command, plan), place.release_text(command, plan))
        })?;
        Ok(Exit::Done)
    }

    /// Prints one document or one text about what is there.
    pub(super) fn print(
        &self,
        observed: &Observed,
        render: impl FnOnce(Place<'_>) -> (serde_json::Value, String),
    ) -> Result<(), Failure> {
        let ledger = Ledger::of(observed, &self.names);
        let url = observed.rest_api.as_ref().map(|api| self.url(&api.id));
        let url = url.as_deref();
        let place = Place { names: &self.names, ledger: &ledger, observed, url };
        let (document, text) = render(place);
        let console = &self.context.console;
        let printed =
            if console.json { console.document(&document) } else { console.data(text.as_bytes()) };
        printed.map_err(cannot_print)
    }
}
