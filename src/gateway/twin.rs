//! The twin itself: a contract in force, and what outlives it.

use super::access_log::{self, Entry, Sink};
use super::call::{Call, Upstream};
use super::clock::Clock;
use super::error::Error;
use super::exchange::Exchange;
use super::ids::IdSource;
use super::options::{Knobs, Options};
use super::refusal::Refusal;
use super::respond;
use super::snapshot::Snapshot;
use super::stack::stack;
use super::state::State;
use crate::spec::Gateway;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::Response;
use std::sync::{Arc, Mutex, PoisonError};

/// A local API Gateway for one endpoint. Shared by all connections; every method takes `&self`.
pub struct Twin {
    snapshot: ArcSwap<Snapshot>,
    /// Only for compiling contracts; no request takes this lock.
    state: Mutex<State>,
    options: Options,
    clock: Arc<dyn Clock>,
    sink: Box<dyn Sink>,
    ids: IdSource,
}

impl Twin {
    /// A twin that enforces `contract`, its buckets full.
    ///
    /// # Errors
    /// The contract holds something that the twin cannot enforce, or does not fit together.
    pub fn new(
        contract: &Gateway,
        options: Options,
        clock: Arc<dyn Clock>,
        access_log: impl Sink + 'static,
    ) -> Result<Self, Error> {
        let mut state = State::new(options.mode);
        let snapshot = Snapshot::new(contract, &mut state, clock.monotonic_ns())?;
        Ok(Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            state: Mutex::new(state),
            ids: IdSource::new(options.seed),
            options,
            clock,
            sink: Box::new(access_log),
        })
    }

    /// Puts another contract in force, at once and for all new requests; those on their way finish
    /// under the old one. Buckets and quotas of the same name keep what is in them.
    ///
    /// # Errors
    /// As [`Twin::new`]; the contract in force stays.
    pub fn replace(&self, contract: &Gateway) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = Snapshot::new(contract, &mut state, self.clock.monotonic_ns())?;
        self.snapshot.store(Arc::new(snapshot));
        state.prune();
        Ok(())
    }

    /// Answers a request.
    pub async fn call<U: Upstream>(&self, call: Call, upstream: &U) -> Response<Bytes> {
        let snapshot = self.snapshot.load_full();
        let logged = snapshot.access_log.is_some();
        let mut exchange = Exchange::begin(&call, self.clock.as_ref(), &self.ids, logged);
        let result = stack(self, &snapshot, call, &mut exchange, upstream).await;
        let (response, refusal) = match result {
            Ok(response) => (respond::pass(response, &exchange), None),
            Err(refusal) => {
                let debug = self.options.debug_header;
                (respond::refuse(&refusal, &exchange, debug), Some(refusal))
            }
        };
        self.log(&snapshot, &exchange, &response, refusal.as_ref());
        response
    }

    /// Writes the access log; what the front door refused or no stage has leaves no line.
    fn log(
        &self,
        snapshot: &Snapshot,
        exchange: &Exchange,
        response: &Response<Bytes>,
        refusal: Option<&Refusal>,
    ) {
        let Some(format) = &snapshot.access_log else { return };
        if refusal.is_some_and(|refusal| !refusal.is_logged()) {
            return;
        }
        let elapsed_ns = self.clock.monotonic_ns().saturating_sub(exchange.received_ns);
        let entry = Entry {
            exchange,
            stage: &snapshot.api.stage,
            response,
            refusal,
            response_latency_ms: elapsed_ns / 1_000_000,
        };
        self.sink.write(&access_log::render(format, &entry));
    }

    pub(super) fn knobs(&self) -> &Knobs {
        &self.options.knobs
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }
}
