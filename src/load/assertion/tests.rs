use super::*;
use crate::error::Explain;
use crate::load::outcome::Outcome;
use crate::load::sample::{batch, recording};
use crate::load::verdict;
use proptest::prelude::*;

fn parse(expr: &str) -> Assertion {
    expr.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_grammar_reads_what_the_contract_shows() {
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less};
    let time = |quantile, times| Metric::Time(Statistic::Quantile(quantile), times);
    let ok = Class::Only(Outcome::Ok);
    let cases = [
        ("p99<50ms", time(0.99, Times::Response(Class::All)), Less, 50_000.0),
        ("p99(ok)<50ms", time(0.99, Times::Response(ok)), Less, 50_000.0),
        (" p999 ( ok ) <= 1.5 s ", time(0.999, Times::Response(ok)), AtMost, 1_500_000.0),
        ("p50>=250us", time(0.5, Times::Response(Class::All)), AtLeast, 250.0),
        ("p90<250µs", time(0.9, Times::Response(Class::All)), Less, 250.0),
        ("p95(lateness)<1ms", time(0.95, Times::Lateness), Less, 1_000.0),
        ("p99(cold_start)<2s", time(0.99, Times::ColdStart), Less, 2_000_000.0),
        ("p99(operation)<2s", time(0.99, Times::Operation), Less, 2_000_000.0),
        (
            "max(throttled)<5ms",
            Metric::Time(Statistic::Max, Times::Response(Class::Throttled)),
            Less,
            5_000.0,
        ),
        (
            "mean(error)>0us",
            Metric::Time(Statistic::Mean, Times::Response(Class::Error)),
            Greater,
            0.0,
        ),
        ("rate(throttled)<1%", Metric::Share(Class::Throttled), Less, 0.01),
        ("rate(error)=0", Metric::Share(Class::Error), Equal, 0.0),
        ("rate(in_flight)=0%", Metric::Share(Class::Only(Outcome::InFlight)), Equal, 0.0),
        ("rate(quota) = 0.00", Metric::Share(Class::Only(Outcome::Quota)), Equal, 0.0),
        ("rps(ok)>=490", Metric::Rate(ok), AtLeast, 490.0),
        ("rps>490.5", Metric::Rate(Class::All), Greater, 490.5),
        ("goodput>=190", Metric::Goodput, AtLeast, 190.0),
        ("amplification<=1.2", Metric::Amplification, AtMost, 1.2),
    ];
    for (expr, metric, comparison, limit) in cases {
        let assertion = parse(expr);
        assert_eq!(assertion.metric, metric, "{expr}");
        assert_eq!(assertion.comparison, comparison, "{expr}");
        assert_eq!(assertion.limit, limit, "{expr}");
        assert_eq!(assertion.to_string(), expr.trim());
    }
}

#[test]
fn refusals_name_the_column_and_an_example() {
    let cases = [
        ("", "assertion ``: expected a metric at column 1, found the end", "p99(ok)<50ms"),
        ("p98<1ms", "no metric is called `p98` (column 1)", "did you mean"),
        ("latency<1ms", "no metric is called `latency` (column 1)", "p99(ok)<50ms"),
        ("p99", "expected one of < <= > >= = at column 4, found the end", "p99(ok)<50ms"),
        ("p99<", "expected a duration such as `50ms` at column 5, found the end", "p99"),
        ("p99<50", "expected a unit (us, ms or s) at column 7, found the end", "p99"),
        ("p99<50min", "expected a unit (us, ms or s) at column 7, found `m`", "p99"),
        ("p99<-5ms", "expected a duration such as `50ms` at column 5, found `-`", "p99"),
        ("p99<1.2.3ms", "expected a duration such as `50ms` at column 5", "p99"),
        ("p99<infs", "expected a duration such as `50ms` at column 5", "p99"),
        ("p99<9999999999999s", "expected a duration such as `50ms` at column 5", "p99"),
        ("p99(ok<5ms", "expected `)` at column 7, found `<`", "p99"),
        ("p99()<5ms", "expected a class at column 5, found `)`", "p99"),
        ("p99(okay)<5ms", "no class is called `okay` (column 5)", "did you mean `ok`?"),
        ("rate(lateness)<5%", "no class is called `lateness` (column 6)", "rate(throttled)<1%"),
        ("rate(thr)<5%", "no class is called `thr` (column 6)", "rate(throttled)<1%"),
        ("rate<5%", "expected a class in parentheses at column 5, found `<`", "rate(throttled)"),
        ("rate(ok)>0.9", "expected `%` at column 13, found the end", "rate(throttled)<1%"),
        ("rate(ok)==9%", "expected a percentage such as `1%` at column 10, found `=`", "rate"),
        ("rps(ok)>=490rps", "expected the end of the expression at column 13, found `r`", "rps"),
        ("µ<5ms", "expected a metric at column 1, found `µ`", "p99"),
        ("p99 µ5ms", "expected one of < <= > >= = at column 5, found `µ`", "p99"),
    ];
    for (expr, message, hint) in cases {
        let error = expr.parse::<Assertion>().unwrap_err();
        assert!(error.to_string().contains(message), "`{expr}` gave `{error}`");
        assert!(error.hint().unwrap().contains(hint), "`{expr}` hints `{:?}`", error.hint());
    }
    let long = "p".repeat(EXPRESSION_BYTES_MAX + 1);
    assert_eq!(long.parse::<Assertion>(), Err(Error::TooLong { bytes: 201 }));
}

