//! Limits in AWS's order, what each takes from the others, and what is too large.

use super::twin::{Bench, KEY, answer, contract, debug, full, good, key, keyed, plan};
use bytes::Bytes;
use gwtf::gateway::{Body, IntegrationResult, Invocation, Knobs, Mode, Options};
use gwtf::spec::limits::{LAMBDA_PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX};
use gwtf::spec::{Auth, Gateway, Integration, Period, Quota, Throttle, UsagePlan};
use http::{HeaderMap, Response, StatusCode};
use proptest::prelude::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn throttle(text: &str) -> Throttle {
    text.parse().expect("a throttle")
}

/// How many of `n` good requests are admitted now.
async fn admitted(bench: &Bench, n: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..n {
        admitted += usize::from(bench.predict("/prod/predict").await.0 == 200);
    }
    admitted
}

#[tokio::test]
async fn admits_as_many_as_the_published_examples() {
    // Arrivals as (nanoseconds to wait before, requests), within one second.
    const MS: u64 = 1_000_000;
    let evenly = |n: usize, over_ns: u64| vec![(over_ns / n as u64, 1); n];
    let examples = [
        (vec![(MS, 10); 1_000], 10_000),
        (vec![(MS, 10_000)], 5_000),
        ([vec![(MS, 5_000)], evenly(5_000, 999 * MS)].concat(), 10_000),
        (vec![(MS, 5_000), (100 * MS, 5_000)], 6_000),
        ([vec![(MS, 5_000), (100 * MS, 1_000)], evenly(4_000, 899 * MS)].concat(), 10_000),
    ];
    let gateway = contract(|_| {});
    for (arrivals, expected) in examples {
        let bench = Bench::new(&gateway, debug());
        let mut total = 0;
        for (wait_ns, n) in arrivals {
            bench.clock.advance(Duration::from_nanos(wait_ns));
            total += admitted(&bench, n).await;
        }
        assert_eq!(total, expected);
    }
}

/// Three keys of one plan, at most `plan` a key, `stage` a method and `account` over all.
fn three_keys(gold: UsagePlan, stage: &str, account: &str) -> Gateway {
    contract(|endpoint| {
        endpoint.auth = Auth::ApiKey;
        endpoint.usage_plans = vec![gold];
        endpoint.api_keys = vec![
            key("k1", KEY, Some("gold")),
            key("k2", "second-key-0123456789", Some("gold")),
            key("k3", "third-key-0123456789", Some("gold")),
        ];
        endpoint.throttle = Some(throttle(stage));
        endpoint.account_throttle = throttle(account);
    })
}

async fn with_key(bench: &Bench, key: &'static str, path: &str) -> (u16, String) {
    let mut request = good(path);
    request.headers_mut().insert("x-api-key", http::HeaderValue::from_static(key));
    let response = bench.send(request, &answer).await;
    let limiter = response.headers().get("x-gwtf-limiter");
    let limiter = limiter.map_or("", |name| name.to_str().expect("a name")).to_owned();
    (response.status().as_u16(), limiter)
}

#[tokio::test]
async fn a_limit_that_refuses_takes_nothing_from_those_behind_it() {
    let gold = UsagePlan { throttle: Some(throttle("1:1")), ..plan("gold") };
    let bench = Bench::new(&three_keys(gold, "1:2", "1:3"), debug());
    let predict = "/prod/predict";
    assert_eq!(bench.predict(predict).await, (200, String::new()));
    for _ in 0..5 {
        assert_eq!(bench.predict(predict).await, (429, "plan".into()));
    }
    // The stage has one token left, since the plan's refusals took none.
    assert_eq!(with_key(&bench, "second-key-0123456789", predict).await, (200, String::new()));
    assert_eq!(with_key(&bench, "third-key-0123456789", predict).await, (429, "stage".into()));
    // The account has one left, since the stage's refusal took none; the key's own token is gone.
    let other = "/prod/v1/models/iris:predict";
    assert_eq!(with_key(&bench, "third-key-0123456789", other).await, (429, "plan".into()));
    bench.clock.advance(SECOND);
    assert_eq!(with_key(&bench, "third-key-0123456789", other).await, (200, String::new()));
}

#[tokio::test]
async fn methods_have_buckets_of_their_own_and_the_account_has_one() {
    let gateway = contract(|endpoint| {
        endpoint.throttle = Some(throttle("1:2"));
        endpoint.account_throttle = throttle("1:3");
    });
    let bench = Bench::new(&gateway, debug());
    assert_eq!(admitted(&bench, 3).await, 2);
    let pinned = "/prod/v1/predict";
    assert_eq!(bench.predict(pinned).await, (200, String::new()));
    assert_eq!(bench.predict(pinned).await, (429, "account".into()));
}

