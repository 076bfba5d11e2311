//! Calls to the cloud as this run makes them: paced, made again where that is safe, and told of.

use super::cloud::{CallError, Cloud, Failed, Retry};
use super::listener::{Event, Listener};
use super::pacer::Pacer;
use super::retry::{Attempt, is_idempotent, removes};
use crate::plan::change::{Change, Given};
use crate::plan::query::{Answer, Query, Service};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// What all calls of a run share: the rates, and the draw for back-off.
#[derive(Debug)]
pub struct Pace {
    started: Instant,
    shared: Mutex<(Pacer, SmallRng)>,
}

impl Pace {
    /// Full buckets; the seed draws the back-off.
    pub fn new(seed: u64) -> Self {
        let shared = Mutex::new((Pacer::default(), SmallRng::seed_from_u64(seed)));
        Self { started: Instant::now(), shared }
    }

    fn admit(&self, service: Service, operation: &str) -> Duration {
        let now = self.started.elapsed();
        self.locked(|pacer, _| pacer.admit(service, operation, now))
    }

    fn jitter(&self) -> f64 {
        self.locked(|_, rng| rng.random())
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Pacer, &mut SmallRng) -> T) -> T {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (pacer, rng) = &mut *shared;
        act(pacer, rng)
    }
}

/// A cloud with the run's pace in front of it.
pub struct Calls<'a, C> {
    cloud: &'a C,
    pace: &'a Pace,
    listener: &'a dyn Listener,
    action: Option<usize>,
}

impl<C> Clone for Calls<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Calls<'_, C> {}

impl<'a, C: Cloud> Calls<'a, C> {
    /// Calls to this cloud.
    pub fn new(cloud: &'a C, pace: &'a Pace, listener: &'a dyn Listener) -> Self {
        Self { cloud, pace, listener, action: None }
    }

    /// The same calls, told of as those of one action.
    pub(super) fn of(self, action: usize) -> Self {
        Self { action: Some(action), ..self }
    }

    pub(super) fn listener(&self) -> &'a dyn Listener {
        self.listener
    }

    /// Asks, again where the failure may pass: a question changes nothing.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        let (service, operation) = query.operation();
        let mut tries = Tries::new();
        loop {
            while let Some(wait) = self.pace_wait(service, operation) {
                sleep(wait).await;
            }
            match self.cloud.ask(query).await {
                Ok(answer) => return Ok(answer),
                Err(error) => sleep(self.retry_wait(&mut tries, &error, true).ok_or(error)?).await,
            }
        }
    }

    /// Makes a change, again where it was surely not made or making it twice does no harm. To
    /// find gone what is to be removed is success.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let (_never, interrupt) = watch::channel(false);
        let given = self.perform_unless(change, interrupt).await?;
        Ok(given.expect("nothing interrupts it"))
    }

    /// The same, but an interrupt ends its waits; none when it was not made because of that.
    pub(super) async fn perform_unless(
        &self,
        change: &Change,
        mut interrupt: watch::Receiver<bool>,
    ) -> Result<Option<Given>, CallError> {
        let (service, operation) = change.operation();
        let repeatable = is_idempotent(change);
        let mut tries = Tries::new();
        loop {
            while let Some(wait) = self.pace_wait(service, operation) {
                if is_interrupted_within(wait, &mut interrupt).await {
                    return tries.unknown.map_or(Ok(None), Err);
                }
            }
            let error = match self.cloud.perform(change).await {
                Ok(given) => return Ok(Some(given)),
                Err(error) if error.failed == Failed::NotFound && removes(change) => {
                    return Ok(Some(Given::Nothing));
                }
                Err(error) => error,
            };
            let Some(wait) = self.retry_wait(&mut tries, &error, repeatable) else {
                return Err(error);
            };
            if error.retry == Retry::Unknown {
                tries.unknown = Some(error);
            }
            if is_interrupted_within(wait, &mut interrupt).await {
                return tries.unknown.map_or(Ok(None), Err);
            }
        }
    }

    /// The wait until a call may be asked for again; none when it may be made and is counted.
    fn pace_wait(&self, service: Service, operation: &'static str) -> Option<Duration> {
        let wait = self.pace.admit(service, operation);
        if wait.is_zero() {
            return None;
        }
        self.listener.hear(&Event::Paced { action: self.action, operation, wait });
        Some(wait)
    }

    /// The wait before a failed call is made again, if it is.
    fn retry_wait(
        &self,
        tries: &mut Tries,
        error: &CallError,
        repeatable: bool,
    ) -> Option<Duration> {
        tries.failed += 1;
        let (number, elapsed) = (tries.failed, tries.started.elapsed());
        let jitter = self.pace.jitter();
        let wait = Attempt { error, number, elapsed, repeatable, jitter }.wait()?;
        let (action, attempt) = (self.action, tries.failed);
        self.listener.hear(&Event::Retrying { action, attempt, wait, error });
        Some(wait)
    }
}

/// Waits; true as soon as an interrupt comes.
async fn is_interrupted_within(wait: Duration, interrupt: &mut watch::Receiver<bool>) -> bool {
    let interrupted = async {
        // Without a sender none comes any more.
        if interrupt.wait_for(|interrupted| *interrupted).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = interrupted => true,
        () = sleep(wait) => false,
    }
}

/// The attempts of one call.
struct Tries {
    started: Instant,
    failed: u32,
    /// The last failure after which it may have been carried out.
    unknown: Option<CallError>,
}

impl Tries {
    fn new() -> Self {
        Self { started: Instant::now(), failed: 0, unknown: None }
    }
}
