//! From a plan to a recording: checks, the probe, the workers, the live view.

use super::authorize;
use super::client::Client;
use super::client::http1::Http1;
use super::client::http2::Http2;
use super::client::prepared::Prepared;
use super::clock::Clock;
use super::error::Error;
use super::live::{LiveCounts, Looker, Observer, StopFlag};
use super::open_files;
use super::plan::{HttpVersion, Plan};
use super::probe::probe;
use super::recording::Recording;
use super::retry::{self, RetryModel};
use super::tls::tls_target;
use super::worker::{Job, Worker};
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Between two snapshots.
const OBSERVE_EVERY: Duration = Duration::from_millis(150);
/// From spawning the workers to the common start.
const START_AHEAD: Duration = Duration::from_millis(10);
/// Open files of the process beside the connections.
const OPEN_FILES_BESIDE: u64 = 64;

/// Runs a plan to its end, or until `stop` is raised, and returns what was measured. `observer` is
/// called on this thread; the load is generated on others.
///
/// # Errors
/// The plan is refused, the target cannot be reached at all, or the system refuses something that
/// the generator needs. Once the run has begun, what goes wrong on the way is an outcome.
pub fn run(plan: &Plan, observer: &mut dyn Observer, stop: &StopFlag) -> Result<Recording, Error> {
    plan.check()?;
    allow_open_files(plan.connections())?;
    match plan.http_version {
        HttpVersion::Http1 => run_with::<Http1>(plan, observer, stop),
        HttpVersion::Http2 => run_with::<Http2>(plan, observer, stop),
    }
}

fn run_with<C: Client>(
    plan: &Plan,
    observer: &mut dyn Observer,
    stop: &StopFlag,
) -> Result<Recording, Error> {
    let tls = tls_target(plan)?;
    let prepared = Arc::new(Prepared::new(plan)?);
    let address = probe(&plan.target, tls.as_ref(), plan.timeout)?;
    let (renewed, _renewing) = authorize::start(plan)?;
    let workers = plan.workers.min(plan.connections());
    let live: Vec<Arc<LiveCounts>> = (0..workers).map(|_| Arc::new(LiveCounts::new())).collect();
    let retry = retry_clients(plan);
    let plan = Arc::new(plan.clone());
    let clock = Clock::starting_in(START_AHEAD);
    let job = |part: usize| Job {
        plan: Arc::clone(&plan),
        part,
        of: workers,
        connections_max: share(plan.connections(), part, workers),
        address,
        tls: tls.clone(),
        prepared: Arc::clone(&prepared),
        renewed: Arc::clone(&renewed),
        clock,
        retry: retry.clone(),
        live: Arc::clone(&live[part]),
        stop: stop.clone(),
    };
    let ready: Vec<Worker<C>> = (0..workers)
        .map(|part| Worker::<C>::new(job(part)))
        .collect::<io::Result<_>>()
        .map_err(|source| Error::System { what: "set up its event loop", source })?;
    let looker = Looker::new(live.clone(), plan.duration());
    watch(ready, looker, clock, observer)
}

/// Runs the workers on threads of their own and shows the run to the observer until all have ended.
fn watch<C: Client>(
    workers: Vec<Worker<C>>,
    mut looker: Looker,
    clock: Clock,
    observer: &mut dyn Observer,
) -> Result<Recording, Error> {
    // Nothing is ever sent: the channel closes when the last worker has dropped its end.
    let (running, ends) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for worker in workers {
            let running = running.clone();
            let body = move || {
                let _running = running;
                worker.run()
            };
            let thread = thread::Builder::new().name("gwtf-load".to_owned());
            let spawned = thread.spawn_scoped(scope, body);
            threads
                .push(spawned.map_err(|source| Error::System { what: "start a thread", source })?);
        }
        drop(running);
        while ends.recv_timeout(OBSERVE_EVERY) != Err(RecvTimeoutError::Disconnected) {
            observer.observe(&looker.look(clock.now()));
        }
        observer.observe(&looker.look(clock.now()));
        let mut whole: Option<Recording> = None;
        for thread in threads {
            let part = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let part =
                part.map_err(|source| Error::System { what: "wait for its sockets", source })?;
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => whole.merge(part),
            }
        }
        Ok(whole.expect("a plan has at least one worker"))
    })
}

/// Retry state for each key, or for the one client that has none.
fn retry_clients(plan: &Plan) -> Option<Arc<[Mutex<retry::Client>]>> {
    (plan.retry != RetryModel::None).then(|| {
        let clients = plan.keys.len().max(1);
        (0..clients).map(|_| Mutex::new(retry::Client::new(plan.retry))).collect()
    })
}

/// A worker's share of the connections; shares differ by one at most.
fn share(total: usize, part: usize, of: usize) -> usize {
    total / of + usize::from(part < total % of)
}

/// Raises the soft limit of open files as far as the connections need.
fn allow_open_files(connections: usize) -> Result<(), Error> {
    let needed = connections as u64 + OPEN_FILES_BESIDE;
    match open_files::raise(needed) {
        limit if limit < needed => Err(Error::OpenFiles { connections, limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (total, of) in [(1, 1), (7, 3), (64, 4), (5, 5)] {
            let shares: Vec<usize> = (0..of).map(|part| share(total, part, of)).collect();
            assert_eq!(shares.iter().sum::<usize>(), total);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