#[tokio::test]
async fn a_plans_method_limit_stands_beside_its_own() {
    let gold = UsagePlan {
        throttle: Some(throttle("1:3")),
        method_throttles: [("/predict/POST".to_owned(), throttle("1:2"))].into(),
        ..plan("gold")
    };
    let bench = Bench::new(&keyed(gold), debug());
    assert_eq!(admitted(&bench, 5).await, 2);
    assert_eq!(bench.predict("/prod/v1/predict").await, (200, String::new()));
    assert_eq!(bench.predict("/prod/v1/predict").await, (429, "plan".into()));
}

fn quota(limit: u64) -> UsagePlan {
    UsagePlan { quota: Some(Quota { limit, period: Period::Day }), ..plan("gold") }
}

#[tokio::test]
async fn a_quota_is_counted_in_requests_that_no_limit_refused() {
    for (throttled_consumes_quota, left) in [(false, 3), (true, 0)] {
        let gold = UsagePlan { throttle: Some(throttle("100:100")), ..quota(4) };
        let knobs = Knobs { throttled_consumes_quota, ..Knobs::default() };
        let bench = Bench::new(&three_keys(gold, "1:1", "9:9"), Options { knobs, ..debug() });
        assert_eq!(bench.predict("/prod/predict").await, (200, String::new()));
        for _ in 0..3 {
            assert_eq!(bench.predict("/prod/predict").await, (429, "stage".into()));
        }
        let mut admitted = 0;
        for _ in 0..4 {
            bench.clock.advance(SECOND);
            admitted += usize::from(bench.predict("/prod/predict").await.0 == 200);
        }
        assert_eq!(admitted, left);
    }
}

#[tokio::test]
async fn a_throttled_request_counts_only_if_the_knob_says_so() {
    for (throttled_consumes_quota, expected) in [(false, 200), (true, 429)] {
        let gold = UsagePlan { throttle: Some(throttle("1:1")), ..quota(2) };
        let knobs = Knobs { throttled_consumes_quota, ..Knobs::default() };
        let bench = Bench::new(&keyed(gold), Options { knobs, ..debug() });
        assert_eq!(admitted(&bench, 2).await, 1);
        bench.clock.advance(SECOND);
        assert_eq!(bench.predict("/prod/predict").await.0, expected);
    }
}

#[tokio::test]
async fn a_quota_starts_anew_at_midnight_utc() {
    let bench = Bench::new(&keyed(quota(2)), debug());
    assert_eq!(admitted(&bench, 3).await, 2);
    assert_eq!(bench.predict("/prod/predict").await, (429, "quota".into()));
    // From 23:34:43 on, 25 minutes and 16 seconds are the last whole second of the day.
    bench.clock.advance(Duration::from_secs(25 * 60 + 16));
    assert_eq!(admitted(&bench, 3).await, 0);
    bench.clock.advance(SECOND);
    assert_eq!(admitted(&bench, 3).await, 2);
}

#[tokio::test]
async fn a_bad_request_uses_up_a_token() {
    let bench =
        Bench::new(&contract(|endpoint| endpoint.throttle = Some(throttle("1:1"))), debug());
    let mut bad = good("/prod/predict");
    *bad.body_mut() = full("{}");
    assert_eq!(bench.send(bad, &answer).await.status(), 400);
    assert_eq!(bench.predict("/prod/predict").await, (429, "stage".into()));
}

#[tokio::test]
async fn best_effort_admits_somewhat_more_and_the_same_again() {
    let gateway = contract(|endpoint| endpoint.throttle = Some(throttle("100:50")));
    let mut totals = Vec::new();
    for mode in [Mode::Strict, Mode::BestEffort { seed: 3, overshoot: 0.1 }] {
        for _ in 0..2 {
            let bench = Bench::new(&gateway, Options { mode, ..debug() });
            let mut total = 0;
            for _ in 0..2_000 {
                bench.clock.advance(Duration::from_millis(1));
                total += admitted(&bench, 1).await;
            }
            totals.push(total);
        }
    }
    // 50 at once and a tenth of 1,999 ms; the bucket was full for the first.
    assert_eq!(totals[0], 249);
    assert_eq!(totals[0], totals[1]);
    assert_eq!(totals[2], totals[3]);
    assert!((250..=274).contains(&totals[2]), "{totals:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn never_admits_more_than_burst_plus_rate_times_time(
        rate in 1u32..500,
        burst in 1u32..20,
        gaps_us in prop::collection::vec(0u64..20_000, 1..200),
    ) {
        let limit = Throttle { rate_rps: f64::from(rate), burst };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let gold = UsagePlan { throttle: Some(limit), ..plan("gold") };
        let bench = Bench::new(&keyed(gold), debug());
        let (mut elapsed_us, mut total) = (0, 0);
        for gap_us in gaps_us {
            elapsed_us += gap_us;
            bench.clock.advance(Duration::from_micros(gap_us));
            total += runtime.block_on(admitted(&bench, 1)) as u64;
            let allowed = u64::from(burst) * 1_000_000 + u64::from(rate) * elapsed_us;
            prop_assert!(total * 1_000_000 <= allowed);
        }
    }
}

