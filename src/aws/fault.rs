//! What went wrong with a call, before it is said which one.

mod rules;

use crate::apply::{CallError, Failed, Retry};
use crate::plan::query::Service;
use crate::spec::timestamp::Timestamp;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use aws_sdk_sts::primitives::DateTime;
use hyper_util::client::legacy::Error as TransportError;
use std::error::Error;
use std::fmt::Display;
use std::time::{Duration, SystemTime};

/// Longest message that is passed on, characters.
const MESSAGE_CHARS_MAX: usize = 500;
/// Longest code and request id, characters.
const WORD_CHARS_MAX: usize = 100;
/// Longest wait that a service is believed to ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Deepest chain of causes that is looked through.
const CAUSES_MAX: usize = 16;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) failed: Failed,
    pub(super) retry: Retry,
    retry_after: Option<Duration>,
    code: String,
    message: String,
    request_id: Option<String>,
}

impl Fault {
    /// One of gwtf's own.
    pub(super) fn new(failed: Failed, retry: Retry, code: &str, message: &dyn Display) -> Self {
        Self {
            failed,
            retry,
            retry_after: None,
            code: code.to_owned(),
            message: clean(&message.to_string(), MESSAGE_CHARS_MAX),
            request_id: None,
        }
    }

    /// The request cannot be sent as it is.
    pub(super) fn unsendable(why: &dyn Display) -> Self {
        Self::new(Failed::Invalid, Retry::Never, "Unsendable", why)
    }

    /// The reply lacks something or is not what it should be.
    pub(super) fn malformed(why: &dyn Display) -> Self {
        Self::new(Failed::NoReply, Retry::Unknown, "MalformedReply", why)
    }

    /// Says which call it was.
    pub(super) fn about(self, call: (Service, &'static str), object: String) -> CallError {
        let (service, operation) = (call.0.prefix(), call.1);
        let Self { failed, retry, retry_after, code, message, request_id } = self;
        CallError {
            service,
            operation,
            object,
            failed,
            retry,
            retry_after,
            code,
            message,
            request_id,
        }
    }
}

impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> From<SdkError<E>> for Fault {
    fn from(error: SdkError<E>) -> Self {
        let request_id = error.request_id().map(|id| clean(id, WORD_CHARS_MAX));
        let fault = match &error {
            SdkError::ServiceError(refused) => {
                Self::refused(refused.raw(), refused.err().meta(), refused.err())
            }
            SdkError::ResponseError(_) => Self::malformed(&causes(&error)),
            SdkError::TimeoutError(_) => {
                Self::new(Failed::NoReply, Retry::Unknown, "Timeout", &"no reply in time")
            }
            other => Self::unsent(other),
        };
        Self { request_id, ..fault }
    }
}

impl Fault {
    /// The service answered with an error, or with a reply that cannot be read.
    fn refused(
        raw: &HttpResponse,
        metadata: &aws_sdk_sts::error::ErrorMetadata,
        error: &dyn Error,
    ) -> Self {
        let status = raw.status().as_u16();
        let code = metadata.code().unwrap_or_default();
        let message = metadata.message().unwrap_or_default();
        if (200..300).contains(&status) && code.is_empty() {
            return Self::malformed(&causes(error));
        }
        let (failed, retry) = rules::judge(status, code, message);
        let code = if code.is_empty() { format!("HTTP{status}") } else { code.to_owned() };
        let message = if message.is_empty() { "no message" } else { without_signature(message) };
        Self {
            retry_after: raw.headers().get("retry-after").and_then(seconds),
            ..Self::new(failed, retry, &clean(&code, WORD_CHARS_MAX), &message)
        }
    }

