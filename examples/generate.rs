//! Drives the load generator through the library, for measuring it: prints what it did and used.
//!
//! `generate URL max|RATE SECONDS CONNECTIONS [1|2] [WORKERS] [poisson]`

use gwtf::load::plan::{HttpVersion, Pace, Plan, Request, Target, TlsOptions};
use gwtf::load::schedule::{ArrivalProcess, Rate, Schedule};
use gwtf::load::{Snapshot, StopFlag, run};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let get = |n: usize, default: &'static str| arguments.get(n).map_or(default, String::as_str);
    let target = Target::parse(get(0, "http://127.0.0.1:8080/"))?;
    let duration = Duration::from_secs_f64(get(2, "5").parse()?);
    let connections = get(3, "64").parse()?;
    let process = get(6, "constant").parse::<ArrivalProcess>()?;
    let pace = match get(1, "max").parse::<Rate>()? {
        Rate::Max => Pace::Closed { connections, duration },
        Rate::PerSecond(rate_rps) => Pace::Open(Schedule::constant(rate_rps, duration, process, 1)?),
    };
    let request = Request {
        method: "GET".into(),
        path: target.path().to_owned(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
    };
    let plan = Plan {
        connections_max: connections,
        http_version: if get(4, "1") == "2" { HttpVersion::Http2 } else { HttpVersion::Http1 },
        workers: get(5, "1").parse()?,
        tls: TlsOptions { extra_ca_pem: None, insecure: true },
        ..Plan::new(target, vec![request], pace)
    };
    let recording = run(&plan, &mut |_: &Snapshot| {}, &StopFlag::new())?;
    let completed = recording.completed as f64;
    let cpu_s = recording.generator.cpu.as_secs_f64();
    println!(
        "offered {} sent {} completed {} in {:?}; {:.0} rps; cpu {cpu_s:.3} s, {:.2} us/request, {:.0} requests/cpu-s",
        recording.offered,
        recording.sent,
        recording.completed,
        recording.elapsed,
        completed / recording.elapsed.as_secs_f64(),
        cpu_s / completed * 1e6,
        completed / cpu_s,
    );
    for (outcome, times) in &recording.outcomes {
        for (what, h) in
            [("response", &times.response_time_us), ("service", &times.service_time_us)]
        {
            println!(
                "{:>16} {what:>8}: n {} p50 {} p90 {} p99 {} p99.9 {} max {} us",
                outcome.name(),
                h.len(),
                h.value_at_quantile(0.5),
                h.value_at_quantile(0.9),
                h.value_at_quantile(0.99),
                h.value_at_quantile(0.999),
                h.max()
            );
        }
    }
    let late = &recording.lateness_us;
    println!(
        "lateness: n {} p50 {} p90 {} p99 {} p99.9 {} max {} us; {:?}",
        late.len(),
        late.value_at_quantile(0.5),
        late.value_at_quantile(0.9),
        late.value_at_quantile(0.99),
        late.value_at_quantile(0.999),
        late.max(),
        recording.generator
    );
    for (outcome, example) in &recording.examples {
        println!("{}: {example}", outcome.name());
    }
    Ok(())
}
