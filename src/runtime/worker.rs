//! The threads that run what cannot run on its caller's thread.

use super::batch;
use super::pool::{InferError, Lease, Place, Runner, Shared, now};
use super::queue::{Job, Next, Reply};
use super::session::Tensors;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

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
            // What waited last may have been dropped unrun: no lease told of the end.
            shared.drained.notify_waiters();
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

/// Runs the jobs and answers them. The session goes back before the last answer goes out: a caller
/// that asks again at once must find it free.
fn run<R: Runner>(mut lease: Lease<'_, R>, mut jobs: Vec<Job>, shared: &Shared<R>) {
    if jobs.len() > 1 {
        match run_joined(&mut lease, &jobs, shared) {
            Some(parts) => {
                drop(lease);
                for (job, part) in jobs.into_iter().zip(parts) {
                    // The caller may have gone meanwhile.
                    let _ = job.reply.send(Ok(part));
                }
                return;
            }
            None => shared.lock().stats.batches_split += 1,
        }
    }
    let last = jobs.pop();
    for job in jobs {
        let (result, reply) = run_alone(&mut lease, job, shared);
        let _ = reply.send(result);
    }
    if let Some(last) = last {
        let (result, reply) = run_alone(&mut lease, last, shared);
        drop(lease);
        let _ = reply.send(result);
    }
}

fn run_alone<R: Runner>(
    lease: &mut Lease<'_, R>,
    job: Job,
    shared: &Shared<R>,
) -> (Reply, oneshot::Sender<Reply>) {
    let Job { inputs, outputs, deadline, reply, .. } = job;
    // Earlier runs of the same batch took time.
    if deadline <= now() {
        shared.lock().stats.expired += 1;
        return (Err(InferError::DeadlineExceeded), reply);
    }
    let result = lease.run_kept(inputs, &outputs, 1, Place::Worker);
    (result.map_err(InferError::from), reply)
}

/// Runs several requests as one. `None` when that fails, or when the outputs do not come apart:
/// each is to be run alone then, so that one bad request does not take the others down.
fn run_joined<R: Runner>(
    lease: &mut Lease<'_, R>,
    jobs: &[Job],
    shared: &Shared<R>,
) -> Option<Vec<Tensors>> {
    let rows: Vec<usize> =
        jobs.iter().map(|job| batch::rows(&job.inputs)).collect::<Option<_>>()?;
    let joined = batch::join(jobs.iter().map(|job| &job.inputs))?;
    let outputs = lease.run_kept(joined, &jobs[0].outputs, jobs.len(), Place::Worker).ok()?;
    match batch::part(&outputs, &rows) {
        Ok(parts) => Some(parts),
        Err(reason) => {
            let mut state = shared.lock();
            state.batching = None;
            state.stats.batching_off = Some(reason);
            None
        }
    }
}
