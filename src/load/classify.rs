//! From a reply's status, headers and first bytes to its [`Outcome`]: pure, for every protocol.
//!
//! AWS names the reason in `x-amzn-ErrorType` and never says which limiter refused a request; a
//! server that does says so in `x-gwtf-limiter`. What neither header says is read from the body's
//! documented text.

use super::outcome::Outcome;

/// Longest limiter name kept; a longer one is cut.
pub(super) const LIMITER_NAME_BYTES_MAX: usize = 23;
/// Bytes of a reply's body that are kept, to classify it and to show an example.
pub(super) const BODY_START_BYTES_MAX: usize = 120;

/// Up to `N` bytes in place, so that a reply needs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Short<N> {
    /// No bytes.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// Adds bytes up to the capacity.
    pub(super) fn extend(&mut self, more: &[u8]) {
        let len = usize::from(self.len);
        let taken = more.len().min(N - len);
        self.bytes[len..len + taken].copy_from_slice(&more[..taken]);
        self.len = (len + taken) as u8;
    }

    /// The bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// What `x-amzn-ErrorType` says, as far as it decides an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ErrorType {
    /// Absent, or a type that decides nothing.
    #[default]
    Other,
    /// `LimitExceededException`: the quota.
    LimitExceeded,
    /// `ForbiddenException`: the API key.
    Forbidden,
}

/// The facts of a reply that decide its outcome, gathered header by header.
#[derive(Debug, Clone)]
pub(super) struct ReplyFacts {
    /// The status code.
    pub(super) status: u16,
    /// The limiter's name; empty when the reply names none.
    pub(super) limiter: Short<LIMITER_NAME_BYTES_MAX>,
    /// A sandbox had just started.
    pub(super) cold_start: bool,
    /// Milliseconds from `x-amz-retry-after`, which the AWS SDKs follow.
    pub(super) retry_after_ms: Option<u32>,
    /// The body's first bytes.
    pub(super) body_start: Short<BODY_START_BYTES_MAX>,
    error_type: ErrorType,
}

impl ReplyFacts {
    /// A reply of which only the status is known.
    pub(super) const fn new(status: u16) -> Self {
        Self {
            status,
            limiter: Short::new(),
            cold_start: false,
            retry_after_ms: None,
            body_start: Short::new(),
            error_type: ErrorType::Other,
        }
    }

