//! Lambda's error documents: AWS's words, byte for byte where they are known.
//!
//! Sources: recorded replies of Lambda's Invoke API, and AWS's runtime interface emulator.

use super::options::InvokeError;
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// Longest error document that is looked into for its type and message, bytes.
const READ_BYTES_MAX: usize = 1 << 20;
/// Longest type or message taken out of an error document for this program's own words, characters.
const WORDS_CHARS_MAX: usize = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

/// What Lambda says of an invocation that ended without the function's own words.
pub(super) fn failure(request_id: &str, error_type: &str, cause: &str) -> InvokeError {
    plain(error_type, format!("RequestId: {request_id} Error: {cause}"))
}

fn plain(error_type: &str, message: String) -> InvokeError {
    let document = Document { error_type, error_message: &message };
    let payload = serde_json::to_vec(&document).expect("text is written to memory");
    InvokeError::FunctionError {
        error_type: error_type.to_owned(),
        message,
        payload: Bytes::from(payload),
    }
}

/// The function's timeout passed.
pub(super) fn timed_out(request_id: &str, timeout: Duration) -> InvokeError {
    let seconds = timeout.as_secs_f64();
    let message =
        format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
    InvokeError::TimedOut { message }
}

/// The function returned more than Lambda takes.
pub(super) fn response_too_large() -> InvokeError {
    plain(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size exceeded maximum allowed payload size \
             ({LAMBDA_PAYLOAD_BYTES_MAX} bytes)."
        ),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported<'a> {
    #[serde(borrow)]
    error_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_message: Option<Cow<'a, str>>,
}

/// An error that the function reported itself. Its document is handed on as it is; where it does
/// not name a type, the header's stands in.
pub(super) fn reported(payload: Bytes, header_type: Option<&str>) -> InvokeError {
    let read = &payload[..payload.len().min(READ_BYTES_MAX)];
    let reported = serde_json::from_slice::<Reported<'_>>(read);
    let (error_type, message) = match &reported {
        Ok(reported) => (reported.error_type.as_deref(), reported.error_message.as_deref()),
        Err(_) => (None, None),
    };
    let words = |text: &str| text.chars().take(WORDS_CHARS_MAX).collect::<String>();
    let error_type = words(error_type.or(header_type).unwrap_or("Runtime.Unknown"));
    let message = words(message.unwrap_or_default());
    InvokeError::FunctionError { error_type, message, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(error: &InvokeError) -> (&str, &str, &str) {
        let InvokeError::FunctionError { error_type, message, payload } = error else {
            panic!("{error}")
        };
        (error_type, message, std::str::from_utf8(payload).unwrap())
    }

    #[test]
    fn words_are_awss() {
        let error = failure("1d", "Runtime.ExitError", "Runtime exited with error: exit status 3");
        assert_eq!(
            document(&error).2,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1d Error: Runtime exited with error: exit status 3"}"#
        );
        assert_eq!(
            timed_out("1d", Duration::from_millis(1_500)).to_string(),
            "Sandbox.Timedout: RequestId: 1d Error: Task timed out after 1.50 seconds"
        );
        assert_eq!(
            document(&response_too_large()).2,
            r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#
        );
    }

    #[test]
    fn what_the_function_reports_is_handed_on() {
        let own = r#"{"errorMessage":"no\nmodel","errorType":"My.Error","stackTrace":[]}"#;
        let error = reported(Bytes::from(own), Some("Function.Other"));
        assert_eq!(document(&error), ("My.Error", "no\nmodel", own));
        for nonsense in ["", "7", "[1]", "\u{feff}{}", r#"{"errorType":7}"#] {
            let error = reported(Bytes::from(nonsense), Some("Function.Other"));
            assert_eq!(document(&error), ("Function.Other", "", nonsense));
        }
        assert_eq!(document(&reported(Bytes::new(), None)).0, "Runtime.Unknown");
    }
}