#[test]
fn evaluation_measures_the_class_it_names() {
    let mut run = recording(&[
        batch(Outcome::Ok, 900, 1_000),
        batch(Outcome::Ok, 100, 40_000),
        batch(Outcome::ThrottledStage, 900, 200),
        batch(Outcome::Quota, 50, 300),
        batch(Outcome::Timeout, 40, 5_000_000),
        batch(Outcome::InFlight, 10, 9_000_000),
    ]);
    run.retries.operations = 510;
    run.retries.held_back_operations = 10;
    run.retries.attempts = 600;
    run.retries.succeeded = 480;
    run.operation_time_us.record_n(70_000, 500).unwrap();
    let cases = [
        ("p50(ok)<=1.001ms", true, "1 ms"),
        ("p50(ok)<1ms", false, "1 ms"),
        ("p99(ok)<50ms", true, "40.031 ms"),
        ("max(ok)<40ms", false, "40.031 ms"),
        ("p90(throttled)<250us", true, "200 µs"),
        ("max(throttled)<=300us", true, "300 µs"),
        ("p99(throttled_stage)=200us", true, "200 µs"),
        ("max<9s", false, "9.003 s"),
        ("mean(error)>4s", true, "4.999 s"),
        ("rate(throttled)<48%", true, "47.5 %"),
        ("rate(throttled_stage)=45%", true, "45 %"),
        ("rate(error)=2%", true, "2 %"),
        ("rate(in_flight)=0", false, "0.5 %"),
        ("rate(all)=100%", true, "100 %"),
        ("rate(concurrency)=0", true, "0 %"),
        ("rps(ok)>=100", true, "100.0 rps"),
        ("rps>=201", false, "200.0 rps"),
        ("goodput>48", false, "48.0 rps"),
        ("amplification<=1.2", true, "1.200"),
        ("p99(operation)<100ms", true, "70.015 ms"),
        ("p99(lateness)<1ms", true, "0 µs"),
    ];
    let valid = verdict::judge(&run);
    for (expr, passed, actual) in cases {
        let result = parse(expr).evaluate(&run, &valid);
        assert_eq!((result.passed, result.actual.as_str()), (passed, actual), "{expr}");
        assert_eq!(parse(expr).holds(&run), Some(passed), "{expr}");
    }
    let all = parse("p99<10s").evaluate(&run, &valid);
    assert_eq!(all.note.as_deref(), Some("10 in flight count with the time they had waited"));
}

#[test]
fn no_samples_and_no_requests_hold_nothing() {
    let throttled_only = recording(&[batch(Outcome::ThrottledStage, 10, 200)]);
    let valid = verdict::judge(&throttled_only);
    let result = parse("p99(ok)<1s").evaluate(&throttled_only, &valid);
    assert!(!result.passed);
    assert_eq!(result.actual, "no samples");
    assert_eq!(result.value, None);
    assert_eq!(result.note.as_deref(), Some("no request of `ok` to measure"));
    assert_eq!(parse("rate(error)=0").holds(&recording(&[])), None);
    assert_eq!(parse("rps(ok)<1").holds(&recording(&[])), Some(true));
}

#[test]
fn an_invalid_run_passes_nothing() {
    let run = recording(&[batch(Outcome::Ok, 10, 200)]);
    let invalid =
        GeneratorValidity { valid: false, reason: Some("late".to_owned()), warnings: Vec::new() };
    let result = parse("p99(ok)<1s").evaluate(&run, &invalid);
    assert!(!result.passed);
    assert_eq!(result.actual, "200 µs", "what was measured is still said");
    assert_eq!(result.note.as_deref(), Some("the run is not valid"));
}

#[test]
fn without_retries_an_operation_is_a_request() {
    let run = recording(&[batch(Outcome::Ok, 100, 200)]);
    assert_eq!(parse("amplification=1").holds(&run), Some(true));
    assert_eq!(parse("goodput=10").holds(&run), Some(true));
    assert_eq!(parse("p99(operation)=200us").holds(&run), Some(true));
}

proptest! {
    #[test]
    fn any_text_gives_an_assertion_or_an_error(expr in "\\PC{0,40}") {
        let _ = expr.parse::<Assertion>();
    }

    #[test]
    fn near_misses_never_panic(expr in "(p99|rate|rps)[(]?[a-zµ]{0,4}[)]?[<>=]{0,3}[0-9.]{0,5}[a-zµ%]{0,3}") {
        let _ = expr.parse::<Assertion>();
    }

    /// Whatever the throttled requests took, statistics of `ok` are those of the ok requests alone.
    #[test]
    fn percentiles_of_ok_never_use_throttled_samples(
        ok_us in proptest::collection::vec(1_u64..10_000_000, 1..40),
        throttled_us in proptest::collection::vec(1_u64..10_000_000, 0..40),
    ) {
        let ok: Vec<_> = ok_us.iter().map(|us| batch(Outcome::Ok, 1, *us)).collect();
        let limiters = [Outcome::ThrottledPlan, Outcome::ThrottledStage, Outcome::Throttled, Outcome::Quota];
        let mixed: Vec<_> = throttled_us
            .iter()
            .zip(limiters.iter().cycle())
            .map(|(us, outcome)| batch(*outcome, 1, *us))
            .chain(ok.iter().copied())
            .collect();
        for name in ["p50", "p90", "p95", "p99", "p999", "max", "mean"] {
            let metric = parse(&format!("{name}(ok)<1s")).metric();
            prop_assert_eq!(metric.measure(&recording(&mixed)), metric.measure(&recording(&ok)));
        }
    }
}