    /// Takes note of a header. Lengths are compared first: most headers decide nothing.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) {
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"x-gwtf-limiter") => {
                self.limiter = Short::new();
                self.limiter.extend(value);
            }
            16 if name.eq_ignore_ascii_case(b"x-amzn-errortype") => {
                self.error_type = error_type(value);
            }
            17 if name.eq_ignore_ascii_case(b"x-gwtf-cold-start") => {
                self.cold_start = value == b"true";
            }
            17 if name.eq_ignore_ascii_case(b"x-amz-retry-after") => {
                self.retry_after_ms = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
            }
            _ => {}
        }
    }

    /// The outcome.
    pub(super) fn outcome(&self) -> Outcome {
        match self.status {
            200..=299 => Outcome::Ok,
            429 => self.throttled(),
            401 => Outcome::Unauthorized,
            403 if self.error_type == ErrorType::Forbidden || self.body_says("Forbidden") => {
                Outcome::ForbiddenKey
            }
            403 => Outcome::AccessDenied,
            400..=499 => Outcome::InvalidRequest,
            500 if self.limiter.as_bytes() == b"concurrency" => Outcome::Concurrency,
            502 => Outcome::FunctionError,
            503 => Outcome::Overloaded,
            504 => Outcome::Timeout,
            _ => Outcome::UnexpectedStatus,
        }
    }

    fn throttled(&self) -> Outcome {
        match self.limiter.as_bytes() {
            b"plan" => Outcome::ThrottledPlan,
            b"stage" => Outcome::ThrottledStage,
            b"account" => Outcome::ThrottledAccount,
            b"quota" => Outcome::Quota,
            _ if self.error_type == ErrorType::LimitExceeded => Outcome::Quota,
            _ if self.body_says("Limit Exceeded") => Outcome::Quota,
            _ => Outcome::Throttled,
        }
    }

    /// Whether the body is API Gateway's message of exactly this text.
    fn body_says(&self, message: &str) -> bool {
        let body = self.body_start.as_bytes();
        body.strip_prefix(br#"{"message":""#)
            .and_then(|rest| rest.strip_prefix(message.as_bytes()))
            .is_some_and(|rest| rest == br#""}"#)
    }
}

/// The type may carry a namespace and a URL: `com.amazonaws#ForbiddenException:http://…`.
fn error_type(value: &[u8]) -> ErrorType {
    let end = memchr::memchr(b':', value).unwrap_or(value.len());
    let start = memchr::memchr(b'#', &value[..end]).map_or(0, |at| at + 1);
    match &value[start..end] {
        b"LimitExceededException" => ErrorType::LimitExceeded,
        b"ForbiddenException" => ErrorType::Forbidden,
        _ => ErrorType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
        let mut facts = ReplyFacts::new(status);
        for (name, value) in headers {
            facts.note(name.as_bytes(), value.as_bytes());
        }
        facts.body_start.extend(body.as_bytes());
        facts.outcome()
    }

    const ERROR_TYPE: &str = "x-amzn-ErrorType";
    const LIMITER: &str = "X-Gwtf-Limiter";

    #[test]
    fn every_status_has_its_class() {
        let cases = [
            (200, Outcome::Ok),
            (204, Outcome::Ok),
            (101, Outcome::UnexpectedStatus),
            (302, Outcome::UnexpectedStatus),
            (400, Outcome::InvalidRequest),
            (401, Outcome::Unauthorized),
            (403, Outcome::AccessDenied),
            (404, Outcome::InvalidRequest),
            (413, Outcome::InvalidRequest),
            (429, Outcome::Throttled),
            (500, Outcome::UnexpectedStatus),
            (501, Outcome::UnexpectedStatus),
            (502, Outcome::FunctionError),
            (503, Outcome::Overloaded),
            (504, Outcome::Timeout),
            (599, Outcome::UnexpectedStatus),
            (999, Outcome::UnexpectedStatus),
        ];
        for (status, expected) in cases {
            assert_eq!(outcome(status, &[], ""), expected, "{status}");
        }
    }

    #[test]
    fn limiters_and_error_types_tell_replies_apart() {
        let quota = r#"{"message":"Limit Exceeded"}"#;
        let forbidden = r#"{"message":"Forbidden"}"#;
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(u16, Headers, &str, Outcome); 14] = [
            (429, &[(LIMITER, "plan")], "", Outcome::ThrottledPlan),
            (429, &[(LIMITER, "stage")], "", Outcome::ThrottledStage),
            (429, &[(LIMITER, "account")], "", Outcome::ThrottledAccount),
            (429, &[(LIMITER, "quota")], "", Outcome::Quota),
            (429, &[(LIMITER, "of-somebody-else-with-a-long-name")], "", Outcome::Throttled),
            (429, &[(ERROR_TYPE, "TooManyRequestsException")], "", Outcome::Throttled),
            (429, &[(ERROR_TYPE, "LimitExceededException")], "", Outcome::Quota),
            (429, &[], quota, Outcome::Quota),
            (403, &[(ERROR_TYPE, "ForbiddenException")], "", Outcome::ForbiddenKey),
            (403, &[(ERROR_TYPE, "a#ForbiddenException:http://b/")], "", Outcome::ForbiddenKey),
            (403, &[(ERROR_TYPE, "AccessDeniedException")], "", Outcome::AccessDenied),
            (403, &[], forbidden, Outcome::ForbiddenKey),
            (500, &[(LIMITER, "concurrency")], "", Outcome::Concurrency),
            (200, &[(LIMITER, "plan")], "", Outcome::Ok),
        ];
        for (status, headers, body, expected) in cases {
            assert_eq!(outcome(status, headers, body), expected, "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn the_other_headers_are_read_and_long_values_cut() {
        let mut facts = ReplyFacts::new(200);
        facts.note(b"X-GWTF-Cold-Start", b"true");
        facts.note(b"x-amz-retry-after", b"1500");
        facts.note(b"x-gwtf-limiter", &[b'l'; 100]);
        assert!(facts.cold_start);
        assert_eq!(facts.retry_after_ms, Some(1_500));
        assert_eq!(facts.limiter.as_bytes(), [b'l'; LIMITER_NAME_BYTES_MAX]);
        facts.body_start.extend(&[b'a'; 100]);
        facts.body_start.extend(&[b'b'; 100]);
        assert_eq!(facts.body_start.as_bytes().len(), BODY_START_BYTES_MAX);
        facts.note(b"x-amz-retry-after", b"soon");
        assert_eq!(facts.retry_after_ms, None);
    }
}
