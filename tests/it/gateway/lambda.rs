//! A Lambda function behind the twin: what it gets, and what clients get of what it returns.

use super::twin::{Bench, PEER, contract, debug, full, good, keyed, plan};
use bytes::Bytes;
use gwtf::gateway::lambda_proxy::{FunctionCall, FunctionReply, Functions, LambdaProxy};
use gwtf::gateway::{Body, IntegrationError, Options};
use gwtf::spec::limits::{LAMBDA_PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX};
use gwtf::spec::{Gateway, Integration};
use http::{Request, Response};
use serde_json::Value;
use std::sync::Mutex;

/// A function that returns the same whatever it gets, and remembers that.
struct Fixed {
    returns: Result<FunctionReply, IntegrationError>,
    events: Mutex<Vec<(String, Value)>>,
}

impl Functions for Fixed {
    async fn invoke(
        &self,
        version: &str,
        event: Bytes,
        call: FunctionCall,
    ) -> Result<FunctionReply, IntegrationError> {
        let event: Value = serde_json::from_slice(&event).unwrap();
        assert_eq!(event["headers"]["X-Amzn-Trace-Id"], call.trace_id.to_str().unwrap());
        self.events.lock().unwrap().push((version.to_owned(), event));
        self.returns.clone()
    }
}

fn returning(payload: impl Into<Bytes>) -> LambdaProxy<Fixed> {
    of(Ok(FunctionReply { payload: payload.into(), cold_start: false }))
}

fn of(returns: Result<FunctionReply, IntegrationError>) -> LambdaProxy<Fixed> {
    LambdaProxy(Fixed { returns, events: Mutex::default() })
}

fn lambda() -> Gateway {
    contract(|endpoint| endpoint.integration = Integration::LambdaProxy)
}

async fn call(function: &LambdaProxy<Fixed>, request: Request<Body>) -> Response<Bytes> {
    Bench::new(&lambda(), debug()).send(request, function).await
}

fn headers(response: &Response<Bytes>) -> Vec<(&str, &str)> {
    let own = ["x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id"];
    let headers = response.headers().iter();
    let mut found: Vec<(&str, &str)> = headers
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, _)| !own.contains(name))
        .collect();
    found.sort_unstable();
    found
}

const FAILED: &str = r#"{"message": "Internal server error"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");
const ERROR: (&str, &str) = ("x-amzn-errortype", "InternalServerErrorException");

