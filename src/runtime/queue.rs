//! The requests that wait for a session, and which of them are run next.
//!
//! # Invariants
//! Pure: the instant is an argument. A request whose deadline has passed or whose caller has gone
//! is never handed out. The first request is always part of what is handed out next, so none
//! starves.

use super::batch::{self, Batching};
use super::pool::InferError;
use super::session::Tensors;
use std::collections::VecDeque;
use std::time::Instant;
use tokio::sync::oneshot;

/// What a caller gets in the end.
pub(super) type Reply = Result<Tensors, InferError>;

/// A request that waits.
pub(super) struct Job {
    pub(super) inputs: Tensors,
    /// Names of the outputs wanted; empty stands for all.
    pub(super) outputs: Vec<String>,
    pub(super) queued: Instant,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Reply>,
}

impl Job {
    /// Whether running it serves nobody any more.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        self.reply.is_closed() || self.deadline <= now
    }

    /// Says that the deadline passed, if anybody still listens.
    pub(super) fn expire(self) {
        let _ = self.reply.send(Err(InferError::DeadlineExceeded));
    }
}

/// What a worker does next.
pub(super) enum Next {
    /// Nothing waits.
    Idle,
    /// A batch is forming; look again then, or when something changes.
    Until(Instant),
    /// Run these; joined when there are several.
    Run(Vec<Job>),
}

/// The waiting requests, first come first.
#[derive(Default)]
pub(super) struct Queue {
    jobs: VecDeque<Job>,
}

/// Which jobs would go into the next run.
struct Gathered {
    /// Positions in the queue, ascending; the first is 0.
    positions: Vec<usize>,
    /// Whether waiting for more could add nothing.
    is_full: bool,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// Takes out the requests that serve nobody any more.
    pub(super) fn take_dead(&mut self, now: Instant) -> Vec<Job> {
        let mut dead = Vec::new();
        let mut at = 0;
        while at < self.jobs.len() {
            if self.jobs[at].is_dead(now) {
                dead.extend(self.jobs.remove(at));
            } else {
                at += 1;
            }
        }
        dead
    }

    /// What to do next. With `is_closing` no batch waits for more requests: none will come.
    pub(super) fn next(
        &mut self,
        now: Instant,
        batching: Option<&Batching>,
        is_closing: bool,
    ) -> Next {
        let Some(first) = self.jobs.front() else { return Next::Idle };
        let Some(batching) = batching else {
            return Next::Run(self.jobs.pop_front().into_iter().collect());
        };
        let ready_at = first.queued.checked_add(batching.delay_max).unwrap_or(first.deadline);
        let gathered = self.gather(batching.size_max);
        // Waiting must not be what makes a request miss its deadline.
        let is_urgent = gathered.positions.iter().any(|at| self.jobs[*at].deadline <= ready_at);
        if now < ready_at && !gathered.is_full && !is_urgent && !is_closing {
            return Next::Until(ready_at);
        }
        let mut jobs: Vec<Job> = Vec::with_capacity(gathered.positions.len());
        for at in gathered.positions.into_iter().rev() {
            jobs.extend(self.jobs.remove(at));
        }
        jobs.reverse();
        Next::Run(jobs)
    }

    /// The first request and those behind it that go with it, up to `size_max` rows.
    fn gather(&self, size_max: usize) -> Gathered {
        let Some(first) = self.jobs.front() else {
            return Gathered { positions: Vec::new(), is_full: true };
        };
        let Some(mut total) = batch::rows(&first.inputs) else {
            return Gathered { positions: vec![0], is_full: true };
        };
        let mut positions = vec![0];
        let mut is_full = total >= size_max;
        for (at, job) in self.jobs.iter().enumerate().skip(1) {
            if total >= size_max {
                break;
            }
            if job.outputs != first.outputs || !batch::go_together(&first.inputs, &job.inputs) {
                continue;
            }
            match batch::rows(&job.inputs) {
                Some(rows) if total.saturating_add(rows) <= size_max => {
                    total += rows;
                    positions.push(at);
                }
                _ => is_full = true,
            }
        }
        Gathered { is_full: is_full || total >= size_max, positions }
    }
}
