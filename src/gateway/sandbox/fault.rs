//! What Lambda says of an invocation that failed, in its own words.
//!
//! Source of the texts: what AWS's Runtime Interface Emulator answers (tests compare with it), and
//! recorded answers of Lambda's Invoke API.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

/// Longest type and message kept of what a function reports, bytes.
const TYPE_BYTES_MAX: usize = 256;
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// Type of a process that ended.
pub(super) const EXITED: &str = "Runtime.ExitError";
/// Type of an invocation that took longer than the function's timeout.
pub(super) const TIMED_OUT: &str = "Sandbox.Timedout";

/// A function error: the payload that Lambda's Invoke API gives with `X-Amz-Function-Error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `errorType`.
    pub error_type: String,
    /// `errorMessage`. May quote what the function says.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

/// Why an invocation gave no payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The function has no concurrency left; which limit it was is in the statistics.
    #[error("the function is throttled")]
    Throttled,
    /// The event is longer than Lambda takes, bytes.
    #[error("the event has {bytes} bytes, more than Lambda takes")]
    EventTooLarge {
        /// How long it is.
        bytes: usize,
    },
    /// The function took longer than its timeout; its process was killed.
    #[error("{0}")]
    TimedOut(Fault),
    /// The function reported an error, its process ended, or it could not be started.
    #[error("{0}")]
    Function(Fault),
}

impl InvokeError {
    /// What Lambda says of a function that failed.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::TimedOut(fault) | Self::Function(fault) => Some(fault),
            Self::Throttled | Self::EventTooLarge { .. } => None,
        }
    }
}

impl Fault {
    pub(super) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self { error_type: error_type.to_owned(), message: message.into() }
    }

    /// The process ended without an answer.
    pub(super) fn exited(request_id: &str, status: ExitStatus) -> Self {
        let text = match (status.code(), status.signal()) {
            (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
            (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
            (None, signal) => {
                format!("Runtime exited with error: signal: {}", signal_name(signal.unwrap_or(0)))
            }
        };
        Self::new(EXITED, format!("RequestId: {request_id} Error: {text}"))
    }

    /// The function's timeout has passed.
    pub(super) fn timed_out(request_id: &str, after: Duration) -> Self {
        let text = format!("RequestId: {request_id} Error: {}", timed_out(after));
        Self::new(TIMED_OUT, text)
    }

    /// The process cannot be waited for, or the fleet ends.
    pub(super) fn lost(request_id: &str) -> Self {
        let text =
            format!("RequestId: {request_id} Error: Runtime exited without providing a reason");
        Self::new(EXITED, text)
    }

    /// The answer is longer than Lambda takes.
    pub(super) fn response_too_large() -> Self {
        let max = crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
        let text =
            format!("Response payload size exceeded maximum allowed payload size ({max} bytes).");
        Self::new("Function.ResponseSizeTooLarge", text)
    }

    /// What the function reports: the body of its call, else the type in the call's header.
    pub(super) fn reported(body: &[u8], header: Option<&str>) -> Self {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Report {
            error_message: Option<String>,
            error_type: Option<String>,
        }
        let report = serde_json::from_slice::<Report>(body).ok();
        let (message, own) = report.map_or((None, None), |r| (r.error_message, r.error_type));
        let mut error_type =
            own.or_else(|| header.map(str::to_owned)).unwrap_or_else(|| "Runtime.Unknown".into());
        let mut message = message.unwrap_or_default();
        cut(&mut error_type, TYPE_BYTES_MAX);
        cut(&mut message, MESSAGE_BYTES_MAX);
        Self { error_type, message }
    }
}

/// What stands in the log and in the error when the function's timeout has passed.
pub(super) fn timed_out(after: Duration) -> String {
    format!("Task timed out after {:.2} seconds", after.as_secs_f64())
}

fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
}

/// Go's names, in which Lambda's agent is written.
fn signal_name(signal: i32) -> String {
    match signal {
        1 => "hangup",
        2 => "interrupt",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        _ => return format!("signal {signal}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_processes_are_said_as_by_aws() {
        for (wait_status, expected) in [
            (0, "Runtime exited without providing a reason"),
            (3 << 8, "Runtime exited with error: exit status 3"),
            (9, "Runtime exited with error: signal: killed"),
            (11, "Runtime exited with error: signal: segmentation fault"),
            (6 | 0x80, "Runtime exited with error: signal: aborted"),
            (34, "Runtime exited with error: signal: signal 34"),
        ] {
            let fault = Fault::exited("r", ExitStatus::from_raw(wait_status));
            assert_eq!(
                fault.to_string(),
                format!("Runtime.ExitError: RequestId: r Error: {expected}")
            );
        }
        let fault = Fault::timed_out("r", Duration::from_secs(1));
        assert_eq!(fault.error_type, "Sandbox.Timedout");
        assert_eq!(fault.message, "RequestId: r Error: Task timed out after 1.00 seconds");
    }

    #[test]
    fn what_a_function_reports_is_taken_whatever_it_is() {
        let long = format!("{{\"errorMessage\":\"{}\"}}", "\u{e9}".repeat(MESSAGE_BYTES_MAX));
        for (body, header, error_type, message_bytes) in [
            (r#"{"errorMessage":"m","errorType":"T","stackTrace":[]}"#, Some("H.X"), "T", 1),
            (r#"{"errorMessage":"m"}"#, Some("H.X"), "H.X", 1),
            ("no json", None, "Runtime.Unknown", 0),
            ("[]", Some("H.X"), "H.X", 0),
            (r#"{"errorMessage":1}"#, None, "Runtime.Unknown", 0),
            ("", None, "Runtime.Unknown", 0),
            (&long, None, "Runtime.Unknown", MESSAGE_BYTES_MAX),
        ] {
            let fault = Fault::reported(body.as_bytes(), header);
            assert_eq!((&*fault.error_type, fault.message.len()), (error_type, message_bytes));
        }
    }
}
