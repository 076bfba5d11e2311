//! Contracts: what the integration is handed, releases under load, and what is refused.

use super::twin::{Bench, KEY, PEER, answer, contract, debug, full, good, key, keyed, plan};
use bytes::Bytes;
use gwtf::error::Explain;
use gwtf::gateway::access_log::FileSink;
use gwtf::gateway::{Call, IntegrationResult, Invocation, Options, SystemClock, Twin};
use gwtf::spec::{Auth, Gateway, Route, UsagePlan};
use http::Response;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

#[tokio::test(start_paused = true)]
async fn the_integration_gets_the_request_without_stage_and_connection_headers() {
    let bench = Bench::new(&keyed(plan("gold")), debug());
    let seen = Mutex::new(None);
    let upstream = |invocation: Invocation| {
        *seen.lock().expect("no panic") = Some(invocation);
        async { Ok(Response::new(Bytes::new())) }
    };
    let mut request = good("/prod/predict?a=b%20c");
    for (name, value) in [
        ("connection", "keep-alive"),
        ("content-length", "24"),
        ("te", "trailers"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=a"),
        ("x-own", "1"),
    ] {
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    let response = bench.send(request, &upstream).await;
    let invocation = seen.into_inner().expect("no panic").expect("a call");
    assert_eq!(invocation.request.uri(), "/predict?a=b%20c");
    assert_eq!(invocation.request.method(), "POST");
    let mut names: Vec<&str> =
        invocation.request.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-type", "x-api-key", "x-own"]);
    assert!(!format!("{invocation:?}").contains(KEY), "keys are not printed");
    assert_eq!(invocation.route.path, "/predict");
    assert_eq!(invocation.api_key_id.as_deref(), Some("k1"));
    assert_eq!(invocation.peer, PEER);
    assert_eq!(invocation.deadline - tokio::time::Instant::now(), Duration::from_secs(29));
    let header = |name: &str| response.headers()[name].clone();
    assert_eq!(invocation.request_id, header("x-amzn-requestid"));
    assert_eq!(invocation.extended_request_id, header("x-amz-apigw-id"));
    assert_eq!(invocation.trace_id, header("x-amzn-trace-id"));
}

/// The contract of [`contract`] without its live route.
fn pinned_only() -> Gateway {
    let mut contract = contract(|_| {});
    contract.routes.retain(|route| route.path != "/predict");
    contract
}

#[tokio::test]
async fn a_request_on_its_way_finishes_under_the_contract_it_came_under() {
    let bench = Bench::new(&contract(|_| {}), debug());
    let (arrived, go_on) = (Notify::new(), Notify::new());
    let upstream = |_: Invocation| async {
        arrived.notify_one();
        go_on.notified().await;
        Ok(Response::new(Bytes::from_static(b"done")))
    };
    let on_its_way = bench.send(good("/prod/predict"), &upstream);
    let release = async {
        arrived.notified().await;
        bench.twin.replace(&pinned_only()).expect("a contract");
        assert_eq!(bench.predict("/prod/predict").await.0, 403);
        assert_eq!(bench.predict("/prod/v1/predict").await.0, 200);
        go_on.notify_one();
    };
    let (response, ()) = tokio::join!(on_its_way, release);
    assert_eq!(response.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_while_contracts_are_replaced() {
    let wide = contract(|endpoint| {
        endpoint.account_throttle.burst = u32::MAX;
        endpoint.access_log_format = Some("$context.requestId $context.status".into());
    });
    let mut narrow = wide.clone();
    narrow.routes.retain(|route| route.path == "/predict");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let sink = Arc::new(FileSink::open(&path).expect("a file"));
    let clock = Arc::new(SystemClock::new());
    let twin = Twin::new(&narrow, Options::new(1), clock, sink.clone()).expect("a contract");
    let twin = Arc::new(twin);
    let released = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (twin, released) = (twin.clone(), released.clone());
            tokio::spawn(async move {
                let mut answered = 0;
                while !released.load(Ordering::SeqCst) || answered == 0 {
                    let call = Call { request: good("/prod/predict"), peer: PEER };
                    assert_eq!(twin.call(call, &answer).await.status(), 200);
                    answered += 1;
                    tokio::task::yield_now().await;
                }
                answered
            })
        })
        .collect();
    for round in 0..200 {
        let contract = if round % 2 == 0 { &wide } else { &narrow };
        twin.replace(contract).expect("a contract");
        tokio::task::yield_now().await;
    }
    released.store(true, Ordering::SeqCst);
    let mut answered = 0;
    for caller in callers {
        answered += caller.await.expect("no failed request");
    }
    sink.flush();
    assert_eq!(sink.status().dropped, 0);
    let log = fs_err::read_to_string(&path).expect("the log");
    assert_eq!(log.lines().filter(|line| line.ends_with(" 200")).count(), answered);
}

#[tokio::test]
async fn what_is_left_of_a_limit_outlives_a_release() {
    let limited = |text: &str| {
        contract(|endpoint| endpoint.throttle = Some(text.parse().expect("a throttle")))
    };
    let bench = Bench::new(&limited("1:2"), debug());
    for expected in [200, 200, 429] {
        assert_eq!(bench.predict("/prod/predict").await.0, expected);
    }
    bench.twin.replace(&limited("10:2")).expect("a contract");
    assert_eq!(bench.predict("/prod/predict").await.0, 429, "a release fills no bucket");
    bench.clock.advance(Duration::from_millis(100));
    assert_eq!(bench.predict("/prod/predict").await.0, 200, "the new rate counts from the release");
}

#[tokio::test]
async fn a_contract_that_is_refused_leaves_the_old_one_in_force() {
    let bench = Bench::new(&contract(|_| {}), debug());
    let mut broken = contract(|endpoint| endpoint.throttle = "0:0".parse().ok());
    broken.models.insert("Predictv1".into(), serde_json::json!({ "pattern": "a" }));
    let error = bench.twin.replace(&broken).expect_err("a keyword that is not enforced");
    let text = gwtf::error::chain(&error);
    assert!(text.contains("`Predictv1`: `pattern`"), "{text}");
    assert_eq!(bench.predict("/prod/predict").await.0, 200);
}

#[test]
fn refuses_by_name_what_does_not_fit_together() {
    type Change = fn(&mut Gateway);
    let cases: [(Change, &str); 8] = [
        (|c| c.routes.push(c.routes[0].clone()), "route `/predict/POST` stands twice"),
        (|c| c.models.clear(), "`Predictv1`, which the contract does not have"),
        (|c| c.usage_plans.clear(), "in usage plan `gold`"),
        (|c| c.api_keys.push(key("k1", "another-value-0123456789", None)), "`k1` stands twice"),
        (|c| c.api_keys.push(key("k9", KEY, None)), "`k9` stands twice"),
        (
            |c| {
                let one = "1:1".parse().expect("a throttle");
                c.usage_plans[0].method_throttles.insert("/none/GET".into(), one);
            },
            "limits `/none/GET`",
        ),
        (
            |c| c.access_log_format = Some("$context.requestId $context.identity.apiKey".into()),
            "is the API key itself",
        ),
        (
            |c| {
                let route = Route::clone(&c.routes[0]);
                let models = [("application/json".to_owned(), "None".to_owned())].into();
                c.routes[0] = Arc::new(Route { request_models: models, ..route });
            },
            "request model `None`",
        ),
    ];
    for (change, reason) in cases {
        let mut broken = keyed(plan("gold"));
        change(&mut broken);
        let clock = Arc::new(SystemClock::new());
        let error = Twin::new(&broken, Options::new(1), clock, ()).err().expect(reason);
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.to_string().contains(KEY), "{error}");
        assert_eq!(error.exit().code(), 2);
    }
}

#[tokio::test]
async fn keys_and_plans_change_with_the_contract() {
    let bench = Bench::new(&keyed(plan("gold")), debug());
    assert_eq!(bench.predict("/prod/predict").await.0, 200);
    let mut revoked = keyed(plan("gold"));
    revoked.api_keys[0].enabled = false;
    bench.twin.replace(&revoked).expect("a contract");
    assert_eq!(bench.predict("/prod/predict").await.0, 403);
    let open = contract(|endpoint| {
        endpoint.auth = Auth::None;
        endpoint.usage_plans = vec![UsagePlan { throttle: "0:0".parse().ok(), ..plan("gold") }];
    });
    bench.twin.replace(&open).expect("a contract");
    assert_eq!(bench.predict("/prod/predict").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn an_integration_is_dropped_when_its_time_is_up() {
    struct Told<'a>(&'a AtomicBool);
    impl Drop for Told<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let gateway = contract(|endpoint| endpoint.integration_timeout = Duration::from_millis(50));
    let bench = Bench::new(&gateway, debug());
    let dropped = AtomicBool::new(false);
    let upstream = |_: Invocation| async {
        let _told = Told(&dropped);
        std::future::pending::<IntegrationResult>().await
    };
    let start = tokio::time::Instant::now();
    let mut request = good("/prod/predict");
    *request.body_mut() = full(r#"{"instances":[]}"#);
    assert_eq!(bench.send(request, &upstream).await.status(), 504);
    assert_eq!(start.elapsed(), Duration::from_millis(50));
    assert!(dropped.load(Ordering::SeqCst));
}