/// Status, content type and body of what the integration never sees.
async fn refusal(bench: &Bench, request: http::Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
    let never = |invocation: Invocation| async move {
        panic!("{} reached the integration", invocation.request.uri())
    };
    let (head, body) = bench.send(request, &never).await.into_parts();
    (head.status, head.headers, body)
}

fn npy(body: Body) -> http::Request<Body> {
    let mut request = good("/prod/predict");
    request.headers_mut().remove("content-type");
    let kind = http::HeaderValue::from_static("application/x-npy");
    request.headers_mut().insert("content-type", kind);
    *request.body_mut() = body;
    request
}

#[tokio::test]
async fn what_is_too_large_is_refused_in_plain_text_before_anything_else() {
    let bench =
        Bench::new(&contract(|endpoint| endpoint.throttle = Some(throttle("0:0"))), debug());
    let mut many_headers = good("/prod/predict");
    many_headers.headers_mut().insert("x-long", "x".repeat(10_240).parse().expect("a value"));
    let long_url = good(&format!("/prod/predict?{}", "q".repeat(10_240)));
    let cases = [
        (npy(Body::TooLarge), 413, "HTTP content length exceeded 10485760 bytes."),
        (many_headers, 431, "HTTP header is larger than 10240 bytes."),
        (long_url, 414, "Request URI too long"),
    ];
    for (request, status, text) in cases {
        let (found, headers, body) = refusal(&bench, request).await;
        assert_eq!((found.as_u16(), body.as_ref()), (status, text.as_bytes()));
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["content-type"], "text; charset=utf-8");
    }
    assert_eq!(bench.predict("/prod/predict").await, (429, "stage".into()));
    assert!(bench.log.lines().is_empty());
}

#[tokio::test]
async fn a_lambda_event_has_its_own_limit() {
    let lambda = contract(|endpoint| endpoint.integration = Integration::LambdaProxy);
    let bench = Bench::new(&lambda, debug());
    // As Base64 this is just above Lambda's limit, and far below the gateway's.
    let binary = || full(vec![0xff; LAMBDA_PAYLOAD_BYTES_MAX / 4 * 3]);
    let (status, headers, body) = refusal(&bench, npy(binary())).await;
    assert_eq!(status, 413);
    assert_eq!(body.as_ref(), br#"{"message": "Request Too Long"}"#);
    assert_eq!(headers["x-amzn-errortype"], "BadRequestException");
    assert!(headers.contains_key("x-amzn-trace-id"));
    let text = || full("a".repeat(LAMBDA_PAYLOAD_BYTES_MAX - 100_000));
    let quotes = || full("\"".repeat(LAMBDA_PAYLOAD_BYTES_MAX / 2));
    assert_eq!(bench.send(npy(text()), &answer).await.status(), 200);
    assert_eq!(refusal(&bench, npy(quotes())).await.0, 413);

    let knobs = Knobs { lambda_payload_limits: false, ..Knobs::default() };
    let off = Bench::new(&lambda, Options { knobs, ..debug() });
    assert_eq!(off.send(npy(binary()), &answer).await.status(), 200);
    let http = Bench::new(&contract(|_| {}), debug());
    let largest = npy(full(vec![0; PAYLOAD_BYTES_MAX]));
    assert_eq!(http.send(largest, &answer).await.status(), 200);
}

#[tokio::test]
async fn a_reply_that_is_too_large_is_a_502() {
    async fn reply(bytes: usize) -> IntegrationResult {
        Ok(Response::new(Bytes::from(vec![0; bytes])))
    }
    let kinds = [
        (Integration::HttpProxy, PAYLOAD_BYTES_MAX),
        (Integration::LambdaProxy, LAMBDA_PAYLOAD_BYTES_MAX),
    ];
    for (integration, most) in kinds {
        let bench = Bench::new(&contract(|endpoint| endpoint.integration = integration), debug());
        let exactly = |_: Invocation| reply(most);
        assert_eq!(bench.send(good("/prod/predict"), &exactly).await.status(), 200);
        let more = |_: Invocation| reply(most + 1);
        let response = bench.send(good("/prod/predict"), &more).await;
        assert_eq!(response.status(), 502);
        assert_eq!(response.body().as_ref(), br#"{"message": "Internal server error"}"#);
    }
}
