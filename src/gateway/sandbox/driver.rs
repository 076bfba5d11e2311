//! The one task that owns a sandbox's process: its start, its deadlines, its output, its end.

use super::fault::{Fault, InvokeError};
use super::process::{Group, NotStarted};
use super::report::Report;
use super::station::{Overdue, Station};
use super::{api, output, process};
use std::net::Ipv4Addr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections that a process can have at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 16;
/// How long the last lines of a process that has ended are waited for.
const LAST_LINES: Duration = Duration::from_millis(500);
/// Room for what invocations took, until it is written.
pub(super) const REPORTS_MAX: usize = 256;

/// Runs the process of a sandbox until it is over, and once more if its start takes too long.
pub(super) async fn run(
    station: Arc<Station>,
    reports: mpsc::Receiver<Report>,
    played: Option<Duration>,
) {
    let mut driver = Driver { station, reports, used_mib: 0 };
    let is_again = driver.live(played, false).await;
    if is_again {
        driver.live(None, true).await;
    }
    driver.station.shared.forget(driver.station.id);
}

struct Driver {
    station: Arc<Station>,
    reports: mpsc::Receiver<Report>,
    /// The most memory that the process was seen to use, MiB.
    used_mib: u64,
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
    async fn live(&mut self, played: Option<Duration>, is_second: bool) -> bool {
        self.station.starting(Instant::now(), played, is_second);
        let mut living = match self.start().await {
            Ok(living) => living,
            Err(error) => {
                self.station.end(|id| {
                    let text = format!("RequestId: {id} Error: {}", error.text);
                    InvokeError::Function(Fault::new(error.error_type, text))
                });
                self.say_reports();
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
        self.sample(&living.group);
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
        self.say_reports();
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
    async fn drive(&mut self, living: &mut Living) -> Ending {
        let station = Arc::clone(&self.station);
        let mut connections = JoinSet::new();
        loop {
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
                Some(report) = self.reports.recv() => {
                    self.sample(&living.group);
                    self.station.shared.say_report(&report, self.used_mib);
                }
                Ok((stream, _)) = living.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    connections.spawn(api::serve(stream, Arc::clone(&station)));
                }
                Some(_) = connections.join_next() => {}
                () = station.wake.notified() => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    fn sample(&mut self, group: &Group) {
        self.used_mib = self.used_mib.max(process::used_mib_max(group.pid()).unwrap_or(0));
    }

    fn say_reports(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.station.shared.say_report(&report, self.used_mib);
        }
    }
}
