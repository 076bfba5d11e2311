//! What becomes of requests: from a connection's events to outcomes, retries and the record.

use super::super::classify::ReplyFacts;
use super::super::client::{Client, Event, Failure, Ticket};
use super::super::clock::thread_cpu;
use super::super::outcome::Outcome;
use super::super::record::Instants;
use super::super::recording::Recording;
use super::super::retry::{self, Ended, Ending, Verdict};
use super::super::seeded::{self, Stream};
use super::attempts::{Attempt, Operation, Place};
use super::{REOPEN_PAUSE_NS, Worker, lock};
use std::time::Duration;

impl<C: Client> Worker<C> {
    /// Takes in what happened to a request.
    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Sent { ticket, at_ns } => self.sent(ticket, at_ns),
            Event::Replied { ticket, at_ns, facts } => self.replied(ticket, at_ns, &facts),
            Event::Failed { ticket, failure } => self.failed(ticket, failure),
        }
    }

    fn sent(&mut self, ticket: Ticket, at_ns: u64) {
        let is_closed_loop = self.source.is_closed_loop();
        let Some(attempt) = self.attempts.sent(ticket, at_ns) else { return };
        let acted_ns = if attempt.awaits_server { attempt.began_ns } else { at_ns };
        let lateness_ns = acted_ns.saturating_sub(attempt.intended_ns);
        self.record.sent((!is_closed_loop).then_some(lateness_ns));
        self.job.live.sent();
    }

    fn replied(&mut self, ticket: Ticket, at_ns: u64, facts: &ReplyFacts) {
        let outcome = facts.outcome();
        if outcome != Outcome::Ok {
            if !facts.limiter.as_bytes().is_empty() {
                self.record.limited(&facts.limiter);
            }
            if self.record.wants_example(outcome) {
                let body = String::from_utf8_lossy(facts.body_start.as_bytes());
                self.record.example(outcome, &format!("status {}: {body}", facts.status));
            }
        }
        let Some(attempt) = self.attempts.remove(ticket) else { return };
        let cold = facts.cold_start;
        let instants = self.end(&attempt, outcome, at_ns);
        self.record.replied(cold.then(|| instants.response_time_us()));
        let retry_after = facts.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
        self.decide(attempt.operation, Ending::of(outcome, facts.status), retry_after, at_ns);
    }

    /// A request ended without a whole reply.
    pub(super) fn failed(&mut self, ticket: Ticket, failure: Failure) {
        let now_ns = self.job.clock.now_ns();
        let Some(attempt) = self.attempts.get_mut(ticket) else { return };
        let (outcome, text) = match failure {
            Failure::Stale(_) if !attempt.resent => {
                attempt.resent = true;
                self.stale.push(ticket);
                return;
            }
            Failure::Stale(text) | Failure::Connect(text) => (Outcome::ConnectError, text),
            Failure::Protocol(text) => (Outcome::ProtocolError, text),
        };
        self.reopen_ns = now_ns + REOPEN_PAUSE_NS;
        self.give_up(ticket, outcome, now_ns, &text);
    }

    /// Ends a request that got no reply.
    fn give_up(&mut self, ticket: Ticket, outcome: Outcome, now_ns: u64, text: &str) {
        if self.record.wants_example(outcome) {
            self.record.example(outcome, text);
        }
        if let Some(attempt) = self.attempts.remove(ticket) {
            self.end(&attempt, outcome, now_ns);
            self.decide(attempt.operation, Ending::of(outcome, 0), None, now_ns);
        }
    }

    /// Records a request's end.
    fn end(&mut self, attempt: &Attempt, outcome: Outcome, ended_ns: u64) -> Instants {
        let instants =
            Instants { intended_ns: attempt.intended_ns, sent_ns: attempt.sent_ns, ended_ns };
        self.record.ended(outcome, &instants);
        self.job.live.ended(outcome, instants.response_time_us());
        instants
    }

    /// Retries an operation, or ends it.
    fn decide(
        &mut self,
        mut operation: Operation,
        ending: Ending,
        retry_after: Option<Duration>,
        now_ns: u64,
    ) {
        let Some(clients) = &self.job.retry else { return };
        let draw = operation.index * u64::from(retry::ATTEMPTS_MAX) + u64::from(operation.attempt);
        let ended = Ended {
            ending,
            attempt: operation.attempt,
            tokens_taken: operation.tokens_taken,
            retry_after,
            jitter: seeded::unit(self.job.plan.seed, Stream::Jitter, draw),
        };
        let verdict = lock(&clients[operation.client]).decide(&ended, Duration::from_nanos(now_ns));
        operation.ended_ns = now_ns;
        match verdict {
            Verdict::Over => {}
            Verdict::Exhausted => self.record.retries.attempts_exhausted += 1,
            Verdict::OverBudget => self.record.retries.budget_denied += 1,
            Verdict::Retry { delay, tokens } => {
                let due_ns = now_ns + delay.as_nanos() as u64;
                // A retry that would come after the end of sending is not made.
                if due_ns < self.until_ns {
                    operation.due_ns = due_ns;
                    operation.attempt += 1;
                    operation.tokens_taken = tokens;
                    self.source.retry(operation);
                    return;
                }
            }
        }
        let succeeded = ending == Ending::Success;
        self.record.operation_ended(operation.started_ns, now_ns, succeeded);
    }

    /// Ends the requests whose time is up.
    pub(super) fn expire(&mut self, now_ns: u64) {
        while let Some((ticket, attempt)) = self.attempts.oldest() {
            if attempt.intended_ns + self.timeout_ns > now_ns {
                return;
            }
            let place = attempt.place;
            let text = format!("no reply within {:?}", self.job.plan.timeout);
            self.give_up(ticket, Outcome::ClientTimeout, now_ns, &text);
            match place {
                Place::Connection(slot) => {
                    self.with(slot, |client, turn| client.cancel(turn, ticket));
                    self.settle(slot);
                }
                // Near the front: both lists are in order of start, up to what one turn starts.
                Place::Backlog => {
                    if let Some(at) = self.backlog.iter().position(|other| *other == ticket) {
                        self.backlog.remove(at);
                    }
                }
            }
        }
    }

    /// Gives what is still open its outcome and ends the record.
    pub(super) fn finish(mut self) -> Recording {
        let now_ns = self.job.clock.now_ns();
        while let Some((ticket, _)) = self.attempts.oldest() {
            if let Some(attempt) = self.attempts.remove(ticket) {
                self.end(&attempt, Outcome::InFlight, now_ns);
                self.operation_in_flight(&attempt.operation, now_ns);
            }
        }
        while let Some(arrival) = self.source.next_arrival(self.until_ns) {
            // Due, but never drawn from the schedule: the backlog was full.
            let operation = self.operation(arrival.index, arrival.at_ns);
            self.record.offered += 1;
            self.in_flight_unsent(&operation, now_ns);
        }
        for operation in self.source.take_held() {
            self.record.retries.held_back += 1;
            self.record.retries.held_back_operations += u64::from(operation.attempt == 1);
            self.in_flight_unsent(&operation, now_ns);
        }
        for operation in self.source.take_retries() {
            // Their back-off outlasted the run.
            self.record.operation_ended(operation.started_ns, operation.ended_ns, false);
        }
        self.usage.cpu = thread_cpu();
        let elapsed = Duration::from_nanos(self.until_ns);
        self.record.into_recording(elapsed, self.interrupted, self.usage)
    }

    fn in_flight_unsent(&mut self, operation: &Operation, now_ns: u64) {
        let instants = Instants { intended_ns: operation.due_ns, sent_ns: None, ended_ns: now_ns };
        self.record.ended(Outcome::InFlight, &instants);
        self.job.live.ended(Outcome::InFlight, instants.response_time_us());
        self.operation_in_flight(operation, now_ns);
    }

    /// Times an operation that the run's end cut off: a lower bound, without which the slowest
    /// operations would be missing from their own percentiles.
    fn operation_in_flight(&mut self, operation: &Operation, now_ns: u64) {
        if self.job.retry.is_some() {
            self.record.operation_ended(operation.started_ns, now_ns, false);
        }
    }
}
