//! The log of `gwtf-runtime`: one JSON object a line, which CloudWatch also takes metrics from.
//!
//! A request's line is a document of CloudWatch's embedded metric format (EMF) with further members
//! beside the metrics. Facts: CloudWatch user guide, "Specification: Embedded metric format": the
//! root holds `_aws` with `Timestamp` (milliseconds) and `CloudWatchMetrics`; each metric and
//! dimension that a directive names is a member of the root; dimensions are strings; units come
//! from a list.
//!
//! # Invariants
//! No payload, header value, key or path of a client is ever a part of a line: a route is named as
//! the route table names it, an id only if it has the form of one.

use serde::{Serialize, Serializer};
use std::io::Write;
use std::time::Duration;

/// The metrics' namespace in CloudWatch.
const NAMESPACE: &str = "gwtf";

/// What kind of error a request ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorClass {
    /// The path or its method is none of the endpoint's.
    NoRoute,
    /// The client sent what the model does not take.
    InvalidRequest,
    /// The body is larger than taken.
    RequestTooLarge,
    /// Every session is busy, or there is none yet or any more.
    Unavailable,
    /// The deadline passed.
    DeadlinePassed,
    /// The run failed.
    Model,
    /// The reply is larger than Lambda carries.
    ReplyTooLarge,
    /// Lambda was given something else than a proxy event.
    InvalidEvent,
    /// A defect of gwtf.
    Panic,
}

impl ErrorClass {
    /// The class of a reply's status; `None` for a success.
    pub(super) fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            0..=399 => return None,
            404 | 405 => Self::NoRoute,
            413 => Self::RequestTooLarge,
            400..=499 => Self::InvalidRequest,
            503 => Self::Unavailable,
            504 => Self::DeadlinePassed,
            _ => Self::Model,
        })
    }
}

/// One answered request.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestLine<'a> {
    /// Milliseconds since 1970 at which it came.
    pub(super) timestamp_ms: u64,
    pub(super) endpoint: &'a str,
    pub(super) version: &'a str,
    /// Lambda's id of the invocation, or the HTTP host's of the request.
    pub(super) request_id: &'a str,
    pub(super) gateway_request_id: Option<&'a str>,
    pub(super) trace_id: Option<&'a str>,
    /// `POST /predict`; `None` where there is no such route.
    pub(super) route: Option<&'a str>,
    /// `None` when the function gave an error instead of a reply.
    pub(super) status: Option<u16>,
    /// From the whole request's being here until the reply is handed on.
    pub(super) duration: Duration,
    /// What the model took, waiting for a session included.
    pub(super) inference: Option<Duration>,
    /// What the start took; on the first request of the process alone.
    pub(super) init: Option<Duration>,
    pub(super) request_bytes: usize,
    pub(super) reply_bytes: usize,
    pub(super) error: Option<ErrorClass>,
    /// gwtf's own words on a function error.
    pub(super) message: Option<&'a str>,
}

impl RequestLine<'_> {
    /// Appends the line, its end included.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let metric = |name, unit, is_there: bool| is_there.then_some(Metric { name, unit });
        let metrics = [
            metric("ColdStart", "Count", true),
            metric("InitTime", "Milliseconds", self.init.is_some()),
            metric("InferenceTime", "Milliseconds", self.inference.is_some()),
        ];
        let document = RequestDocument {
            aws: Aws {
                timestamp: self.timestamp_ms,
                cloud_watch_metrics: [Directive {
                    namespace: NAMESPACE,
                    dimensions: [["Endpoint", "Version"]],
                    metrics: Metrics(metrics),
                }],
            },
            endpoint: self.endpoint,
            version: self.version,
            cold_start: u8::from(self.init.is_some()),
            init_time: self.init.map(ms),
            inference_time: self.inference.map(ms),
            level: if self.status.is_some_and(|status| status < 500) { "info" } else { "error" },
            event: "request",
            request_id: self.request_id,
            gateway_request_id: self.gateway_request_id,
            trace_id: self.trace_id,
            route: self.route,
            status: self.status,
            duration_ms: ms(self.duration),
            request_bytes: self.request_bytes,
            reply_bytes: self.reply_bytes,
            error: self.error,
            message: self.message,
        };
        write_line(&document, out);
    }
}

/// Something that is no request: a start that failed, a panic, a connection that broke.
#[derive(Debug, Clone, Serialize)]
pub(super) struct EventLine<'a> {
    pub(super) level: &'a str,
    pub(super) event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a str>,
    pub(super) message: &'a str,
}

impl EventLine<'_> {
    /// Writes the line to `log`. A log that takes nothing is no reason to stop serving.
    pub(super) fn emit(&self, log: &mut dyn Write) {
        let mut line = Vec::new();
        write_line(self, &mut line);
        let _ = log.write_all(&line);
    }
}

fn write_line(document: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, document).expect("text and numbers are written to memory");
    out.push(b'\n');
}

/// Milliseconds to the microsecond.
fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

#[derive(Serialize)]
struct RequestDocument<'a> {
    #[serde(rename = "_aws")]
    aws: Aws,
    #[serde(rename = "Endpoint")]
    endpoint: &'a str,
    #[serde(rename = "Version")]
    version: &'a str,
    #[serde(rename = "ColdStart")]
    cold_start: u8,
    #[serde(rename = "InitTime", skip_serializing_if = "Option::is_none")]
    init_time: Option<f64>,
    #[serde(rename = "InferenceTime", skip_serializing_if = "Option::is_none")]
    inference_time: Option<f64>,
    level: &'a str,
    event: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    duration_ms: f64,
    request_bytes: usize,
    reply_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aws {
    timestamp: u64,
    cloud_watch_metrics: [Directive; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [[&'static str; 2]; 1],
    metrics: Metrics,
}

/// The metrics that this line has.
struct Metrics([Option<Metric>; 3]);

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flatten())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

#[cfg(test)]
mod tests;
