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

/// Open files of a process with a host, beside the connections: models, logs, the runtime's own.
pub(in crate::cli) const OPEN_FILES_BESIDE: u64 = 128;

/// The usual options, with no more connections than this process may have files open.
pub(in crate::cli) fn host_options() -> HostOptions {
    let usual = HostOptions::default();
    let limit = open_files::raise(usual.connections_max as u64 + OPEN_FILES_BESIDE);
    let room = usize::try_from(limit.saturating_sub(OPEN_FILES_BESIDE)).unwrap_or(usize::MAX);
    HostOptions { connections_max: usual.connections_max.min(room.max(1)), ..usual }
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
