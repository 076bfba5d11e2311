//! The standard mode's attempts, back-off and quota.

use super::*;

const NOW: Duration = Duration::from_secs(1);

fn ended(ending: Ending, attempt: u32) -> Ended {
    Ended { ending, attempt, tokens_taken: 0, retry_after: None, jitter: 1.0 }
}

#[test]
fn outcomes_that_may_pass_are_retried() {
    let cases = [
        (Outcome::Ok, 200, Ending::Success),
        (Outcome::ThrottledPlan, 429, Ending::Throttle),
        (Outcome::Throttled, 429, Ending::Throttle),
        (Outcome::Quota, 429, Ending::Throttle),
        (Outcome::Concurrency, 500, Ending::Transient),
        (Outcome::UnexpectedStatus, 500, Ending::Transient),
        (Outcome::UnexpectedStatus, 501, Ending::Lasting),
        (Outcome::UnexpectedStatus, 302, Ending::Lasting),
        (Outcome::FunctionError, 502, Ending::Transient),
        (Outcome::Overloaded, 503, Ending::Transient),
        (Outcome::Timeout, 504, Ending::Transient),
        (Outcome::ClientTimeout, 0, Ending::Transient),
        (Outcome::ConnectError, 0, Ending::Transient),
        (Outcome::ProtocolError, 0, Ending::Transient),
        (Outcome::InvalidRequest, 400, Ending::Lasting),
        (Outcome::ForbiddenKey, 403, Ending::Lasting),
        (Outcome::Unauthorized, 401, Ending::Lasting),
    ];
    for (outcome, status, expected) in cases {
        assert_eq!(Ending::of(outcome, status), expected, "{outcome:?} {status}");
    }
}

#[test]
fn the_back_off_doubles_from_its_base_up_to_the_cap() {
    let cases = [
        (TRANSIENT_BASE, 1, 50),
        (TRANSIENT_BASE, 2, 100),
        (THROTTLE_BASE, 1, 1_000),
        (THROTTLE_BASE, 2, 2_000),
        (THROTTLE_BASE, 6, 20_000),
        (THROTTLE_BASE, 40, 20_000),
    ];
    for (base, attempt, expected_ms) in cases {
        let delay = back_off(base, &ended(Ending::Throttle, attempt));
        assert_eq!(delay, Duration::from_millis(expected_ms));
    }
    let half = Ended { jitter: 0.5, ..ended(Ending::Throttle, 1) };
    assert_eq!(back_off(THROTTLE_BASE, &half), Duration::from_millis(500));
}

#[test]
fn retry_after_lifts_the_back_off_within_five_seconds() {
    let cases = [(10, 1_000), (3_000, 3_000), (60_000, 6_000)];
    for (asked_ms, expected_ms) in cases {
        let asked = Some(Duration::from_millis(asked_ms));
        let attempt = Ended { retry_after: asked, ..ended(Ending::Throttle, 1) };
        assert_eq!(back_off(THROTTLE_BASE, &attempt), Duration::from_millis(expected_ms));
    }
}

#[test]
fn the_third_failure_is_the_last() {
    let mut client = Client::new(RetryModel::Standard);
    for attempt in 1..ATTEMPTS_MAX {
        let verdict = client.decide(&ended(Ending::Transient, attempt), NOW);
        assert!(matches!(verdict, Verdict::Retry { tokens: TRANSIENT_COST_TOKENS, .. }));
    }
    let verdict = client.decide(&ended(Ending::Transient, ATTEMPTS_MAX), NOW);
    assert_eq!(verdict, Verdict::Exhausted);
    assert_eq!(client.decide(&ended(Ending::Lasting, 1), NOW), Verdict::Over);
    assert_eq!(client.decide(&ended(Ending::Success, 1), NOW), Verdict::Over);
}

#[test]
fn the_quota_bounds_retries_and_success_refills_it() {
    let mut client = Client::new(RetryModel::Standard);
    let mut retried = 0;
    while client.decide(&ended(Ending::Throttle, 1), NOW) != Verdict::OverBudget {
        retried += 1;
    }
    assert_eq!(retried, QUOTA_TOKENS_MAX / THROTTLE_COST_TOKENS);
    // Five plain successes pay for one retry after a throttle.
    for _ in 0..THROTTLE_COST_TOKENS {
        assert_eq!(client.decide(&ended(Ending::Throttle, 1), NOW), Verdict::OverBudget);
        client.decide(&ended(Ending::Success, 1), NOW);
    }
    assert!(matches!(client.decide(&ended(Ending::Throttle, 1), NOW), Verdict::Retry { .. }));
    // A success by retry gives back what the retry took.
    let by_retry = Ended { tokens_taken: 14, ..ended(Ending::Success, 2) };
    client.decide(&by_retry, NOW);
    assert_eq!(client.quota_tokens, 14);
    // And never more than a full quota.
    for _ in 0..1_000 {
        client.decide(&ended(Ending::Success, 1), NOW);
    }
    assert_eq!(client.quota_tokens, QUOTA_TOKENS_MAX);
}

#[test]
fn only_adaptive_clients_hold_requests_back() {
    let throttle = ended(Ending::Throttle, 1);
    let mut standard = Client::new(RetryModel::Standard);
    let mut adaptive = Client::new(RetryModel::Adaptive);
    standard.decide(&throttle, NOW);
    adaptive.decide(&throttle, NOW);
    let waits =
        |client: &mut Client| (0..10).any(|_| matches!(client.admit(NOW), Admission::Wait(_)));
    assert!(!waits(&mut standard));
    assert!(waits(&mut adaptive));
}

#[test]
fn models_by_name() {
    assert_eq!("none".parse(), Ok(RetryModel::None));
    assert_eq!("standard".parse(), Ok(RetryModel::Standard));
    assert_eq!("adaptive".parse(), Ok(RetryModel::Adaptive));
    for text in ["", "legacy", "Standard"] {
        assert!(text.parse::<RetryModel>().is_err());
    }
}
