use super::*;
use serde_json::{Value, json};

/// An event as API Gateway sends it, absent maps being `null`.
fn recorded() -> Value {
    json!({
        "resource": "/predict", "path": "/predict", "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "X-Secret": "s3cret", "Host": "h"},
        "multiValueHeaders": {"Content-Type": ["application/json"], "X-Secret": ["s3cret"]},
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": null, "stageVariables": null,
        "requestContext": {
            "accountId": "111122223333", "stage": "prod", "path": "/prod/predict",
            "identity": {"accessKey": null, "sourceIp": "203.0.113.9"},
            "requestId": "6f0b0f9e-0000-4000-8000-000000000000",
            "requestTimeEpoch": 1_722_641_683_000u64,
        },
        "body": "{\"x\":1}", "isBase64Encoded": false,
    })
}

fn with(changes: &Value) -> String {
    let mut event = recorded();
    for (key, value) in changes.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string()
}

#[test]
fn a_recorded_event_is_read() {
    let text = recorded().to_string();
    let event = parse(text.as_bytes()).unwrap();
    assert_eq!((&*event.method, &*event.path, &*event.resource), ("POST", "/predict", "/predict"));
    assert_eq!((&*event.body, event.is_base64), ("{\"x\":1}", false));
    assert_eq!(event.headers.content_type.as_deref(), Some("application/json"));
    let id = event.gateway_request_id.as_deref();
    assert_eq!(id, Some("6f0b0f9e-0000-4000-8000-000000000000"));
    assert!(matches!(event.path, Cow::Borrowed(_)), "a path without escapes is borrowed");
    assert!(!format!("{event:?}").contains("s3cret"));
}

#[test]
fn maps_may_be_null_or_absent() {
    for text in [
        with(&json!({"headers": null, "multiValueHeaders": null, "body": null,
            "isBase64Encoded": null, "requestContext": null, "resource": null})),
        json!({"httpMethod": "POST", "path": "/predict"}).to_string(),
    ] {
        let event = parse(text.as_bytes()).unwrap();
        assert_eq!(event.headers, Headers::default());
        assert_eq!((&*event.body, event.is_base64, &*event.resource), ("", false, ""));
        assert_eq!(event.gateway_request_id, None);
    }
}

#[test]
fn lists_of_header_values_stand_above_single_ones() {
    let cases = [
        (json!({"content-TYPE": "b"}), json!({"Content-Type": ["a", "b"]}), Some("a")),
        (json!({"Content-Type": "b"}), json!(null), Some("b")),
        (json!({"Content-Type": "b"}), json!({"Other": ["a"]}), Some("b")),
        (json!({"Content-Type": "b"}), json!({"Content-Type": []}), Some("b")),
        (json!({"Content-Type": null}), json!({"Content-Type": [null]}), None),
        (json!(null), json!({"content-type": ["a\"\u{e9}"]}), Some("a\"\u{e9}")),
    ];
    for (single, multiple, expected) in cases {
        let text = with(&json!({"headers": single, "multiValueHeaders": multiple}));
        let event = parse(text.as_bytes()).unwrap();
        assert_eq!(event.headers.content_type.as_deref(), expected, "{text}");
    }
}

#[test]
fn what_is_no_proxy_event_is_told_without_quoting_it() {
    let cases = [
        (json!({"s3cret": "s3cret"}).to_string(), "has no `path`"),
        (json!({"path": "/s3cret"}).to_string(), "has no `httpMethod`"),
        (json!({"version": "2.0", "rawPath": "/s3cret"}).to_string(), "format 2.0"),
        (with(&json!({"body": {"s3cret": 1}})), "another type"),
        (with(&json!({"headers": ["s3cret"]})), "another type"),
        (with(&json!({"httpMethod": 7})), "another type"),
        ("\"s3cret\"".to_owned(), "another type"),
        ("null".to_owned(), "another type"),
        ("s3cret".to_owned(), "no JSON"),
        (String::new(), "an early end"),
        ("{\"path\": \"/s3cret".to_owned(), "an early end"),
    ];
    for (text, reason) in cases {
        let message = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(reason) && !message.contains("s3cret"), "{text}: {message}");
    }
}

#[test]
fn depth_and_bad_text_are_refused_not_followed() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(parse(deep.as_bytes()).is_err());
    assert!(parse(b"{\"path\":\"\xff\",\"httpMethod\":\"GET\"}").is_err());
}
