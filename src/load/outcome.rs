//! What became of one request: the classes that keep their own histograms.

use serde::{Deserialize, Serialize};

/// One request's class. Every request planned ends in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A 2xx reply.
    Ok,
    /// 429 by a usage plan's throttle.
    ThrottledPlan,
    /// 429 by the stage's or method's throttle.
    ThrottledStage,
    /// 429 by the account's throttle.
    ThrottledAccount,
    /// 429 whose limiter the reply does not name (AWS does not).
    Throttled,
    /// 429 because the period's quota is used up.
    Quota,
    /// 403 for a missing, unknown or disabled key.
    ForbiddenKey,
    /// 401.
    Unauthorized,
    /// Any other 403.
    AccessDenied,
    /// Any other 4xx: the request itself was refused.
    InvalidRequest,
    /// 500 from a function that Lambda throttled (named by the reply).
    Concurrency,
    /// 502: the function failed.
    FunctionError,
    /// 503: no room in the server's queue.
    Overloaded,
    /// 504: the integration timed out.
    Timeout,
    /// Any other reply that is no success: 1xx, 3xx, other 5xx.
    UnexpectedStatus,
    /// No reply within the client's timeout.
    ClientTimeout,
    /// No connection, or it ended before a whole reply.
    ConnectError,
    /// Bytes that are no HTTP reply.
    ProtocolError,
    /// Still without a reply when the run ended: its times are lower bounds.
    InFlight,
}

impl Outcome {
    /// The class's name in JSON, tables and assertions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ThrottledPlan => "throttled_plan",
            Self::ThrottledStage => "throttled_stage",
            Self::ThrottledAccount => "throttled_account",
            Self::Throttled => "throttled",
            Self::Quota => "quota",
            Self::ForbiddenKey => "forbidden_key",
            Self::Unauthorized => "unauthorized",
            Self::AccessDenied => "access_denied",
            Self::InvalidRequest => "invalid_request",
            Self::Concurrency => "concurrency",
            Self::FunctionError => "function_error",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::UnexpectedStatus => "unexpected_status",
            Self::ClientTimeout => "client_timeout",
            Self::ConnectError => "connect_error",
            Self::ProtocolError => "protocol_error",
            Self::InFlight => "in_flight",
        }
    }

    /// Whether this is a 429 by policy (quota included).
    pub fn is_throttled(self) -> bool {
        matches!(
            self,
            Self::ThrottledPlan
                | Self::ThrottledStage
                | Self::ThrottledAccount
                | Self::Throttled
                | Self::Quota
        )
    }

    /// Whether this counts in `rate(error)`: neither ok, nor throttled, nor still in flight.
    pub fn is_error(self) -> bool {
        self != Self::Ok && self != Self::InFlight && !self.is_throttled()
    }
}
