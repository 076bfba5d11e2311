//! A running HTTP host on threads of its own.

use crate::error::{Exit, Failure};
use crate::load::open_files;
use crate::serve::http::{Answer, HostOptions, serve};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Between two looks at whether a host that was stopped has ended.
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(20);

/// Open files of a process with a host, beside connections and sandboxes: models, logs, the
/// runtime's own.
const FILES_BESIDE: u64 = 128;
/// Open files of a sandbox: its listener, its output, its runtime's connection, one while it starts.
const FILES_PER_SANDBOX: u64 = 4;

/// The usual options, with no more connections than this process may have files open beside those
/// of the sandboxes.
pub(in crate::cli) fn host_options(sandboxes_max: u32) -> HostOptions {
    let usual = HostOptions::default();
    let room = connections_room(usual.connections_max, 1, sandboxes_max);
    HostOptions { connections_max: room.connections, ..usual }
}

/// What open files this process may have, and what that comes to.
pub(in crate::cli) struct Room {
    /// Connections, of those wanted; one at least.
    pub(in crate::cli) connections: usize,
    /// Open files that all of those wanted need.
    pub(in crate::cli) needed: u64,
    /// Open files that there may be.
    pub(in crate::cli) limit: u64,
}

/// Raises the limit of open files, if it can, for connections that take `files_each` and for
/// sandboxes.
pub(in crate::cli) fn connections_room(wanted: usize, files_each: u64, sandboxes: u32) -> Room {
    let of_sandboxes = FILES_PER_SANDBOX * u64::from(sandboxes);
    let needed = wanted as u64 * files_each + FILES_BESIDE + of_sandboxes;
    let limit = open_files::raise(needed);
    Room { connections: wanted.min(room(limit, files_each, of_sandboxes)), needed, limit }
}

/// Connections beside all sandboxes; where there are few files, connections with a sandbox each.
fn room(limit: u64, files_each: u64, of_sandboxes: u64) -> usize {
    let left = limit.saturating_sub(FILES_BESIDE);
    let beside_all = left.saturating_sub(of_sandboxes) / files_each;
    let with_one_each = match of_sandboxes {
        0 => 0,
        _ => left / (files_each + FILES_PER_SANDBOX),
    };
    usize::try_from(beside_all.max(with_one_each).max(1)).unwrap_or(usize::MAX)
}

/// What a host serves.
pub(in crate::cli) trait Hosting: Answer {
    /// Lets what still runs behind it end, after the last reply.
    fn end(&self) -> impl Future<Output = ()> + Send;
}

/// An HTTP host that runs until it is stopped.
pub(in crate::cli) struct Hosted {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<bool>,
}

impl Hosted {
    /// Listens on `address` (port 0: any free one) and serves with this many threads what `answer`
    /// makes, in the runtime that serves it.
    pub(in crate::cli) fn start<A: Hosting>(
        address: SocketAddr,
        answer: impl FnOnce() -> Result<A, Failure>,
        options: HostOptions,
        threads: usize,
    ) -> Result<Self, Failure> {
        let machine = |error: std::io::Error| {
            Failure::new(Exit::Machine, format!("cannot listen on {address}: {error}"))
        };
        let listener =
            std::net::TcpListener::bind(address).map_err(|error| match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    let text = format!("port {} is in use", address.port());
                    Failure::new(Exit::Machine, text)
                        .with_hint("name another with --port, or 0 for any free one")
                }
                _ => machine(error),
            })?;
        listener.set_nonblocking(true).map_err(machine)?;
        let address = listener.local_addr().map_err(machine)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("gwtf-serve")
            .enable_all()
            .build()
            .map_err(machine)?;
        let answer = {
            let _inside = runtime.enter();
            answer()?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("gwtf-host".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                        return false;
                    };
                    // A sender that is gone is a stop too.
                    let stop = async move { drop(stopped.await) };
                    // On a worker thread: the blocked thread is no worker, and every accept
                    // would cross threads.
                    let served = tokio::spawn(serve(listener, answer.clone(), options, stop));
                    let drained = served.await.unwrap_or(false);
                    answer.end().await;
                    drained
                })
            })
            .map_err(machine)?;
        Ok(Self { address, stop, thread })
    }

    /// Where it listens.
    pub(in crate::cli) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it like [`Hosted::stop`], but leaves off at the next interrupt: `None` then.
    pub(in crate::cli) fn stop_unless(self, interrupts: &Receiver<()>) -> Option<bool> {
        // A host that has ended already needs no telling.
        let _ = self.stop.send(());
        while !self.thread.is_finished() {
            match interrupts.recv_timeout(DRAIN_LOOK_EVERY) {
                Ok(()) => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Some(self.thread.join().unwrap_or(false))
    }

    /// Stops it; whether every open request ended in time.
    pub(in crate::cli) fn stop(self) -> bool {
        // A host that has ended already needs no telling.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_open_files_for_sandboxes() {
        for (limit, files_each, sandboxes, connections) in [
            (1_128, 1, 0, 1_000),
            (1_128, 1, 100, 600),
            (5_128, 1, 1_000, 1_000),
            // Fewer clients have fewer sandboxes.
            (1_128, 1, 1_000, 200),
            (728, 2, 1_000, 100),
            (100, 1, 10, 1),
        ] {
            let found = room(limit, files_each, FILES_PER_SANDBOX * sandboxes);
            assert_eq!(found, connections, "{limit} {files_each} {sandboxes}");
        }
    }
}
