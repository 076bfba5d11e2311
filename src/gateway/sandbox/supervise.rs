//! A sandbox's supervisor: starts its process, holds it to its time, sees it end.

use super::api;
use super::lines::{self, Line};
use super::options::InvokeError;
use super::payload;
use super::process::{Exit, Started};
use super::report::Ending;
use super::sandbox::{Due, Sandbox};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a process that has reported that it cannot start may take to end by itself.
const END_GRACE: Duration = Duration::from_millis(500);
/// Lambda's word for a `bootstrap` that is not executed.
const INVALID_ENTRYPOINT: &str = "Runtime.InvalidEntrypoint";
/// Lambda's word for a runtime that ends.
const EXIT_ERROR: &str = "Runtime.ExitError";

/// Runs a sandbox from its start to its end.
pub(super) async fn supervise(sandbox: Arc<Sandbox>, told: mpsc::UnboundedReceiver<Line>) {
    let fleet = Arc::clone(&sandbox.fleet);
    let lines = {
        let fleet = Arc::clone(&fleet);
        tokio::spawn(async move { lines::write(&fleet.options, told).await })
    };
    match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
        Ok(listener) => serve_and_run(&sandbox, listener).await,
        Err(error) => fail(&sandbox, "Sandbox.Failure", &format!("no Runtime API: {error}")),
    }
    sandbox.fleet.forget(&sandbox);
    // The last to know of the sandbox: its lines end here.
    drop(sandbox);
    let _ = lines.await;
    fleet.supervised();
}

async fn serve_and_run(sandbox: &Arc<Sandbox>, listener: TcpListener) {
    let address = match listener.local_addr() {
        Ok(address) => address,
        Err(error) => return fail(sandbox, "Sandbox.Failure", &in_words(&error)),
    };
    let server = tokio::spawn(api::serve(listener, Arc::clone(sandbox)));
    let fleet = &sandbox.fleet;
    loop {
        let started = fleet.processes.start(&fleet.options, address).await;
        let (Started { process, output }, exit) = match started {
            Ok(started) => started,
            Err(cause) => {
                fail(sandbox, INVALID_ENTRYPOINT, &cause);
                break;
            }
        };
        // The writer ends after the sandbox.
        let _ = sandbox.lines.send(Line::Process(Arc::clone(&process), output));
        sandbox.set_process(process);
        if !until_gone(sandbox, exit).await {
            break;
        }
    }
    server.abort();
    let _ = server.await;
}

/// Sees a process to its end; whether another is to be started.
async fn until_gone(sandbox: &Sandbox, mut exit: oneshot::Receiver<Exit>) -> bool {
    loop {
        let due = sandbox.due();
        let at = match due {
            Due::Never => None,
            Due::InitLimit(at) | Due::Timeout(at) => Some(at),
            Due::Ended => {
                if timeout(END_GRACE, &mut exit).await.is_err() {
                    sandbox.kill();
                    let _ = exit.await;
                }
                return false;
            }
        };
        tokio::select! {
            ended = &mut exit => {
                end(sandbox, ended.ok());
                return false;
            }
            () = sandbox.changed.notified() => {}
            () = sleep(at) => match due {
                Due::Timeout(_) => sandbox.time_out(),
                _ => {
                    let process = sandbox.process();
                    if sandbox.restart_init() {
                        if let Some(process) = process {
                            process.kill();
                        }
                        let _ = exit.await;
                        return true;
                    }
                }
            },
        }
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn end(sandbox: &Sandbox, exit: Option<Exit>) {
    let cause = exit.map_or_else(|| "unknown".to_owned(), Exit::cause);
    if exit.is_some_and(|exit| exit.out_of_memory) {
        sandbox.fleet.ran_out_of_memory();
    }
    fail(sandbox, EXIT_ERROR, &cause);
}

fn fail(sandbox: &Sandbox, error_type: &'static str, cause: &str) {
    let error = |request_id: &str| -> InvokeError {
        let line = format!("RequestId: {request_id} Error: {cause}");
        // As above.
        let _ = sandbox.lines.send(Line::Text(line));
        payload::failure(request_id, error_type, cause)
    };
    sandbox.end(error, Ending::Error(error_type));
}

fn in_words(error: &io::Error) -> String {
    error.to_string()
}
