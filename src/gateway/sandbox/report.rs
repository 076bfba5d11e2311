//! Lambda's own log lines: `START`, `END`, `REPORT`, `INIT_REPORT`.
//!
//! Source: Lambda developer guide, "Viewing function logs" and "Execution environment lifecycle".
//! Fields are parted by tabs, and there is one behind the last.

use std::fmt::Write as _;
use std::time::Duration;

/// How an invocation or an INIT ended, if not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Well,
    Timeout,
    Error(&'static str),
}

impl Ending {
    fn write(self, line: &mut String) {
        let written = match self {
            Self::Well => Ok(()),
            Self::Timeout => write!(line, "Status: timeout\t"),
            Self::Error(error_type) => write!(line, "Status: error\tError Type: {error_type}\t"),
        };
        written.expect("a string takes all");
    }
}

/// What `REPORT` says.
#[derive(Debug, Clone)]
pub(super) struct Report<'a> {
    pub(super) request_id: &'a str,
    pub(super) duration: Duration,
    pub(super) init: Option<Duration>,
    pub(super) memory_mib: u32,
    pub(super) used_mib: u64,
    pub(super) ending: Ending,
}

impl Report<'_> {
    /// The line. A custom runtime's INIT is billed (developer guide, "Lambda pricing" of 2025).
    pub(super) fn line(&self) -> String {
        let Self { request_id, memory_mib, used_mib, .. } = self;
        let billed = billed_ms(self.duration + self.init.unwrap_or_default());
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {billed} ms\t\
             Memory Size: {memory_mib} MB\tMax Memory Used: {used_mib} MB\t",
            ms(self.duration),
        );
        if let Some(init) = self.init {
            write!(line, "Init Duration: {:.2} ms\t", ms(init)).expect("a string takes all");
        }
        self.ending.write(&mut line);
        line
    }
}

pub(super) fn start(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

pub(super) fn end(request_id: &str) -> String {
    format!("END RequestId: {request_id}")
}

/// `INIT_REPORT`, for an INIT that failed; `phase` is `init` or `invoke`.
pub(super) fn init(init: Duration, phase: &str, ending: Ending) -> String {
    let mut line = format!("INIT_REPORT Init Duration: {:.2} ms\tPhase: {phase}\t", ms(init));
    ending.write(&mut line);
    line
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Begun milliseconds count in full.
fn billed_ms(duration: Duration) -> u128 {
    duration.as_micros().div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_awss_form() {
        let mut report = Report {
            request_id: "1d",
            duration: Duration::from_micros(12_340),
            init: Some(Duration::from_micros(47_110)),
            memory_mib: 1_024,
            used_mib: 98,
            ending: Ending::Well,
        };
        assert_eq!(
            report.line(),
            "REPORT RequestId: 1d\tDuration: 12.34 ms\tBilled Duration: 60 ms\t\
             Memory Size: 1024 MB\tMax Memory Used: 98 MB\tInit Duration: 47.11 ms\t"
        );
        report.init = None;
        report.ending = Ending::Timeout;
        assert_eq!(
            report.line(),
            "REPORT RequestId: 1d\tDuration: 12.34 ms\tBilled Duration: 13 ms\t\
             Memory Size: 1024 MB\tMax Memory Used: 98 MB\tStatus: timeout\t"
        );
        assert_eq!(start("1d", "7"), "START RequestId: 1d Version: 7");
        assert_eq!(end("1d"), "END RequestId: 1d");
        assert_eq!(
            init(Duration::from_secs(10), "init", Ending::Error("Runtime.ExitError")),
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: error\t\
             Error Type: Runtime.ExitError\t"
        );
    }
}
