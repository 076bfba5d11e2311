//! Headers that prove who sends a request and hold for a time only: renewed while a run goes on.
//!
//! ```text
//! Authorize ─> renewing thread ─> Renewed (one pointer) ─> each worker, at the start of its turns
//! ```
//!
//! # Invariants
//! No send waits for a proof: the first ones are there before the run starts, new ones are made on
//! a thread of their own and then put in place all at once. What they replace is freed on that
//! thread too. A request half written keeps the proof that it was begun with.

use super::client::proofs::Proofs;
use super::error::Error;
use super::plan::Plan;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Headers by name and value.
pub type Headers = Vec<(String, String)>;
/// Why there is no proof; never with a secret in it.
pub type NoProof = Box<dyn std::error::Error + Send + Sync>;

/// Proves who sends the requests of a plan. Knows them from the start; what is asked for is the
/// proof as of now.
pub trait Authorize: fmt::Debug + Send + Sync {
    /// The headers to add to each request of the plan, in the plan's order, for sending from now
    /// on. May take its time: it is called before the run, and then on a thread of its own.
    ///
    /// # Errors
    /// There is no proof to be had. Before the run that ends it; later the requests go on with the
    /// proof they have, and the server says what becomes of them.
    fn prove(&self) -> Result<Vec<Headers>, NoProof>;

    /// How long after a proof was put in place the next one is made.
    fn renew_every(&self) -> Duration;
}

/// The proofs in force, for all workers.
pub(super) type Renewed = Arc<ArcSwap<Proofs>>;

/// Renews until it is dropped.
pub(super) struct Renewing {
    /// Nothing is ever sent: the thread ends when this is gone.
    _until: Option<Sender<()>>,
}

/// The first proofs of a plan's requests, and what renews them; no headers where nobody authorizes.
///
/// # Errors
/// There is no proof, or it is nothing that HTTP allows, or no thread can be started.
pub(super) fn start(plan: &Plan) -> Result<(Renewed, Renewing), Error> {
    let Some(authorize) = &plan.authorize else {
        return Ok((Arc::new(ArcSwap::from_pointee(Proofs::none())), Renewing { _until: None }));
    };
    let first = prove(authorize.as_ref(), plan)?;
    let renewed = Arc::new(ArcSwap::from_pointee(first));
    let (until, ended) = mpsc::channel();
    let thread = thread::Builder::new().name("gwtf-renew".to_owned());
    let (plan, place) = (plan.clone(), Arc::clone(&renewed));
    let authorize = Arc::clone(authorize);
    // Not joined: a proof that is long in coming must not hold up the end of the run.
    thread
        .spawn(move || renew(authorize.as_ref(), &plan, &place, &ended))
        .map_err(|source| Error::System { what: "start a thread", source })?;
    Ok((renewed, Renewing { _until: Some(until) }))
}

fn renew(authorize: &dyn Authorize, plan: &Plan, place: &ArcSwap<Proofs>, ended: &Receiver<()>) {
    // Workers let go of the proofs replaced long before those are freed here.
    let mut _replaced = None;
    while ended.recv_timeout(authorize.renew_every()) == Err(RecvTimeoutError::Timeout) {
        // Whoever authorizes tells of its own failure; the proofs in force may still hold.
        if let Ok(proofs) = prove(authorize, plan) {
            _replaced = Some(place.swap(Arc::new(proofs)));
        }
    }
}

fn prove(authorize: &dyn Authorize, plan: &Plan) -> Result<Proofs, Error> {
    let headers = authorize.prove().map_err(|source| Error::NoProof { source })?;
    Proofs::new(plan, &headers)
}
