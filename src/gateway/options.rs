//! How a twin behaves where AWS leaves it open: modes and knobs.
//!
//! Each knob stands for something that AWS does not document; its default is what the twin takes
//! for most likely, and `docs/fidelity.md` says why.

use http::StatusCode;

/// How a twin is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How strictly limits are held.
    pub mode: Mode,
    /// Whether replies name the limiter that refused the request (`x-gwtf-limiter`).
    pub debug_header: bool,
    /// What AWS leaves open.
    pub knobs: Knobs,
    /// Seed of request ids; two twins of the same seed give the same ids in the same order.
    pub seed: u64,
}

impl Options {
    /// Strict, with the debug header off and every knob at its default.
    pub fn new(seed: u64) -> Self {
        Self { mode: Mode::Strict, debug_header: false, knobs: Knobs::default(), seed }
    }
}

/// How strictly limits are held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Exactly as the limits say.
    Strict,
    /// Somewhat more than the limits say, as AWS's "best-effort" throttles and quotas do.
    ///
    /// Beside each bucket stands a second one of `overshoot` times its rate and burst (at least one
    /// token). Of the requests that the first refuses, every second one, drawn by the seed, may
    /// take from the second. So a limit is overrun by at most the factor `1 + overshoot`, plus one
    /// request. A quota grows by a share of `overshoot` drawn per key and period.
    BestEffort {
        /// Seed of the draws; the same seed and arrivals give the same verdicts.
        seed: u64,
        /// Largest share that is admitted beyond the limit, `0.05` for five percent.
        overshoot: f64,
    },
}

/// What AWS leaves open.
#[derive(Debug, Clone, PartialEq)]
pub struct Knobs {
    /// Where the stage's and the account's limits stand.
    pub throttle_place: ThrottlePlace,
    /// Whether a request that any throttle refuses still counts against its key's quota.
    pub throttled_consumes_quota: bool,
    /// When quotas start anew.
    pub quota_reset: QuotaReset,
    /// What a path outside the stage gets.
    pub unknown_stage: UnknownStage,
    /// Whether `X-HTTP-Method-Override` replaces the method (documented; off for tools that send it).
    pub method_override: bool,
    /// Whether paths are matched after percent-decoding.
    pub decode_path: bool,
    /// Whether `application/json; charset=utf-8` counts as `application/json` for body checks.
    pub ignore_content_type_parameters: bool,
    /// Status when the headers are larger than AWS takes.
    pub headers_too_large_status: StatusCode,
    /// Status when the URL is longer than AWS takes.
    pub url_too_long_status: StatusCode,
    /// Status when Lambda throttles the function.
    pub throttled_function_status: StatusCode,
    /// Status when the integration cannot be reached.
    pub unreachable_status: StatusCode,
    /// Whether a Lambda integration refuses events that Lambda would refuse.
    pub lambda_payload_limits: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            throttle_place: ThrottlePlace::AfterUsagePlan,
            throttled_consumes_quota: false,
            quota_reset: QuotaReset::default(),
            unknown_stage: UnknownStage::Forbidden,
            method_override: true,
            decode_path: false,
            ignore_content_type_parameters: true,
            headers_too_large_status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            url_too_long_status: StatusCode::URI_TOO_LONG,
            throttled_function_status: StatusCode::INTERNAL_SERVER_ERROR,
            unreachable_status: StatusCode::GATEWAY_TIMEOUT,
            lambda_payload_limits: true,
        }
    }
}

/// Where the stage's and the account's limits stand relative to the authorizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottlePlace {
    /// Behind the usage plan, in the documented order of limits; the authorizer is not protected.
    AfterUsagePlan,
    /// In front of the authorizer and so of the usage plan.
    BeforeAuthorizer,
}

/// What a path outside the stage gets; 403 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownStage {
    /// `{"message":"Forbidden"}`.
    Forbidden,
    /// `{"message":"Missing Authentication Token"}`, as an unknown path.
    MissingAuthenticationToken,
}

/// When quotas start anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaReset {
    /// Seconds after midnight UTC at which days, weeks and months begin.
    pub after_midnight_utc_s: i64,
    /// Days after Sunday on which weeks begin.
    pub week_starts_after_sunday_days: u8,
}
