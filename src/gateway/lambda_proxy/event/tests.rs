use super::*;
use crate::gateway::{Api, BinaryMediaTypes};
use crate::spec::{Operation, Route};
use http::{Method, Request, Version};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::time::Instant;

/// 2024-08-02T23:34:43Z.
const RECEIVED_UTC_MS: u64 = 1_722_641_683_000;

fn invocation(request: Request<Bytes>, binary: &[&str]) -> Invocation {
    let types: Vec<String> = binary.iter().map(|entry| (*entry).to_owned()).collect();
    let route = Route::new(Method::POST, "/v1/models/iris:predict", Operation::Predict, Some("v1"));
    Invocation {
        api: Arc::new(Api {
            stage: "prod".to_owned(),
            binary_media_types: BinaryMediaTypes::new(&types),
        }),
        route: Arc::new(route),
        request,
        deadline: Instant::now(),
        request_id: HeaderValue::from_static("6f0b0000-0000-4000-8000-000000000000"),
        extended_request_id: HeaderValue::from_static("JKJaXmPLvHcESHA="),
        trace_id: HeaderValue::from_static("Root=1-67891233-abcdef012345678912345678"),
        api_key_id: None,
        peer: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
        received_utc_ms: RECEIVED_UTC_MS,
    }
}

fn parsed(invocation: &Invocation) -> Value {
    serde_json::from_slice(&event(invocation).expect("small enough")).expect("JSON")
}

fn post(uri: &str) -> http::request::Builder {
    Request::post(uri).header("host", "abcde12345.execute-api.eu-west-1.amazonaws.com:443")
}

#[test]
fn an_event_has_every_field_that_aws_records() {
    let request = post("/v1/models/iris:predict?v=1&v=2&a+b=%2B%20x;c")
        .header("user-agent", "curl/8")
        .header("accept", "*/*")
        .header("x-two", "1")
        .header("x-two", "2")
        .header("x-forwarded-for", "198.51.100.1")
        .header("x-forwarded-proto", "http")
        .header("x-amzn-trace-id", "Root=of-the-client")
        .body(Bytes::from_static(b"{\"x\":1}"))
        .unwrap();
    let expected = json!({
        "resource": "/v1/models/iris:predict",
        "path": "/v1/models/iris:predict",
        "httpMethod": "POST",
        "headers": {
            "Host": "abcde12345.execute-api.eu-west-1.amazonaws.com:443",
            "User-Agent": "curl/8",
            "accept": "*/*",
            "x-two": "2",
            "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
            "X-Forwarded-For": "198.51.100.1, 203.0.113.9",
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
        },
        "multiValueHeaders": {
            "Host": ["abcde12345.execute-api.eu-west-1.amazonaws.com:443"],
            "User-Agent": ["curl/8"],
            "accept": ["*/*"],
            "x-two": ["1", "2"],
            "X-Amzn-Trace-Id": ["Root=1-67891233-abcdef012345678912345678"],
            "X-Forwarded-For": ["198.51.100.1, 203.0.113.9"],
            "X-Forwarded-Port": ["443"],
            "X-Forwarded-Proto": ["https"],
        },
        "queryStringParameters": { "a b": "+ x", "c": "", "v": "2" },
        "multiValueQueryStringParameters": { "a b": ["+ x"], "c": [""], "v": ["1", "2"] },
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "gwtflocal0",
            "deploymentId": "local0",
            "domainName": "abcde12345.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abcde12345",
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": "POST",
            "identity": {
                "accessKey": null, "accountId": null, "caller": null,
                "cognitoAuthenticationProvider": null, "cognitoAuthenticationType": null,
                "cognitoIdentityId": null, "cognitoIdentityPoolId": null, "principalOrgId": null,
                "sourceIp": "203.0.113.9", "user": null, "userAgent": "curl/8", "userArn": null,
            },
            "path": "/prod/v1/models/iris:predict",
            "protocol": "HTTP/1.1",
            "requestId": "6f0b0000-0000-4000-8000-000000000000",
            "requestTime": "02/Aug/2024:23:34:43 +0000",
            "requestTimeEpoch": RECEIVED_UTC_MS,
            "resourceId": String::from_utf8(resource_id("/v1/models/iris:predict").to_vec()).unwrap(),
            "resourcePath": "/v1/models/iris:predict",
            "stage": "prod",
        },
        "body": "{\"x\":1}",
        "isBase64Encoded": false,
    });
    let found = parsed(&invocation(request, &[]));
    assert_eq!(found, expected, "{found:#}");
}

