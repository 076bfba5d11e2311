//! What a function gets and what becomes of what it returns.

use super::artefact::{BODY, FAILED, Function};
use base64::Engine as _;
use gwtf::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use serde_json::{Value, json};

fn decoded(event: &Value) -> String {
    let body = event["body"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_function_gets_the_event_that_aws_would_send() {
    let function = Function::serve(&[]);
    let headers = [
        ("content-type", "application/json"),
        ("User-Agent", "curl/8"),
        ("X-Two", "1"),
        ("X-Two", "2"),
    ];
    let path = "/prod/v1/models/iris:predict/?v=1&v=2&a+b=c%2Fd";
    let reply = function.served.request("POST", path, &headers, BODY.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let event = reply.json();
    assert_eq!(event["resource"], "/v1/models/iris:predict");
    assert_eq!(event["path"], "/v1/models/iris:predict/");
    assert_eq!(event["httpMethod"], "POST");
    assert_eq!(event["headers"]["User-Agent"], "curl/8");
    assert_eq!(event["headers"]["x-two"], "2");
    assert_eq!(event["multiValueHeaders"]["x-two"], json!(["1", "2"]));
    assert_eq!(event["headers"]["Host"], function.served.authority());
    assert_eq!(event["headers"]["X-Forwarded-For"], "127.0.0.1");
    assert_eq!(event["headers"]["X-Amzn-Trace-Id"], reply.header("x-amzn-trace-id").unwrap());
    for absent in ["connection", "content-length"] {
        assert_eq!(event["headers"].get(absent), None);
    }
    assert_eq!(event["queryStringParameters"], json!({ "v": "2", "a b": "c/d" }));
    assert_eq!(
        event["multiValueQueryStringParameters"],
        json!({ "v": ["1", "2"], "a b": ["c/d"] })
    );
    assert_eq!((&event["pathParameters"], &event["stageVariables"]), (&Value::Null, &Value::Null));
    assert_eq!((decoded(&event).as_str(), &event["isBase64Encoded"]), (BODY, &json!(true)));
    let context = &event["requestContext"];
    assert_eq!(context["path"], "/prod/v1/models/iris:predict/");
    assert_eq!(context["resourcePath"], "/v1/models/iris:predict");
    assert_eq!((&context["stage"], &context["httpMethod"]), (&json!("prod"), &json!("POST")));
    assert_eq!(context["protocol"], "HTTP/1.1");
    assert_eq!(context["requestId"], reply.header("x-amzn-requestid").unwrap());
    assert_eq!(context["extendedRequestId"], reply.header("x-amz-apigw-id").unwrap());
    assert_eq!(context["domainName"], "127.0.0.1");
    assert_eq!(context["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(context["identity"]["userAgent"], "curl/8");
    assert_eq!(context["identity"].get("apiKey"), None);
    let time = context["requestTime"].as_str().unwrap();
    assert!(time.len() == 26 && time.ends_with(" +0000"), "{time}");
    assert!(context["requestTimeEpoch"].as_u64() > Some(1_700_000_000_000));
}

#[test]
fn a_request_without_body_and_query_has_nulls() {
    let function = Function::serve(&[]);
    let event = function.served.get("/prod/v2/models/iris").json();
    for member in ["queryStringParameters", "multiValueQueryStringParameters", "body"] {
        assert_eq!(event.get(member), Some(&Value::Null), "{member}");
    }
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event["requestContext"]["identity"]["userAgent"], Value::Null);
}

/// Section by section what API Gateway documents, and what was recorded from it.
#[test]
fn what_the_function_returns_is_read_as_aws_reads_it() {
    let function = Function::serve(&[]);
    for (payload, status, body) in [
        (r#"{"statusCode":201,"body":"ok"}"#, 201, "ok"),
        (r#"{"body":"ok"}"#, 200, "ok"),
        (r#"{"statusCode":"201","body":"ok"}"#, 201, "ok"),
        (r#"{"statusCode":"test","body":"ok"}"#, 502, FAILED),
        (r#"{"headers":null,"body":"ok"}"#, 200, "ok"),
        (r#"{"body":"ok","wrongValue":1}"#, 502, FAILED),
        (r#""text""#, 502, FAILED),
        ("null", 502, FAILED),
        (r#"{"multiValueHeaders":{"k":"v"}}"#, 502, FAILED),
        (r#"{"body":{"k":"v"}}"#, 502, FAILED),
        (r#"{"body":"b2s=","isBase64Encoded":true}"#, 200, "ok"),
        ("no json", 502, FAILED),
    ] {
        let reply = function.ask(&format!("raw {payload}"));
        assert_eq!((reply.status, reply.text()), (status, body), "{payload}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{payload}");
        let error_type = (status == 502).then_some("InternalServerErrorException");
        assert_eq!(reply.header("x-amzn-errortype"), error_type, "{payload}");
    }
    let reply = function.ask(
        r#"raw {"headers":{"K":"1","T":true,"Server":"s"},"multiValueHeaders":{"k":["2","3"]}}"#,
    );
    let of = |name: &str| -> Vec<&str> {
        let found = reply.headers.iter().filter(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(of("k"), ["2", "3", "1"]);
    assert_eq!(of("t"), ["true"]);
    assert_eq!(of("x-amzn-remapped-server"), ["s"]);
}

#[test]
fn payloads_beyond_lambdas_limit_are_413_in_and_502_out() {
    let function = Function::serve(&[]);
    let headers = [("content-type", "text/plain"), ("x-do", "pid")];
    let send = |bytes: usize| {
        let body = vec![b'a'; bytes];
        function.served.request("POST", "/prod/predict", &headers, &body)
    };
    let fits = (LAMBDA_PAYLOAD_BYTES_MAX - 4_000) / 4 * 3;
    assert_eq!(send(fits).status, 200);
    let refused = send(LAMBDA_PAYLOAD_BYTES_MAX / 4 * 3);
    assert_eq!((refused.status, refused.text()), (413, r#"{"message": "Request Too Long"}"#));
    assert_eq!(refused.header("x-amzn-errortype"), Some("BadRequestException"));

    assert_eq!(function.ask("bytes 6000000").body.len(), 6_000_000);
    let reply = function.ask(&format!("bytes {LAMBDA_PAYLOAD_BYTES_MAX}"));
    assert_eq!((reply.status, reply.text()), (502, FAILED));
    assert_eq!(function.ask("pid").status, 200);
}

#[test]
fn the_function_gets_the_api_key_and_no_log_does() {
    let toml = r#"
[gateway]
auth = "api-key"
[[usage_plan]]
name = "gold"
keys = ["alice"]
"#;
    let function = Function::serve_with(toml, &[]);
    let keys = fs_err::read_to_string(function.folder.path().join(".gwtf/keys.json")).unwrap();
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let value = keys.to_string();
    let value = value.split('"').find(|text| text.len() >= 20).unwrap().to_owned();
    let headers = [("content-type", "application/json"), ("x-api-key", value.as_str())];
    let reply = function.served.request("POST", "/prod/predict", &headers, BODY.as_bytes());
    let identity = &reply.json()["requestContext"]["identity"];
    assert_eq!(identity["apiKey"], value);
    assert!(identity["apiKeyId"].is_string());
    let (folder, talk) = function.end();
    for log in ["access.log", "function.log"] {
        let text = fs_err::read_to_string(folder.path().join(".gwtf").join(log)).unwrap();
        assert!(!text.is_empty() && !text.contains(&value), "{log}: {text}");
    }
    assert!(!talk.contains(&value), "{talk}");
}

#[test]
fn lines_of_the_function_and_lambdas_reports_are_logged() {
    let function = Function::serve(&[]);
    assert_eq!(function.ask("say how are you").status, 200);
    assert_eq!(function.ask("pid").status, 200);
    // A report is written once the reply is on its way.
    let path = function.folder.path().join(".gwtf/function.log");
    let log = std::iter::repeat_with(|| fs_err::read_to_string(&path).unwrap())
        .find(|log| log.matches("REPORT ").count() == 2)
        .unwrap();
    assert!(log.contains("how are you"), "{log}");
    let reports: Vec<&str> = log.lines().filter(|line| line.contains("REPORT ")).collect();
    assert!(reports[0].contains("Init Duration: ") && !reports[1].contains("Init Duration: "));
    assert!(reports[0].contains("Memory Size: 1769 MB"), "{log}");
}
