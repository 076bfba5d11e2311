//! The threads that run what cannot run on its caller's thread.

use super::batch;
use super::pool::{InferError, Lease, Place, Runner, Shared, now};
use super::queue::{Job, Next};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

/// A thread that takes work until the pool is closed and nothing waits.
pub(super) fn spawn<R: Runner>(shared: Arc<Shared<R>>) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name("gwtf-infer".to_owned())
        .spawn(move || {
            while let Some((lease, jobs)) = next(&shared) {
                // A panic is a bug, but not a reason to serve with one thread less: the callers
                // see their replies dropped, and the lease gives the session back.
                let run = std::panic::AssertUnwindSafe(|| run(lease, jobs, &shared));
                let _ = std::panic::catch_unwind(run);
            }
        })
        .expect("the system has room for one thread a session")
}

/// Waits for a session and for requests to run on it; `None` once the pool is closed and empty.
fn next<R: Runner>(shared: &Shared<R>) -> Option<(Lease<'_, R>, Vec<Job>)> {
    let mut state = shared.lock();
    loop {
        let now = now();
        state.drop_dead(now);
        if state.queue.is_empty() && state.is_closed {
            return None;
        }
        let (batching, is_closed) = (state.batching, state.is_closed);
        let next = match state.idle.is_empty() {
            true => Next::Idle,
            false => state.queue.next(now, batching.as_ref(), is_closed),
        };
        state = match next {
            Next::Idle => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Next::Until(ready_at) => {
                let wait = ready_at.saturating_duration_since(now);
                let waited = shared.work.wait_timeout(state, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            Next::Run(jobs) => {
                let runner = state.idle.pop().expect("a session was free under this lock");
                let is_wanted = !state.queue.is_empty();
                drop(state);
                if is_wanted {
                    shared.work.notify_one();
                }
                return Some((shared.lease(runner), jobs));
            }
        };
    }
}

fn run<R: Runner>(mut lease: Lease<'_, R>, jobs: Vec<Job>, shared: &Shared<R>) {
    let alone = if jobs.len() > 1 { run_joined(&mut lease, jobs, shared) } else { jobs };
    for job in alone {
        run_alone(&mut lease, job, shared);
    }
}

fn run_alone<R: Runner>(lease: &mut Lease<'_, R>, job: Job, shared: &Shared<R>) {
    let Job { inputs, outputs, deadline, reply, .. } = job;
    // Earlier runs of the same batch took time.
    if deadline <= now() {
        shared.lock().stats.expired += 1;
        let _ = reply.send(Err(InferError::DeadlineExceeded));
        return;
    }
    let result = lease.run_kept(inputs, &outputs, 1, Place::Worker);
    // The caller may have gone meanwhile.
    let _ = reply.send(result.map_err(InferError::from));
}

/// Runs several requests as one and answers them; gives them back to be run alone when that fails,
/// so that one bad request does not take the others down.
fn run_joined<R: Runner>(lease: &mut Lease<'_, R>, jobs: Vec<Job>, shared: &Shared<R>) -> Vec<Job> {
    let rows: Option<Vec<usize>> = jobs.iter().map(|job| batch::rows(&job.inputs)).collect();
    let joined = batch::join(jobs.iter().map(|job| &job.inputs));
    let (Some(rows), Some(joined)) = (rows, joined) else { return jobs };
    let Ok(outputs) = lease.run_kept(joined, &jobs[0].outputs, jobs.len(), Place::Worker) else {
        return jobs;
    };
    match batch::part(&outputs, &rows) {
        Ok(parts) => {
            for (job, part) in jobs.into_iter().zip(parts) {
                let _ = job.reply.send(Ok(part));
            }
            Vec::new()
        }
        Err(reason) => {
            let mut state = shared.lock();
            state.batching = None;
            state.stats.batching_off = Some(reason);
            jobs
        }
    }
}
