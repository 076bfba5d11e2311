//! Schedules: exact counts, ramps, Poisson statistics, splitting, refused input.

use super::*;

fn constant(rate_rps: f64, seconds: f64) -> Schedule {
    let duration = Duration::from_secs_f64(seconds);
    Schedule::constant(rate_rps, duration, ArrivalProcess::Constant, 1).unwrap()
}

fn staged(text: &str, process: ArrivalProcess) -> Schedule {
    Schedule::staged(text.parse().unwrap(), process, 11).unwrap()
}

fn instants_ns(schedule: &Schedule) -> Vec<u64> {
    schedule.arrivals(0, 1).map(|arrival| arrival.at_ns).collect()
}

#[test]
fn a_constant_rate_has_an_exact_count_and_even_gaps() {
    let cases = [
        (500.0, 10.0, 5_000),
        (10_000.0, 10.0, 100_000),
        (0.1, 30.0, 3),
        (1.0 / 3.0, 9.0, 3),
        (3.0, 0.1, 1),
        (0.7, 10.0, 7),
        (333.0, 0.7, 234),
    ];
    for (rate_rps, seconds, count) in cases {
        let instants = instants_ns(&constant(rate_rps, seconds));
        assert_eq!(instants.len(), count, "{rate_rps} rps for {seconds} s");
        assert_eq!(instants[0], 0);
        for (k, at_ns) in instants.iter().enumerate() {
            assert_eq!(*at_ns, (k as f64 * 1e9 / rate_rps).round() as u64);
        }
    }
}

#[test]
fn steps_follow_each_other_without_a_seam() {
    let schedule = staged("10s:100,30s:500,5s:2000,10s:100", ArrivalProcess::Constant);
    assert_eq!(schedule.duration(), Duration::from_secs(55));
    let instants = instants_ns(&schedule);
    assert_eq!(instants.len(), 1_000 + 15_000 + 10_000 + 1_000);
    let within = |from_s: u64, to_s: u64| {
        instants
            .iter()
            .filter(|at| (from_s * 1_000_000_000..to_s * 1_000_000_000).contains(at))
            .count()
    };
    assert_eq!(within(0, 10), 1_000);
    assert_eq!(within(10, 40), 15_000);
    assert_eq!(within(40, 45), 10_000);
    assert_eq!(within(45, 55), 1_000);
    assert!(instants.is_sorted());
}

#[test]
fn a_ramp_follows_the_integral_of_its_rate() {
    for text in ["10s:100..500", "10s:500..100", "10s:0..600", "10s:600..0"] {
        let schedule = staged(text, ArrivalProcess::Constant);
        let instants = instants_ns(&schedule);
        assert_eq!(instants.len(), 3_000, "{text}");
        let stage = schedule.stages()[0];
        let slope = (stage.to_rps - stage.from_rps) / 10.0;
        for (k, at_ns) in instants.iter().enumerate() {
            let t = *at_ns as f64 / 1e9;
            let due = stage.from_rps * t + slope * t * t / 2.0;
            assert!((due - k as f64).abs() < 1e-3, "{text}: arrival {k} at {t}: {due}");
        }
    }
}

#[test]
fn every_arrival_lies_before_the_end() {
    for text in ["1ms:10000000", "10s:600..0", "300ms:0..10000000,1us:10000000", "7s:0.3"] {
        let schedule = staged(text, ArrivalProcess::Constant);
        let end_ns = schedule.duration().as_nanos() as u64;
        assert!(schedule.arrivals(0, 1).all(|arrival| arrival.at_ns < end_ns), "{text}");
    }
}

#[test]
fn a_pause_has_no_arrivals() {
    let instants = instants_ns(&staged("1s:10,2s:0,1s:10", ArrivalProcess::Constant));
    assert_eq!(instants.len(), 20);
    assert_eq!(instants[9], 900_000_000);
    assert_eq!(instants[10], 3_000_000_000);
}