#[test]
fn what_is_absent_is_null_and_the_path_stays_as_sent() {
    let request = Request::get("/predict//test%2Balias/?").body(Bytes::new()).unwrap();
    let event = parsed(&invocation(request, &["*/*"]));
    for member in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ] {
        assert_eq!(event.get(member), Some(&Value::Null), "{member}");
    }
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event["path"], "/predict//test%2Balias/");
    assert_eq!(event["requestContext"]["path"], "/prod/predict//test%2Balias/");
    assert_eq!(event["requestContext"]["identity"]["userAgent"], Value::Null);
    assert_eq!(event["requestContext"]["domainName"], "");
}

#[test]
fn bodies_are_text_or_base64_by_their_media_type() {
    for (binary, content_type, body, expected, base64) in [
        (&[][..], "application/json", &b"{\"a\": \"\n\x01\"}"[..], "{\"a\": \"\n\u{1}\"}", false),
        (&[], "application/octet-stream", b"\xff\x00a", "\u{fffd}\u{0}a", false),
        (&["application/octet-stream"], "application/octet-stream", b"\xff\x00a", "/wBh", true),
        (&["application/octet-stream"], "application/json", b"{}", "{}", false),
        (&["*/*"], "application/json", b"{}", "e30=", true),
    ] {
        let request = post("/predict").header("content-type", content_type);
        let request = request.body(Bytes::from_static(body)).unwrap();
        let event = parsed(&invocation(request, binary));
        assert_eq!(event["body"], expected, "{binary:?} {content_type}");
        assert_eq!(event["isBase64Encoded"], base64, "{binary:?} {content_type}");
    }
}

#[test]
fn a_method_that_wants_a_key_tells_the_function_which() {
    let request = || post("/predict").header("x-api-key", "secret-key-value-of-a-test");
    let without = invocation(request().body(Bytes::new()).unwrap(), &[]);
    assert_eq!(parsed(&without)["requestContext"]["identity"].get("apiKey"), None);
    let mut with = invocation(request().body(Bytes::new()).unwrap(), &[]);
    with.api_key_id = Some(Arc::from("k1"));
    let identity = &parsed(&with)["requestContext"]["identity"];
    assert_eq!(identity["apiKey"], "secret-key-value-of-a-test");
    assert_eq!(identity["apiKeyId"], "k1");
}

#[test]
fn http2_and_values_that_are_no_utf8_are_taken() {
    let odd = HeaderValue::from_bytes(b"caf\xe9 \"1\"").unwrap();
    let request = post("/predict").version(Version::HTTP_2).header("x-odd", odd);
    let event = parsed(&invocation(request.body(Bytes::new()).unwrap(), &[]));
    assert_eq!(event["headers"]["x-odd"], "café \"1\"");
    assert_eq!(event["requestContext"]["protocol"], "HTTP/2.0");
}

#[test]
fn the_largest_event_is_lambdas_limit_to_the_byte() {
    let of = |bytes: usize, types: &[&str]| {
        let body = Bytes::from(vec![b'a'; bytes]);
        event(&invocation(post("/predict").body(body).unwrap(), types))
    };
    let envelope = of(1, &[]).unwrap().len() - 1;
    let fits = LAMBDA_PAYLOAD_BYTES_MAX - envelope;
    assert_eq!(of(fits, &[]).map(|event| event.len()), Some(LAMBDA_PAYLOAD_BYTES_MAX));
    assert_eq!(of(fits + 1, &[]), None);
    // Four bytes for three, and `true` is a byte less than `false`.
    let fits = (LAMBDA_PAYLOAD_BYTES_MAX - (envelope - 1)) / 4 * 3;
    assert!(of(fits, &["*/*"]).is_some());
    assert_eq!(of(fits + 1, &["*/*"]), None);
}