    /// No reply came.
    fn unsent<E: Error + 'static>(error: &SdkError<E>) -> Self {
        let message = causes(error);
        if cause::<CredentialsError>(error).is_some() {
            return Self::new(Failed::Credentials, Retry::Never, "NoCredentials", &message);
        }
        if matches!(error, SdkError::ConstructionFailure(_)) {
            return Self::unsendable(&message);
        }
        let never_connected =
            cause::<TransportError>(error).is_some_and(TransportError::is_connect);
        let (retry, code) = if never_connected {
            (Retry::Safe, "NoConnection")
        } else {
            (Retry::Unknown, "ConnectionLost")
        };
        Self::new(Failed::NoReply, retry, code, &message)
    }
}

/// The reply, or `None` when the thing that was asked about is not there.
pub(super) fn found<T, E>(reply: Result<T, E>) -> Result<Option<T>, Fault>
where
    Fault: From<E>,
{
    match reply.map_err(Fault::from) {
        Ok(reply) => Ok(Some(reply)),
        Err(fault) if fault.failed == Failed::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A member that every reply of its kind has.
pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::malformed(&format!("the reply has no `{name}`")))
}

/// A number as the SDK takes it.
pub(super) fn sendable<N: TryInto<i32> + Display + Copy>(number: N) -> Result<i32, Fault> {
    number.try_into().map_err(|_| Fault::unsendable(&format!("`{number}` is too large")))
}

/// A number as gwtf has it; a negative one, which stands for none, is none.
pub(super) fn shown<N: TryInto<u32>>(number: N) -> Option<u32> {
    number.try_into().ok()
}

/// An instant as gwtf has it; none for one before 1970.
pub(super) fn instant(time: Option<DateTime>) -> Option<Timestamp> {
    let since = Duration::from_secs(u64::try_from(time?.secs()).ok()?);
    Some(Timestamp::from(SystemTime::UNIX_EPOCH.checked_add(since)?))
}

/// `Retry-After` in seconds; its other form, a date, is not used by AWS.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// A refused signature is explained with the request's headers, the session token among them.
fn without_signature(message: &str) -> &str {
    let cut = ["The Canonical String", "The String-to-Sign", "X-Amz-Security-Token"]
        .iter()
        .filter_map(|words| message.to_ascii_lowercase().find(&words.to_ascii_lowercase()))
        .min();
    cut.map_or(message, |at| message[..at].trim_end())
}

/// One line of bounded length.
fn clean(text: &str, chars_max: usize) -> String {
    let mut cleaned: String = text
        .chars()
        .take(chars_max)
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(chars_max).is_some() {
        cleaned.push('…');
    }
    cleaned
}

fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    for _ in 0..CAUSES_MAX {
        let error = next?;
        if let Some(cause) = error.downcast_ref() {
            return Some(cause);
        }
        next = error.source();
    }
    None
}

/// An error with its causes, each said once.
fn causes(error: &dyn Error) -> String {
    let mut words: Vec<String> = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause.filter(|_| words.len() < CAUSES_MAX) {
        let text = error.to_string();
        if !words.iter().any(|word| word.ends_with(&text)) {
            words.push(text);
        }
        cause = error.source();
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_signature_and_no_controls() {
        let message = "The request signature does not match.\n\nThe Canonical String for this request \
                       should have been\n'POST\n/\nx-amz-security-token:SECRET'";
        assert_eq!(without_signature(message), "The request signature does not match.");
        assert_eq!(clean("a\nb\u{1b}[31m", 10), "a b\u{fffd}[31m");
        assert_eq!(clean(&"é".repeat(200), 3), "ééé…");
    }

    #[test]
    fn waits_are_bounded() {
        assert_eq!(seconds(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(seconds("99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(seconds("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn instants_are_whole_seconds_from_1970() {
        let text = |secs| instant(Some(DateTime::from_secs(secs))).map(|time| time.to_string());
        assert_eq!(text(951_782_400).as_deref(), Some("2000-02-29T00:00:00Z"));
        assert_eq!(text(-1), None);
        assert_eq!(instant(None), None);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert_eq!(sendable(7_u64).unwrap(), 7);
        assert_eq!(sendable(u32::MAX).unwrap_err().failed, Failed::Invalid);
        assert_eq!((shown(-1_i32), shown(5_i64)), (None, Some(5)));
    }
}
