//! Serving in this process: a model, or the released versions as they come and go.

use super::Serving;
use crate::cli::local::{self, DirectFront, Hosted, Loaded, LocalUpstream, Source, contract};
use crate::cli::signals;
use crate::error::{Exit, Failure};
use crate::gateway::Twin;
use crate::release::View;
use crate::release::watch::Follower;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often the ledger is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// Polls between two tries to load a release: two seconds.
const RETRY_EVERY_POLLS: u64 = 20;
/// Polls after a release until versions that are gone are unloaded: a second, for requests that
/// read the contract before the release and their version after it.
const RETIRE_AFTER_POLLS: u64 = 10;

/// Serves `model`, or what is released.
pub(super) fn serve(serving: &Serving<'_>, model: Option<PathBuf>) -> Result<Exit, Failure> {
    let settings = &serving.settings;
    let source = Source {
        engine: local::engine(settings, serving.context)?,
        pool: serving.args.pool_choice(),
    };
    // Unless a file is named, releases are followed, also the first one.
    let follower = match model {
        None => Some(Follower::new(settings.store())?),
        Some(_) => None,
    };
    let view = follower.as_ref().map(Follower::view).filter(|view| view.live.is_some());
    let loaded = match (view, model.or_else(|| settings.model.clone())) {
        (Some(view), _) => source.load_view(settings, view, None)?,
        (None, Some(model)) => source.load_model(settings, &model)?,
        (None, None) => return Err(nothing_to_serve()),
    };
    let interrupts = signals::interrupts()?;
    if serving.args.bare {
        return serve_bare(serving, &loaded, &interrupts);
    }
    let upstream = || Ok(Arc::new(LocalUpstream::new(loaded.versions())));
    serving.behind_twin(&loaded.served(), 0, upstream, &interrupts, |twin, upstream| {
        let releases = Releases { serving, source: &source, twin, upstream };
        releases.follow(loaded.clone(), follower, &interrupts);
    })
}

fn serve_bare(
    serving: &Serving<'_>,
    loaded: &Loaded,
    interrupts: &Receiver<()>,
) -> Result<Exit, Failure> {
    let direct = || {
        Ok(DirectFront::new(
            &loaded.endpoint,
            &format!("/{}", serving.settings.stage),
            loaded.versions(),
            &loaded.live,
            serving.settings.integration_timeout,
        ))
    };
    let hosted = Hosted::start(serving.address(), direct, local::host_options(0), local::cores())?;
    serving.announce(&hosted, &loaded.served())?;
    // Ends on a signal; a sender that is gone is one too.
    let _ = interrupts.recv();
    Ok(serving.drain(hosted, interrupts))
}

/// What releases are put in force with.
struct Releases<'a> {
    serving: &'a Serving<'a>,
    source: &'a Source,
    twin: &'a Twin,
    upstream: &'a LocalUpstream,
}

impl Releases<'_> {
    /// Puts releases in force until a signal comes. One that does not load is tried again, since
    /// what stood in its way may pass; until then the release before it stays in force.
    fn follow(
        &self,
        mut loaded: Loaded,
        mut follower: Option<Follower>,
        interrupts: &Receiver<()>,
    ) {
        let console = &self.serving.context.console;
        let mut pending: Option<View> = None;
        let mut said = false;
        let mut polls: u64 = 0;
        let mut retire_at_poll: Option<u64> = None;
        loop {
            match interrupts.recv_timeout(FOLLOW_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some(follower) = &mut follower else { continue };
            polls += 1;
            if retire_at_poll.is_some_and(|at| at <= polls) {
                self.upstream.replace(loaded.versions());
                retire_at_poll = None;
            }
            match follower.poll() {
                Ok(None) if !polls.is_multiple_of(RETRY_EVERY_POLLS) => continue,
                Ok(None) => {}
                // A ledger that is gone takes nothing away from those who are served.
                Ok(Some(view)) => {
                    pending = view.live.is_some().then(|| view.clone());
                    said = false;
                }
                Err(error) => console.error(&error.into()),
            }
            let Some(view) = &pending else { continue };
            match self.release(view, &loaded) {
                Ok(next) => {
                    console.talk(&format!("{} is live", next.live));
                    (loaded, pending) = (next, None);
                    retire_at_poll = Some(polls + RETIRE_AFTER_POLLS);
                }
                Err(failure) if !said => {
                    console.error(&failure);
                    console.talk(&format!("{} stays live; trying again", loaded.live));
                    said = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Loads what is new, then swaps: the versions first, so that no contract in force ever names
    /// one that is not loaded; those that went away last.
    fn release(&self, view: &View, before: &Loaded) -> Result<Loaded, Failure> {
        let settings = &self.serving.settings;
        let next = self.source.load_view(settings, view, Some(before))?;
        let (keys, overrides) = (&self.serving.keys, &self.serving.overrides);
        let contract = contract(settings, &next.served(), keys, overrides)?;
        self.upstream.replace(next.with_those_of(before));
        if let Err(error) = self.twin.replace(&contract) {
            self.upstream.replace(before.versions());
            return Err(error.into());
        }
        Ok(next)
    }
}

fn nothing_to_serve() -> Failure {
    Failure::new(Exit::Refused, "nothing to serve: no MODEL is given and nothing was released here")
        .with_hint(
            "run `gwtf serve MODEL`, or `gwtf deploy MODEL --version v1 --target local` first",
        )
}
