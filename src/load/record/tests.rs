//! Recording and merging.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(10);

fn instants(intended_ms: u64, sent_ms: u64, ended_ms: u64) -> Instants {
    let ns = 1_000_000;
    Instants { intended_ns: intended_ms * ns, sent_ns: Some(sent_ms * ns), ended_ns: ended_ms * ns }
}

fn finish(recorder: Recorder) -> Recording {
    recorder.into_recording(Duration::from_secs(5), false, GeneratorUse::default())
}

#[test]
fn outcomes_stand_at_their_discriminant() {
    for (n, outcome) in OUTCOMES.into_iter().enumerate() {
        assert_eq!(outcome as usize, n);
    }
}

#[test]
fn slices_are_short_in_short_runs_and_at_most_300() {
    let cases_ms =
        [(1_000, 100), (20_000, 100), (20_001, 1_000), (300_000, 1_000), (300_001, 2_000)];
    for (duration_ms, width_ms) in cases_ms {
        let width = slice_width(Duration::from_millis(duration_ms));
        assert_eq!(width, Duration::from_millis(width_ms), "{duration_ms} ms");
    }
    for duration_s in [1, 30, 1_000, 10_000, 100_000, 604_800] {
        let duration = Duration::from_secs(duration_s);
        assert!(Recorder::new(duration, TIMEOUT).slices.len() <= SLICES_MAX as usize);
    }
}

#[test]
fn response_time_counts_from_the_intended_instant_and_service_time_from_the_first_byte() {
    let mut recorder = Recorder::new(Duration::from_secs(5), TIMEOUT);
    recorder.sent(Some(300_000_000));
    recorder.ended(Outcome::Ok, &instants(1_000, 1_300, 1_400));
    let never_sent = Instants { sent_ns: None, ..instants(2_000, 0, 12_000) };
    recorder.ended(Outcome::ClientTimeout, &never_sent);
    let recording = finish(recorder);
    let ok = &recording.outcomes[&Outcome::Ok];
    assert!(ok.response_time_us.equivalent(ok.response_time_us.max(), 400_000));
    assert!(ok.service_time_us.equivalent(ok.service_time_us.max(), 100_000));
    assert!(recording.lateness_us.equivalent(recording.lateness_us.max(), 300_000));
    let timed_out = &recording.outcomes[&Outcome::ClientTimeout];
    assert_eq!((timed_out.response_time_us.len(), timed_out.service_time_us.len()), (1, 0));
    assert_eq!(recording.timeline.len(), 50);
    assert_eq!(recording.timeline[10].outcomes[&Outcome::Ok], 1);
    assert_eq!(recording.timeline[20].offered, 1);
    assert_eq!(recording.timeline[20].response_time_ok_us.len(), 0);
}

#[test]
fn what_is_longer_than_the_timeout_counts_as_the_timeout() {
    let mut recorder = Recorder::new(Duration::from_secs(5), TIMEOUT);
    recorder.ended(Outcome::Ok, &instants(0, 0, 100_000_000));
    let times = &finish(recorder).outcomes[&Outcome::Ok].response_time_us;
    assert_eq!(times.len(), 1);
    assert!(times.max() >= 10_000_000);
}

#[test]
fn limiter_names_and_examples_are_bounded_and_printable() {
    let mut recorder = Recorder::new(Duration::from_secs(5), TIMEOUT);
    for n in 0..100 {
        let mut name = Short::new();
        name.extend(format!("limiter-{n}").as_bytes());
        recorder.limited(&name);
        recorder.limited(&name);
    }
    recorder.example(Outcome::ProtocolError, &format!("\x1b[31m{}", "x".repeat(1_000)));
    let recording = finish(recorder);
    assert_eq!(recording.limiters.len(), LIMITERS_MAX);
    assert_eq!(recording.limiters["limiter-0"], 2);
    let example = &recording.examples[&Outcome::ProtocolError];
    assert!(!example.contains('\x1b') && example.chars().count() <= 2 * BODY_START_BYTES_MAX);
}

#[test]
fn merging_loses_nothing() {
    let mut whole = Recorder::new(Duration::from_secs(5), TIMEOUT);
    let mut parts = [
        Recorder::new(Duration::from_secs(5), TIMEOUT),
        Recorder::new(Duration::from_secs(5), TIMEOUT),
    ];
    for n in 0..4_900_u64 {
        let outcome = OUTCOMES[n as usize % OUTCOMES.len()];
        let times = instants(n, n + 3, n + 3 + n * n % 977);
        let part = &mut parts[n as usize % 2];
        for recorder in [&mut whole, part] {
            recorder.offered += 1;
            recorder.sent(Some(3_000_000));
            recorder.ended(outcome, &times);
            recorder.replied(Some(n));
            recorder.operation_ended(0, times.ended_ns, outcome == Outcome::Ok);
            let mut name = Short::new();
            name.extend(format!("limiter-{}", n % 5).as_bytes());
            recorder.limited(&name);
        }
    }
    let whole = finish(whole);
    let [first, second] = parts;
    let mut merged = finish(first);
    merged.merge(finish(second));
    assert_eq!((merged.offered, merged.sent), (whole.offered, whole.sent));
    assert_eq!(merged.completed, whole.completed);
    assert_eq!(merged.lateness_us, whole.lateness_us);
    assert_eq!(merged.operation_time_us, whole.operation_time_us);
    assert_eq!(merged.operation_time_ok_us, whole.operation_time_ok_us);
    assert_eq!(merged.cold_start_us, whole.cold_start_us);
    assert_eq!(merged.retries, whole.retries);
    assert_eq!(merged.limiters, whole.limiters);
    for outcome in OUTCOMES {
        let (merged, whole) = (&merged.outcomes[&outcome], &whole.outcomes[&outcome]);
        assert_eq!(merged.response_time_us, whole.response_time_us);
        assert_eq!(merged.service_time_us, whole.service_time_us);
    }
    assert_eq!(merged.timeline.len(), whole.timeline.len());
    for (merged, whole) in merged.timeline.iter().zip(&whole.timeline) {
        assert_eq!((merged.start, merged.offered), (whole.start, whole.offered));
        assert_eq!(merged.outcomes, whole.outcomes);
        assert_eq!(merged.response_time_ok_us, whole.response_time_ok_us);
    }
}

#[test]
fn recordings_with_other_bounds_merge_too() {
    let mut short = Recorder::new(Duration::from_secs(1), Duration::from_secs(1));
    short.ended(Outcome::Ok, &instants(0, 0, 500));
    let mut long = Recorder::new(Duration::from_secs(5), TIMEOUT);
    long.ended(Outcome::Ok, &instants(4_000, 4_000, 9_000));
    let mut merged = finish(short);
    merged.merge(finish(long));
    let times = &merged.outcomes[&Outcome::Ok].response_time_us;
    assert_eq!(times.len(), 2);
    assert!(times.equivalent(times.max(), 5_000_000));
    assert_eq!(merged.timeline.len(), 50);
}
