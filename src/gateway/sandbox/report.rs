//! The lines that Lambda writes about invocations.
//!
//! Source of their form: Lambda developer guide, "Viewing CloudWatch logs for Lambda functions".

use super::fault::{EXITED, Fault, TIMED_OUT};
use std::time::Duration;

/// What an invocation took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) request_id: String,
    pub(super) duration: Duration,
    /// Of a sandbox that was started for it.
    pub(super) init: Option<Duration>,
    /// The error that it ended with.
    pub(super) error: Option<Fault>,
}

/// `START`.
pub(super) fn start(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

/// What stands before `END` of an invocation that took too long.
pub(super) fn timed_out(utc: &str, request_id: &str, after: Duration) -> String {
    format!("{utc} {request_id} {}", super::fault::timed_out(after))
}

/// A start that took too long; it is made again.
pub(super) fn init_timeout(after: Duration) -> String {
    let ms = after.as_secs_f64() * 1e3;
    format!("INIT_REPORT Init Duration: {ms:.2} ms\tPhase: init\tStatus: timeout")
}

impl Report {
    /// `END`.
    pub(super) fn end(&self) -> String {
        format!("END RequestId: {}", self.request_id)
    }

    /// `REPORT`. A custom runtime's start is billed. An invocation that ended with too much memory
    /// in use has a type of its own here, though not in the function's error.
    pub(super) fn line(&self, memory_mib: u32, used_mib: u64, is_out_of_memory: bool) -> String {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let billed = self.duration + self.init.unwrap_or_default();
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {:.0} ms\t\
             Memory Size: {memory_mib} MB\tMax Memory Used: {used_mib} MB\t",
            self.request_id,
            ms(self.duration),
            ms(billed).ceil(),
        );
        if let Some(init) = self.init {
            line.push_str(&format!("Init Duration: {:.2} ms\t", ms(init)));
        }
        match &self.error {
            Some(fault) if fault.error_type == TIMED_OUT => line.push_str("Status: timeout"),
            Some(fault) => {
                let is_exit = fault.error_type == EXITED;
                let error_type = match is_exit && is_out_of_memory {
                    true => "Runtime.OutOfMemory",
                    false => &fault.error_type,
                };
                line.push_str(&format!("Status: error\tError Type: {error_type}"));
            }
            None => {}
        }
        line
    }

    /// What follows when the process ended.
    pub(super) fn exit(&self) -> Option<&Fault> {
        self.error.as_ref().filter(|fault| fault.error_type == EXITED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_lambdas_form() {
        let report = |error: Option<Fault>, init| Report {
            request_id: "r-1".into(),
            duration: Duration::from_micros(12_340),
            init,
            error,
        };
        let fault = |error_type: &str| Some(Fault::new(error_type, "no"));
        let init = Some(Duration::from_micros(47_110));
        let head = "REPORT RequestId: r-1\tDuration: 12.34 ms\tBilled Duration:";
        let memory = "Memory Size: 1024 MB\tMax Memory Used: 98 MB\t";
        for (report, is_oom, expected) in [
            (report(None, None), false, format!("{head} 13 ms\t{memory}")),
            (report(None, init), false, format!("{head} 60 ms\t{memory}Init Duration: 47.11 ms\t")),
            (
                report(fault(TIMED_OUT), None),
                false,
                format!("{head} 13 ms\t{memory}Status: timeout"),
            ),
            (
                report(fault(EXITED), None),
                false,
                format!("{head} 13 ms\t{memory}Status: error\tError Type: Runtime.ExitError"),
            ),
            (
                report(fault(EXITED), None),
                true,
                format!("{head} 13 ms\t{memory}Status: error\tError Type: Runtime.OutOfMemory"),
            ),
            (
                report(fault("KeyError"), None),
                true,
                format!("{head} 13 ms\t{memory}Status: error\tError Type: KeyError"),
            ),
        ] {
            assert_eq!(report.line(1_024, 98, is_oom), expected);
        }
        assert_eq!(start("r-1", "7"), "START RequestId: r-1 Version: 7");
        assert_eq!(report(None, None).end(), "END RequestId: r-1");
        assert_eq!(
            timed_out("2026-01-02T03:04:05.678Z", "r-1", Duration::from_secs(3)),
            "2026-01-02T03:04:05.678Z r-1 Task timed out after 3.00 seconds"
        );
    }
}