#[test]
fn poisson_gaps_have_the_mean_and_variance_of_an_exponential() {
    let duration = Duration::from_secs(200);
    let schedule = Schedule::constant(1_000.0, duration, ArrivalProcess::Poisson, 42).unwrap();
    let instants = instants_ns(&schedule);
    let gaps_ms: Vec<f64> = instants.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
    let n = gaps_ms.len() as f64;
    let mean = gaps_ms.iter().sum::<f64>() / n;
    let variance = gaps_ms.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
    assert!((mean - 1.0).abs() < 0.01, "mean {mean} ms");
    assert!((variance - 1.0).abs() < 0.03, "variance {variance} ms²");
    // The count is Poisson with mean 200,000: a standard deviation of 447.
    assert!((instants.len() as f64 - 200_000.0).abs() < 4.0 * 447.0, "{}", instants.len());
}

#[test]
fn poisson_follows_stages_and_its_seed() {
    let schedule = staged("10s:100..900,10s:2000", ArrivalProcess::Poisson);
    let instants = instants_ns(&schedule);
    let first_half = instants.iter().filter(|at| **at < 10_000_000_000).count() as f64;
    assert!((first_half - 5_000.0).abs() < 4.0 * 5_000_f64.sqrt(), "{first_half}");
    assert_eq!(instants, instants_ns(&schedule), "one seed gives one schedule");
    let other = Schedule::staged(Stages(schedule.stages().to_vec()), ArrivalProcess::Poisson, 12);
    assert_ne!(instants, instants_ns(&other.unwrap()));
}

#[test]
fn parts_are_the_whole_whatever_their_number() {
    for process in [ArrivalProcess::Constant, ArrivalProcess::Poisson] {
        let schedule = staged("1s:50..300,1s:100", process);
        let whole: Vec<Arrival> = schedule.arrivals(0, 1).collect();
        for of in [2, 3, 7] {
            let mut merged: Vec<Arrival> =
                (0..of).flat_map(|part| schedule.arrivals(part, of)).collect();
            merged.sort_by_key(|arrival| arrival.index);
            assert_eq!(merged, whole);
        }
    }
}

#[test]
fn rates_out_of_range_are_refused() {
    for text in ["0", "-1", "-0", "1e8", "inf", "-inf"] {
        assert!(matches!(text.parse::<Rate>(), Err(Error::RateRange(_))), "`{text}`");
    }
    for text in ["NaN", "", "x", "MAX", "5rps", "1,000"] {
        assert!(matches!(text.parse::<Rate>(), Err(Error::RateNotNumber(_))), "`{text}`");
    }
    assert_eq!("max".parse(), Ok(Rate::Max));
    assert_eq!("0.5".parse(), Ok(Rate::PerSecond(0.5)));
    for rate_rps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused =
            Schedule::constant(rate_rps, Duration::from_secs(1), ArrivalProcess::Constant, 0);
        assert!(matches!(refused, Err(Error::RateRange(_))));
    }
    let no_time = Schedule::constant(1.0, Duration::ZERO, ArrivalProcess::Constant, 0);
    assert!(matches!(no_time, Err(Error::NoTime(_))));
}

#[test]
fn stages_are_strict() {
    for text in [
        "",
        "10s",
        "10s:",
        ":100",
        "10:100",
        "10s:100,",
        ",10s:100",
        "10s:-1",
        "10s:100..",
        "10s:..5",
        "10s:1..2..3",
        "10s:100;5s:1",
        "0s:100",
        "10s:nan",
        "10s:1e9",
    ] {
        assert!(text.parse::<Stages>().is_err(), "`{text}` was accepted");
    }
    assert!("10s:100, 5s:0..20".parse::<Stages>().is_ok());
    let silent = Schedule::staged("5s:0".parse().unwrap(), ArrivalProcess::Constant, 0);
    assert_eq!(silent, Err(Error::NoRequests));
    let many = Stages(vec!["1s:1".parse().unwrap(); STAGES_MAX + 1]);
    let refused = Schedule::staged(many, ArrivalProcess::Constant, 0);
    assert_eq!(refused, Err(Error::StagesMany(STAGES_MAX + 1)));
}
