//! Requests and the replies that AWS gives to them, a folder a case under `fixtures/gateway`.
//!
//! `case.toml` says what is shown, where AWS's answer is known from, and the contract, knobs and
//! integration; `request.http` and `response.http` are the bytes, `*` standing for any value of a
//! header; `access-log.txt`, where there is one, the line that the request leaves, empty for none.

use super::twin::{Bench, KEY, contract, full, key, plan};
use bytes::Bytes;
use gwtf::gateway::{Body, IntegrationError, IntegrationResult, Invocation, Knobs, Options};
use gwtf::gateway::{ThrottlePlace, UnknownStage};
use gwtf::spec::{Auth, Gateway, Integration, Parameter, Period, Quota, UsagePlan};
use http::{Response, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is shown.
    about: String,
    /// Where AWS's answer is known from.
    source: String,
    /// Requests of the same bytes sent before this one, at the same instant.
    #[serde(default)]
    earlier: usize,
    #[serde(default)]
    debug_header: bool,
    #[serde(default)]
    contract: ContractCase,
    #[serde(default)]
    knobs: KnobsCase,
    #[serde(default)]
    integration: IntegrationCase,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ContractCase {
    api_key: bool,
    plan_throttle: Option<String>,
    plan_method_throttles: BTreeMap<String, String>,
    quota_per_day: Option<u64>,
    stage_throttle: Option<String>,
    account_throttle: Option<String>,
    /// `header NAME` or `query NAME`.
    required_parameters: Vec<String>,
    lambda: bool,
    check_open_inference_bodies: bool,
    access_log: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct KnobsCase {
    throttle_before_authorizer: bool,
    unknown_stage_as_unknown_path: bool,
    ignore_method_override: bool,
    decode_path: bool,
    match_content_type_parameters: bool,
    throttled_function_status: Option<u16>,
    unreachable_status: Option<u16>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct IntegrationCase {
    /// `timeout`, `hang`, `function-error`, `throttled`, `unreachable`; else it replies.
    error: Option<String>,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// How often it must have been called.
    calls: Option<usize>,
    /// The path that it must have been called with.
    path: Option<String>,
}

#[tokio::test(start_paused = true)]
async fn every_case_is_answered_as_aws_answers_it() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for entry in fs_err::read_dir(crate::support::fixture("gateway")).expect("the cases") {
        let folder = entry.expect("a case").path();
        if !folder.is_dir() {
            continue;
        }
        count += 1;
        if let Err(complaint) = check(&folder).await {
            complaints.push(format!("{}: {complaint}", folder.display()));
        }
    }
    assert!(count > 30, "{count} cases");
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

async fn check(folder: &Path) -> Result<(), String> {
    let read = |name: &str| fs_err::read_to_string(folder.join(name));
    let case = read("case.toml").map_err(|error| error.to_string())?;
    let case: Case = toml::from_str(&case).map_err(|error| error.to_string())?;
    let request = read("request.http").map_err(|error| error.to_string())?;
    let expected = read("response.http").map_err(|error| error.to_string())?;
    if case.about.is_empty() || case.source.is_empty() {
        return Err("a case says what it shows and where that is known from".into());
    }
    let options =
        Options { debug_header: case.debug_header, knobs: knobs(&case.knobs), ..Options::new(1) };
    let bench = Bench::new(&build(&case.contract), options);
    let calls = Arc::new(AtomicUsize::new(0));
    let upstream = |invocation: Invocation| {
        calls.fetch_add(1, Ordering::SeqCst);
        integration(&case.integration, &invocation)
    };
    for _ in 0..case.earlier {
        bench.send(parse(&request), &upstream).await;
    }
    let response = bench.send(parse(&request), &upstream).await;
    compare(&expected, &response)?;
    if let Some(wanted) = case.integration.calls {
        let calls = calls.load(Ordering::SeqCst);
        if calls != wanted {
            return Err(format!("the integration was called {calls} times"));
        }
    }
    if let Ok(wanted) = read("access-log.txt") {
        let lines = bench.log.lines();
        if lines.last().map_or("", String::as_str) != wanted.trim_end_matches('\n') {
            return Err(format!("access log: {lines:#?}"));
        }
    }
    Ok(())
}

fn build(case: &ContractCase) -> Gateway {
    let mut contract = contract(|endpoint| {
        if case.api_key {
            endpoint.auth = Auth::ApiKey;
        }
        let quota = case.quota_per_day.map(|limit| Quota { limit, period: Period::Day });
        let throttle = |text: &String| text.parse().expect("a throttle");
        let methods = case.plan_method_throttles.iter();
        endpoint.usage_plans = vec![UsagePlan {
            throttle: case.plan_throttle.as_ref().map(throttle),
            method_throttles: methods.map(|(key, text)| (key.clone(), throttle(text))).collect(),
            quota,
            ..plan("gold")
        }];
        let mut disabled = key("k2", "disabled-key-0123456789", Some("gold"));
        disabled.enabled = false;
        let planless = key("k3", "planless-key-0123456789", None);
        endpoint.api_keys = vec![key("k1", KEY, Some("gold")), disabled, planless];
        endpoint.throttle = case.stage_throttle.as_ref().map(throttle);
        if let Some(text) = &case.account_throttle {
            endpoint.account_throttle = throttle(text);
        }
        if case.lambda {
            endpoint.integration = Integration::LambdaProxy;
        }
        endpoint.check_open_inference_bodies = case.check_open_inference_bodies;
        endpoint.access_log_format = case.access_log.clone();
    });
    for route in &mut contract.routes {
        Arc::make_mut(route).required_parameters = case
            .required_parameters
            .iter()
            .map(|text| match text.split_once(' ') {
                Some(("header", name)) => Parameter::Header(name.into()),
                Some(("query", name)) => Parameter::Query(name.into()),
                _ => panic!("`{text}` is no parameter"),
            })
            .collect();
    }
    contract
}

fn knobs(case: &KnobsCase) -> Knobs {
    let mut knobs = Knobs::default();
    if case.throttle_before_authorizer {
        knobs.throttle_place = ThrottlePlace::BeforeAuthorizer;
    }
    if case.unknown_stage_as_unknown_path {
        knobs.unknown_stage = UnknownStage::MissingAuthenticationToken;
    }
    knobs.method_override = !case.ignore_method_override;
    knobs.decode_path = case.decode_path;
    knobs.ignore_content_type_parameters = !case.match_content_type_parameters;
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    if let Some(code) = case.throttled_function_status {
        knobs.throttled_function_status = status(code);
    }
    if let Some(code) = case.unreachable_status {
        knobs.unreachable_status = status(code);
    }
    knobs
}

fn integration(
    case: &IntegrationCase,
    invocation: &Invocation,
) -> impl Future<Output = IntegrationResult> + Send + use<> {
    let path = invocation.request.uri().to_string();
    let result = match case.error.as_deref() {
        Some("timeout" | "hang") => Err(IntegrationError::Timeout),
        Some("function-error") => Err(IntegrationError::FunctionError("it broke".into())),
        Some("throttled") => Err(IntegrationError::Throttled),
        Some("unreachable") => Err(IntegrationError::Unreachable("refused".into())),
        Some(other) => panic!("`{other}` is no error"),
        None => {
            let mut response = Response::builder().status(case.status.unwrap_or(200));
            for (name, value) in &case.headers {
                response = response.header(name, value);
            }
            let body = case.body.clone().unwrap_or_default();
            Ok(response.body(Bytes::from(body)).expect("a response"))
        }
    };
    if let Some(wanted) = &case.path {
        assert_eq!(&path, wanted);
    }
    let hang = case.error.as_deref() == Some("hang");
    async move {
        if hang {
            std::future::pending::<()>().await;
        }
        result
    }
}

fn parse(text: &str) -> http::Request<Body> {
    let (head, body) = text.split_once("\n\n").expect("a blank line");
    let mut lines = head.lines();
    let mut first = lines.next().expect("a request line").split(' ');
    let (method, uri) = (first.next().expect("a method"), first.next().expect("a URL"));
    let mut request = http::Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        request = request.header(name, value);
    }
    request.body(full(trim(body).to_owned())).expect("a request")
}

/// Files end in a line break; bodies do not.
fn trim(body: &str) -> &str {
    body.strip_suffix('\n').unwrap_or(body)
}

fn compare(expected: &str, response: &Response<Bytes>) -> Result<(), String> {
    let (head, body) = expected.split_once("\n\n").ok_or("no blank line")?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let mut wanted: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    wanted.sort_unstable();
    let mut found: Vec<(&str, &str)> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?")))
        .collect();
    found.sort_unstable();
    let same = wanted.len() == found.len()
        && wanted
            .iter()
            .zip(&found)
            .all(|(wanted, found)| wanted.0 == found.0 && (wanted.1 == "*" || wanted.1 == found.1));
    let actual_body = std::str::from_utf8(response.body()).unwrap_or("?");
    if status != response.status().to_string() || !same || trim(body) != actual_body {
        return Err(format!("{} {found:#?}\n{actual_body}", response.status()));
    }
    Ok(())
}
