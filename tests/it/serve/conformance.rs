//! The conformance assertions A2, A3, A4, A7, A9 and A11 against a running `serve`.
//!
//! The bucket's own vectors (A1) are held by the unit tests of the bucket, on a clock that tests
//! drive; here the limits are so small that no time that a test takes refills them.

use crate::support::served::{Reply, Served, request};
use crate::support::{gwtf, model};
use serde_json::{Value, json};

const ROW: &str = r#"{"instances":[[5.1,3.5,1.4,0.2]]}"#;
const PREDICT: &str = "/prod/predict";
/// One request, and the next in a thousand seconds.
const ONE: &str = "0.001:1";
const ALICE: &str = "alice-alice-alice-alice";

/// A gateway response: status, error type, exact body, and nothing that AWS does not send.
#[track_caller]
fn assert_refused(reply: &Reply, status: u16, error_type: &str, body: &str) {
    assert_eq!((reply.status, reply.text()), (status, body));
    assert_eq!(reply.header("x-amzn-errortype"), Some(error_type));
    assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!(reply.header("retry-after"), None);
    assert_eq!(reply.header("x-gwtf-model-version"), None, "the model never saw it");
}

/// A folder with a gwtf.toml, and `serve` in it with alice's key.
fn with_settings(settings: &str) -> (tempfile::TempDir, Served) {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("gwtf.toml"), settings).unwrap();
    let mut command = gwtf(folder.path());
    command.env("GWTF_KEY_ALICE", ALICE);
    command.args(["serve", "--port", "0", "--json", &model("iris")]);
    (folder, Served::spawn(command))
}

fn predict_with_key(served: &Served, key: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("x-api-key", key)];
    served.request("POST", PREDICT, &headers, ROW.as_bytes())
}

fn access_log(folder: &tempfile::TempDir) -> (String, Vec<Value>) {
    let text = fs_err::read_to_string(folder.path().join(".gwtf/access.log")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (text, lines)
}

#[test]
fn a2_a_throttled_request_gets_the_bytes_of_aws() {
    for flag in ["--throttle", "--account-throttle"] {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(folder.path(), &[&model("iris"), flag, ONE]);
        let first = served.post(PREDICT, ROW);
        assert_eq!(first.status, 200, "{}", first.text());
        assert_eq!(first.header("x-gwtf-model-version"), Some("v1"));
        let second = served.post(PREDICT, ROW);
        let body = r#"{"message":"Too Many Requests"}"#;
        assert_eq!(body.len(), 31);
        assert_refused(&second, 429, "TooManyRequestsException", body);
        assert_eq!(second.header("x-gwtf-limiter"), None, "off unless asked for");
    }
}

#[test]
fn a2_the_debug_header_names_the_limiter_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let served =
        Served::start(folder.path(), &[&model("iris"), "--throttle", ONE, "--limiter-header"]);
    assert_eq!(served.post(PREDICT, ROW).status, 200);
    assert_eq!(served.post(PREDICT, ROW).header("x-gwtf-limiter"), Some("stage"));
}

#[test]
fn a2_a_used_up_quota_gets_the_bytes_of_aws() {
    let (folder, served) = with_settings(
        "[gateway]\nauth = \"api-key\"\n[[usage_plan]]\nname = \"free\"\nkeys = [\"alice\"]\n\
         quota = { limit = 1, period = \"month\" }\n",
    );
    assert_eq!(predict_with_key(&served, ALICE).status, 200);
    let body = r#"{"message":"Limit Exceeded"}"#;
    assert_eq!(body.len(), 28);
    assert_refused(&predict_with_key(&served, ALICE), 429, "LimitExceededException", body);
    assert!(served.end().0.success());
    let (text, lines) = access_log(&folder);
    assert_eq!(lines[1]["limiter"], "quota");
    assert!(!text.contains(ALICE), "{text}");
}

#[test]
fn a3_a_missing_or_unknown_key_is_forbidden() {
    let (folder, served) = with_settings(
        "[gateway]\nauth = \"api-key\"\n[[usage_plan]]\nname = \"free\"\nkeys = [\"alice\"]\n",
    );
    let body = r#"{"message":"Forbidden"}"#;
    assert_eq!(body.len(), 23);
    assert_refused(&served.post(PREDICT, ROW), 403, "ForbiddenException", body);
    let unknown = "mallory-mallory-mallory";
    assert_refused(&predict_with_key(&served, unknown), 403, "ForbiddenException", body);
    assert_eq!(predict_with_key(&served, ALICE).status, 200);
    assert!(served.end().0.success());
    let (text, lines) = access_log(&folder);
    assert!(!text.contains(unknown) && !text.contains(ALICE), "{text}");
    assert_eq!(lines[0]["errorType"], "INVALID_API_KEY");
    assert_ne!(lines[2]["apiKeyId"], "-", "the id may be known");
}

#[test]
fn a3_a_key_on_a_route_without_need_of_one_is_not_counted() {
    let (_folder, served) = with_settings(
        "[gateway]\nauth = \"api-key\"\n[[usage_plan]]\nname = \"free\"\nkeys = [\"alice\"]\n\
         throttle = { rate_rps = 0.001, burst = 1 }\nquota = { limit = 1, period = \"month\" }\n",
    );
    for _ in 0..3 {
        let live = served.request("GET", "/prod/v2/health/live", &[("x-api-key", ALICE)], b"");
        assert_eq!(live.status, 200, "{}", live.text());
    }
    assert_eq!(predict_with_key(&served, ALICE).status, 200);
    assert_eq!(predict_with_key(&served, ALICE).status, 429);
}

