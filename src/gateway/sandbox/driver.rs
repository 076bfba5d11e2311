//! The one task that owns a sandbox's process: its start, its deadlines, its output, its end.

use super::fault::{Fault, InvokeError};
use super::process::{Group, NotStarted};
use super::station::{Overdue, Station};
use super::{api, output};
use std::net::Ipv4Addr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections that a process can have at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 16;
/// How long the last lines of a process that has ended are waited for.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Runs the process of a sandbox until it is over, and once more if its start takes too long.
pub(super) async fn run(station: Arc<Station>, played: Option<Duration>) {
    let driver = Driver { station };
    let is_again = driver.live(played, false).await;
    if is_again {
        driver.live(None, true).await;
    }
    driver.station.shared.forget(driver.station.id);
}

struct Driver {
    station: Arc<Station>,
}

/// A process and what belongs to it.
struct Living {
    listener: TcpListener,
    child: Child,
    group: Arc<Group>,
}

/// Why a process is no longer driven.
enum Ending {
    Exited(std::io::Result<ExitStatus>),
    InitOverdue,
    Kill,
}

impl Driver {
    /// One life of the process; whether it is to be started again.
    async fn live(&self, played: Option<Duration>, is_second: bool) -> bool {
        self.station.starting(Instant::now(), played, is_second);
        let mut living = match self.start().await {
            Ok(living) => living,
            Err(error) => {
                self.station.end(|id| {
                    let text = format!("RequestId: {id} Error: {}", error.text);
                    InvokeError::Function(Fault::new(error.error_type, text))
                });
                self.station.shared.say_reports(&self.station, None);
                return false;
            }
        };
        let mut lines = JoinSet::new();
        if let Some(stdout) = living.child.stdout.take() {
            lines.spawn(output::lines(stdout, Arc::clone(&self.station.shared)));
        }
        if let Some(stderr) = living.child.stderr.take() {
            lines.spawn(output::lines(stderr, Arc::clone(&self.station.shared)));
        }
        let ending = self.drive(&mut living).await;
        living.group.sample();
        living.group.kill();
        let is_again = matches!(ending, Ending::InitOverdue);
        let status = match ending {
            Ending::Exited(status) => status,
            Ending::InitOverdue | Ending::Kill => living.child.wait().await,
        };
        living.group.reaped();
        if !is_again {
            let unserved = self.station.end(|id| match status {
                Ok(status) => InvokeError::Function(Fault::exited(id, status)),
                Err(_) => InvokeError::Function(Fault::lost(id)),
            });
            self.station.shared.lose_or_place_again(self.station.id, unserved);
        }
        let _ = tokio::time::timeout(LAST_LINES, lines.join_all()).await;
        self.station.shared.say_reports(&self.station, Some(&living.group));
        is_again
    }

    async fn start(&self) -> Result<Living, NotStarted> {
        let refused = |error: std::io::Error| NotStarted {
            error_type: "Runtime.InvalidEntrypoint",
            text: format!("its Runtime API: {error}"),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (child, group) = self.station.shared.start_process(self.station.id, address)?;
        Ok(Living { listener, child, group })
    }

    /// Everything that happens while the process lives.
    async fn drive(&self, living: &mut Living) -> Ending {
        let station = Arc::clone(&self.station);
        let mut connections = JoinSet::new();
        loop {
            station.shared.say_reports(&station, Some(&living.group));
            let deadline = match station.overdue(Instant::now()) {
                Overdue::No(deadline) => deadline,
                Overdue::Init => {
                    station.shared.say_init_timeout();
                    return Ending::InitOverdue;
                }
                Overdue::Kill => return Ending::Kill,
            };
            tokio::select! {
                status = living.child.wait() => return Ending::Exited(status),
                Ok((stream, _)) = living.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    connections.spawn(api::serve(stream, Arc::clone(&station)));
                }
                Some(_) = connections.join_next() => {}
                () = station.wake.notified() => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }
}
