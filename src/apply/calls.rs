//! Calls to the cloud as this run makes them: paced, made again where that is safe, and told of.

use super::cloud::{CallError, Cloud, Failed};
use super::listener::{Event, Listener};
use super::pacer::Pacer;
use super::retry::{Attempt, is_idempotent, removes};
use crate::plan::change::{Change, Given};
use crate::plan::query::{Answer, Query, Service};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
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
            self.admitted(service, operation).await;
            match self.cloud.ask(query).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.pause_or_give_up(&mut tries, error, true).await?,
            }
        }
    }

    /// Makes a change, again where it was surely not made or making it twice does no harm. To
    /// find gone what is to be removed is success.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let (service, operation) = change.operation();
        let repeatable = is_idempotent(change);
        let mut tries = Tries::new();
        loop {
            self.admitted(service, operation).await;
            match self.cloud.perform(change).await {
                Ok(given) => return Ok(given),
                Err(error) if error.failed == Failed::NotFound && removes(change) => {
                    return Ok(Given::Nothing);
                }
                Err(error) => self.pause_or_give_up(&mut tries, error, repeatable).await?,
            }
        }
    }

    /// Returns when the call may be made; it has been counted then.
    async fn admitted(&self, service: Service, operation: &'static str) {
        loop {
            let wait = self.pace.admit(service, operation);
            if wait.is_zero() {
                return;
            }
            self.listener.hear(&Event::Paced { action: self.action, operation, wait });
            sleep(wait).await;
        }
    }

    async fn pause_or_give_up(
        &self,
        tries: &mut Tries,
        error: CallError,
        repeatable: bool,
    ) -> Result<(), CallError> {
        let attempt = Attempt {
            error: &error,
            number: tries.failed + 1,
            elapsed: tries.started.elapsed(),
            repeatable,
            jitter: self.pace.jitter(),
        };
        let Some(wait) = attempt.wait() else { return Err(error) };
        tries.failed += 1;
        let (action, attempt) = (self.action, tries.failed);
        self.listener.hear(&Event::Retrying { action, attempt, wait, error: &error });
        sleep(wait).await;
        Ok(())
    }
}

/// The attempts of one call.
struct Tries {
    started: Instant,
    failed: u32,
}

impl Tries {
    fn new() -> Self {
        Self { started: Instant::now(), failed: 0 }
    }
}
