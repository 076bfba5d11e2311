//! Ctrl-C and SIGTERM as values: a future to wait for, a flag to raise.

use crate::error::{Exit, Failure};
use crate::load::StopFlag;
use std::sync::mpsc;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn machine(error: std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("cannot wait for signals: {error}"))
}

/// Runs `on_signal` once for each Ctrl-C or SIGTERM, on a thread of its own.
fn listen(mut on_signal: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(machine)?;
    let (mut interrupt, mut terminate): (Signal, Signal) = {
        let _guard = runtime.enter();
        let of = |kind| signal(kind).map_err(machine);
        (of(SignalKind::interrupt())?, of(SignalKind::terminate())?)
    };
    let wait = move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                on_signal();
            }
        });
    };
    std::thread::Builder::new().name("gwtf-signals".to_owned()).spawn(wait).map_err(machine)?;
    Ok(())
}

/// Raises `stop` on Ctrl-C or SIGTERM.
pub(super) fn raise_on_interrupt(stop: &StopFlag) -> Result<(), Failure> {
    let stop = stop.clone();
    listen(move || stop.raise())
}

/// Ends with the first Ctrl-C or SIGTERM. Called inside of a runtime.
pub(super) fn interrupted() -> Result<impl Future<Output = ()> + use<>, Failure> {
    let of = |kind| signal(kind).map_err(machine);
    let (mut interrupt, mut terminate) =
        (of(SignalKind::interrupt())?, of(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// A channel that gets a message on each Ctrl-C or SIGTERM.
pub(super) fn interrupts() -> Result<mpsc::Receiver<()>, Failure> {
    let (sender, receiver) = mpsc::channel();
    listen(move || {
        // A receiver that is gone has stopped already.
        let _ = sender.send(());
    })?;
    Ok(receiver)
}