#[tokio::test]
async fn a_function_is_answered_for_as_aws_does() {
    type Row = (&'static str, u16, &'static [(&'static str, &'static str)], &'static str);
    let rows: [Row; 14] = [
        (r#"{"body":"ok"}"#, 200, &[JSON], "ok"),
        (r#"{"statusCode":"201","body":"ok"}"#, 201, &[JSON], "ok"),
        (r#"{"statusCode":"test","body":"ok"}"#, 502, &[JSON, ERROR], FAILED),
        (r#"{"statusCode":204,"headers":null}"#, 204, &[JSON], ""),
        (r#"{"headers":{"a":true},"body":"ok"}"#, 200, &[("a", "true"), JSON], "ok"),
        (r#"{"body":"ok","wrongValue":1}"#, 502, &[JSON, ERROR], FAILED),
        (r#""text""#, 502, &[JSON, ERROR], FAILED),
        ("null", 502, &[JSON, ERROR], FAILED),
        (r#"{"multiValueHeaders":{"k":"v"}}"#, 502, &[JSON, ERROR], FAILED),
        (r#"{"body":{"k":"v"}}"#, 502, &[JSON, ERROR], FAILED),
        (
            r#"{"headers":{"K":"1"},"multiValueHeaders":{"k":["2","3"]},"body":"ok"}"#,
            200,
            &[JSON, ("k", "1"), ("k", "2"), ("k", "3")],
            "ok",
        ),
        (
            r#"{"headers":{"content-type":"text/plain","Server":"s","Date":"d","WWW-Authenticate":"w",
                "Content-Length":"9","Transfer-Encoding":"chunked"},"body":"ok"}"#,
            200,
            &[
                ("content-type", "text/plain"),
                ("x-amzn-remapped-content-length", "9"),
                ("x-amzn-remapped-date", "d"),
                ("x-amzn-remapped-server", "s"),
                ("x-amzn-remapped-www-authenticate", "w"),
            ],
            "ok",
        ),
        (r#"{"body":"b2s=","isBase64Encoded":true}"#, 200, &[JSON], "ok"),
        (r#"{"body":"no base64!","isBase64Encoded":true}"#, 500, &[JSON, ERROR], FAILED),
    ];
    for (payload, status, expected, body) in rows {
        let response = call(&returning(payload), good("/prod/predict")).await;
        assert_eq!(response.status(), status, "{payload}");
        assert_eq!(headers(&response), expected, "{payload}");
        assert_eq!(response.body(), body, "{payload}");
        assert!(response.headers().contains_key("x-amzn-trace-id"), "{payload}");
    }
}

#[tokio::test]
async fn base64_stays_as_it_is_where_the_media_type_is_not_binary() {
    let gateway = contract(|endpoint| {
        endpoint.integration = Integration::LambdaProxy;
        endpoint.binary_media_types = vec!["application/octet-stream".into()];
    });
    let function = returning(r#"{"body":"b2s=","isBase64Encoded":true}"#);
    let bench = Bench::new(&gateway, debug());
    for (accept, expected) in [
        ("application/octet-stream", "ok"),
        ("application/octet-stream;q=1, text/html", "ok"),
        ("text/html, application/octet-stream", "b2s="),
        ("application/*", "b2s="),
        ("*/*", "b2s="),
    ] {
        let request = Request::post("/prod/predict").header("accept", accept);
        let request = request.header("content-type", "application/octet-stream");
        let response = bench.send(request.body(full(&b"\xff"[..])).unwrap(), &function).await;
        assert_eq!(
            (response.status().as_u16(), response.body().as_ref()),
            (200, expected.as_bytes())
        );
    }
    let events = function.0.events.lock().unwrap();
    assert!(
        events.iter().all(|(_, event)| event["body"] == "/w==" && event["isBase64Encoded"] == true)
    );
}

#[tokio::test]
async fn the_integrations_errors_are_told_apart() {
    for (error, status, body, limiter) in [
        (IntegrationError::Throttled, 500, FAILED, Some("concurrency")),
        (IntegrationError::FunctionError("crash".into()), 502, FAILED, None),
        (IntegrationError::Timeout, 504, r#"{"message": "Endpoint request timed out"}"#, None),
    ] {
        let response = call(&of(Err(error)), good("/prod/predict")).await;
        assert_eq!(
            (response.status().as_u16(), response.body().as_ref()),
            (status, body.as_bytes())
        );
        let named = response.headers().get("x-gwtf-limiter").map(|name| name.to_str().unwrap());
        assert_eq!(named, limiter);
    }
}

#[tokio::test]
async fn an_event_is_measured_not_reckoned() {
    let function = returning(r#"{"body":"ok"}"#);
    let send = async |bytes: usize| {
        let request = Request::post("/prod/predict").header("content-type", "text/plain");
        let response = call(&function, request.body(full(vec![b'a'; bytes])).unwrap()).await;
        (response.status().as_u16(), response.body().clone())
    };
    // The first event says how large all else is.
    assert_eq!(send(3).await.0, 200);
    let small = function.0.events.lock().unwrap().pop().unwrap().1.to_string().len();
    let fits = (LAMBDA_PAYLOAD_BYTES_MAX - (small - 4)) / 4 * 3;
    assert_eq!(send(fits).await.0, 200);
    let too_long = (413, Bytes::from_static(br#"{"message": "Request Too Long"}"#));
    assert_eq!(send(fits + 1).await, too_long);
    assert_eq!(send(PAYLOAD_BYTES_MAX).await, too_long);
    assert_eq!(function.0.events.lock().unwrap().len(), 1, "what is too large never gets there");
}

#[tokio::test]
async fn a_cold_start_is_told_once_and_only_of_replies() {
    let cold = |payload: &'static str| {
        of(Ok(FunctionReply { payload: Bytes::from_static(payload.as_bytes()), cold_start: true }))
    };
    for (payload, expected) in [
        (r#"{"body":"ok"}"#, &["true"][..]),
        (r#"{"headers":{"x-gwtf-cold-start":"true"}}"#, &["true"]),
        ("null", &[]),
    ] {
        let response = call(&cold(payload), good("/prod/predict")).await;
        let found: Vec<_> = response.headers().get_all("x-gwtf-cold-start").iter().collect();
        assert_eq!(found, expected, "{payload}");
    }
}

#[tokio::test]
async fn the_function_gets_version_peer_and_the_key_of_its_caller() {
    let mut gateway = keyed(plan("gold"));
    gateway.integration = Integration::LambdaProxy;
    gateway.access_log_format =
        Some("$context.requestId $context.identity.apiKeyId $context.integrationStatus".into());
    let function = returning(r#"{"statusCode":418,"body":"short and stout"}"#);
    let bench = Bench::new(&gateway, Options::new(1));
    let response = bench.send(good("/prod/v1/predict"), &function).await;
    assert_eq!(response.status(), 418);
    let (version, event) = function.0.events.lock().unwrap().pop().unwrap();
    assert_eq!(version, "v1");
    let context = &event["requestContext"];
    assert_eq!(context["identity"]["sourceIp"], PEER.to_string());
    assert_eq!(context["identity"]["apiKey"], super::twin::KEY);
    assert_eq!(context["identity"]["apiKeyId"], "k1");
    assert_eq!(context["requestId"], response.headers()["x-amzn-requestid"].to_str().unwrap());
    assert_eq!(
        context["extendedRequestId"],
        response.headers()["x-amz-apigw-id"].to_str().unwrap()
    );
    let lines = bench.log.lines();
    assert!(lines[0].ends_with(" k1 200"), "Lambda itself answered well: {lines:?}");
    assert!(!lines[0].contains(super::twin::KEY));
}

#[tokio::test]
async fn an_http_integration_cannot_ask_for_text_bodies() {
    let gateway = contract(|endpoint| endpoint.binary_media_types = vec!["image/png".into()]);
    let clock = std::sync::Arc::new(gwtf::gateway::ManualClock::new(0));
    let refused = gwtf::gateway::Twin::new(&gateway, Options::new(1), clock, ());
    assert_eq!(refused.err(), Some(gwtf::gateway::Error::TextBodies));
}
