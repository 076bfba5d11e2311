use super::*;
use serde_json::{Value, json};

/// The rules of "Specification: Embedded metric format" that a schema can hold.
fn emf_rules() -> Value {
    let text = |max: u64| json!({"type": "string", "minLength": 1, "maxLength": max});
    json!({
        "type": "object",
        "required": ["_aws"],
        "properties": {"_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": false,
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 0},
                "CloudWatchMetrics": {"type": "array", "items": {
                    "type": "object",
                    "required": ["Namespace", "Dimensions", "Metrics"],
                    "additionalProperties": false,
                    "properties": {
                        "Namespace": text(1024),
                        "Dimensions": {"type": "array", "minItems": 1, "items":
                            {"type": "array", "minItems": 1, "maxItems": 30, "items": text(250)}},
                        "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": {
                            "type": "object",
                            "required": ["Name"],
                            "additionalProperties": false,
                            "properties": {
                                "Name": text(1024),
                                "Unit": {"enum": ["Seconds", "Microseconds", "Milliseconds",
                                    "Bytes", "Count", "Percent", "None"]},
                            },
                        }},
                    },
                }},
            },
        }},
    })
}

/// The line as one document that keeps the format's rules, those on the root's members included.
fn emf(line: &RequestLine<'_>) -> Value {
    let mut bytes = Vec::new();
    line.write(&mut bytes);
    assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), 1);
    assert_eq!(bytes.last(), Some(&b'\n'));
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    let rules = jsonschema::validator_for(&emf_rules()).unwrap();
    let faults: Vec<String> = rules.iter_errors(&document).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?} {document}");
    let directive = &document["_aws"]["CloudWatchMetrics"][0];
    for dimension in directive["Dimensions"][0].as_array().unwrap() {
        assert!(document[dimension.as_str().unwrap()].is_string(), "{dimension}");
    }
    for metric in directive["Metrics"].as_array().unwrap() {
        assert!(document[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
    }
    document
}

fn names(document: &Value) -> Vec<&str> {
    let metrics = document["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect()
}

#[test]
fn a_cold_request_has_all_metrics() {
    let line = RequestLine {
        timestamp_ms: 1_700_000_000_123,
        endpoint: "iris",
        version: "v3",
        request_id: "id-1",
        trace_id: Some("Root=1-5759e988-bd862e3fe1be46a994272793"),
        route: Some("POST /predict"),
        status: Some(200),
        duration: Duration::from_micros(1_234),
        inference: Some(Duration::from_micros(700)),
        init: Some(Duration::from_millis(48)),
        request_bytes: 33,
        reply_bytes: 58,
        ..RequestLine::default()
    };
    let document = emf(&line);
    assert_eq!(names(&document), ["ColdStart", "InitTime", "InferenceTime"]);
    let expected = json!({
        "Endpoint": "iris",
        "Version": "v3",
        "ColdStart": 1,
        "InitTime": 48.0,
        "InferenceTime": 0.7,
        "level": "info",
        "event": "request",
        "request_id": "id-1",
        "trace_id": "Root=1-5759e988-bd862e3fe1be46a994272793",
        "route": "POST /predict",
        "status": 200,
        "duration_ms": 1.234,
        "request_bytes": 33,
        "reply_bytes": 58,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&document[key], value, "{key}");
    }
    assert_eq!(document.as_object().unwrap().len(), expected.as_object().unwrap().len() + 1);
}

#[test]
fn a_metric_that_was_not_measured_is_not_named() {
    let warm = RequestLine { endpoint: "e", version: "v", status: Some(404), ..Default::default() };
    let document = emf(&warm);
    assert_eq!(names(&document), ["ColdStart"]);
    assert_eq!((&document["ColdStart"], &document["level"]), (&json!(0), &json!("info")));
    assert!(document.get("InferenceTime").is_none() && document.get("InitTime").is_none());
}

#[test]
fn a_function_error_says_its_class() {
    let error = Some(ErrorClass::InvalidEvent);
    let line = RequestLine { endpoint: "e", version: "v", error, ..Default::default() };
    let document = emf(&line);
    assert_eq!(
        (&document["level"], &document["error"]),
        (&json!("error"), &json!("invalid_event"))
    );
    assert!(document.get("status").is_none());
}

#[test]
fn each_status_has_its_class() {
    use ErrorClass as Class;
    let cases = [
        (200, None),
        (304, None),
        (400, Some(Class::InvalidRequest)),
        (404, Some(Class::NoRoute)),
        (405, Some(Class::NoRoute)),
        (413, Some(Class::RequestTooLarge)),
        (415, Some(Class::InvalidRequest)),
        (500, Some(Class::Model)),
        (503, Some(Class::Unavailable)),
        (504, Some(Class::DeadlinePassed)),
    ];
    for (status, class) in cases {
        assert_eq!(Class::of_status(status), class, "{status}");
    }
}