#[test]
fn a4_an_unknown_path_misses_an_authentication_token() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    let body = r#"{"message":"Missing Authentication Token"}"#;
    assert_eq!(body.len(), 42);
    let error_type = "MissingAuthenticationTokenException";
    assert_refused(&served.post("/prod/nothing", ROW), 403, error_type, body);
    assert_refused(&served.get(PREDICT), 403, error_type, body);
    assert_refused(&served.post("/prod/v9/predict", ROW), 403, error_type, body);
}

#[test]
fn a7_only_a_body_of_a_known_type_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    let body = r#"{"message": "Invalid request body"}"#;
    for wrong in [r#"{"instances":[["a"]]}"#, "{}", "[", ""] {
        assert_refused(&served.post(PREDICT, wrong), 400, "BadRequestException", body);
    }
    // The same body under another type passes the gateway, and the model's own parser says what
    // is wrong with it.
    let text = [("content-type", "text/plain")];
    let reply = served.request("POST", PREDICT, &text, br#"{"instances":[["a"]]}"#);
    assert_eq!(reply.status, 400);
    assert_eq!(reply.header("x-amzn-errortype"), None);
    assert_eq!(reply.header("x-gwtf-model-version"), Some("v1"));
    assert!(reply.json()["error"].is_string(), "{}", reply.text());
}

#[test]
fn a9_a_body_over_ten_megabytes_is_refused_in_plain_text() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    // Spaces after the document, so that the largest body allowed is a valid one.
    let mut body = ROW.as_bytes().to_vec();
    body.resize(10_485_760, b' ');
    let json = [("content-type", "application/json")];
    let largest = served.request("POST", PREDICT, &json, &body);
    assert_eq!(largest.status, 200, "{}", largest.text());
    body.push(b' ');
    let larger = served.request("POST", PREDICT, &json, &body);
    assert_eq!(larger.status, 413);
    assert_eq!(larger.text(), "HTTP content length exceeded 10485760 bytes.");
    assert_eq!(larger.header("x-amzn-errortype"), None, "{larger:?}");
    assert_eq!(served.post(PREDICT, ROW).status, 200, "it lives");
}

#[test]
fn a9_a_reply_over_ten_megabytes_is_an_error_of_the_integration() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("two-inputs")]);
    // Each token comes back as one more: `9,` as `10,`, so 9 MB come back as 13.5.
    let tokens = |count: usize| -> Reply {
        let nines = "9,".repeat(count);
        let nines = nines.trim_end_matches(',');
        let body = format!(r#"{{"inputs":{{"features":[[1,1,1]],"tokens":[[{nines}]]}}}}"#);
        served.post(PREDICT, &body)
    };
    assert_eq!(tokens(1_000_000).status, 200);
    let reply = tokens(4_500_000);
    let body = r#"{"message": "Internal server error"}"#;
    assert_refused(&reply, 502, "InternalServerErrorException", body);
}

#[test]
fn a9_a_model_that_is_too_slow_times_out() {
    let folder = tempfile::tempdir().unwrap();
    // The least that the gateway allows; the model takes 30 ms a run, and these wait in line.
    fs_err::write(folder.path().join("gwtf.toml"), "[gateway]\ntimeout_ms = 50\n").unwrap();
    let arguments = [&model("slow"), "--sessions", "1", "--threads", "1"];
    let served = Served::start(folder.path(), &arguments);
    let waiting: Vec<_> = (0..16)
        .map(|_| {
            let authority = served.authority().to_owned();
            std::thread::spawn(move || {
                let headers = [("content-type", "application/json")];
                let body = br#"{"instances":[[1,1,1,1]]}"#;
                request(&authority, "POST", PREDICT, &headers, body)
            })
        })
        .collect();
    let replies = waiting.into_iter().map(|reply| reply.join().unwrap());
    let late: Vec<Reply> = replies.filter(|reply| reply.status != 200).collect();
    let body = r#"{"message": "Endpoint request timed out"}"#;
    assert_eq!(body.len(), 41);
    for reply in &late {
        assert_refused(reply, 504, "InternalServerErrorException", body);
    }
    assert!(!late.is_empty(), "sixteen runs of 30 ms do not fit into 50 ms");
}

#[test]
fn a11_the_access_log_prints_a_dash_for_what_is_unset() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris"), "--throttle", ONE]);
    let first = served.post(PREDICT, ROW);
    served.post(PREDICT, ROW);
    served.get("/prod/nothing");
    assert!(served.end().0.success());
    let (_, lines) = access_log(&folder);
    assert_eq!(lines.len(), 3);
    let pick = |line: &Value, names: &[&str]| -> Value {
        names.iter().map(|name| line[*name].clone()).collect()
    };
    let names =
        ["status", "httpMethod", "path", "resourcePath", "limiter", "errorType", "apiKeyId"];
    assert_eq!(pick(&lines[0], &names), json!(["200", "POST", PREDICT, "/predict", "-", "-", "-"]));
    assert_eq!(
        pick(&lines[1], &names),
        json!(["429", "POST", PREDICT, "/predict", "stage", "THROTTLED", "-"])
    );
    assert_eq!(lines[2]["errorType"], "MISSING_AUTHENTICATION_TOKEN");
    assert_eq!(lines[0]["integrationStatus"], "200");
    assert_eq!(pick(&lines[1], &["integrationStatus", "integrationLatency"]), json!(["-", "-"]));
    assert_eq!(lines[0]["responseLength"], first.body.len().to_string());
    assert_eq!(lines[1]["error"], "Too Many Requests");
    assert_eq!(lines[0]["requestId"].as_str(), first.header("x-amzn-requestid"));
}
