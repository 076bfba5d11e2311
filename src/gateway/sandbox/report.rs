//! The lines that Lambda writes about invocations.
//!
//! Source of their form: Lambda developer guide, "Viewing CloudWatch logs for Lambda functions".

use std::time::Duration;

/// What an invocation took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) request_id: String,
    pub(super) duration: Duration,
    /// Of a sandbox that was started for it.
    pub(super) init: Option<Duration>,
    /// Lambda's type of the error that it ended with.
    pub(super) error_type: Option<String>,
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

    /// `REPORT`. A custom runtime's start is billed.
    pub(super) fn line(&self, memory_mib: u32, used_mib: u64) -> String {
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
        match self.error_type.as_deref() {
            Some("Sandbox.Timedout") => line.push_str("Status: timeout"),
            Some(error_type) => {
                line.push_str(&format!("Status: error\tError Type: {error_type}"));
            }
            None => {}
        }
        line
    }
}
