//! `gwtf loadtest`: arrivals planned ahead, sent whatever becomes of them, and told apart.

mod aim;
mod backing;
mod plan;
mod requests;
mod signing;
mod view;
mod write;

use super::local::FunctionArgs;
use super::{Context, authorize, unenforced_parser};
use crate::config::Unenforced;
use crate::error::{Exit, Failure};
use crate::load::assertion::Assertion;
use crate::load::find_max::{RESOLUTION, Search};
use crate::load::report::Report;
use crate::load::retry::RetryModel;
use crate::load::schedule::{ArrivalProcess, RATE_MAX_RPS, Rate, Stages};
use crate::load::{self, StopFlag, baseline};
use crate::spec::Throttle;
use std::path::PathBuf;
use std::time::Duration;

/// Offer load on a schedule and report what clients meet
///
/// Arrivals are planned ahead and never wait for replies; response times count from the instant
/// each request was due, so that a server that stalls shows. With MODEL, or with the local endpoint
/// of gwtf.toml, the twin is started for the run and stopped after it; --url names any other target.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf loadtest model.onnx --rps 500 --duration 10s --throttle 200:100
  gwtf loadtest --rps 500 --assert 'p99(ok)<50ms' 'rate(error)=0' --json
  gwtf loadtest --url http://127.0.0.1:3000/prod/predict --payload body.json \\
    --stages '10s:100,5s:2000,10s:100' --report report.html
  gwtf loadtest --url https://ID.execute-api.eu-west-1.amazonaws.com/prod/predict --sigv4 \\
    --payload body.json --rps 50
  gwtf loadtest model.onnx --rps 200 --find-max --assert 'p99(ok)<20ms'

Objectives:
  'p99(ok)<50ms'        p50 p90 p95 p99 p999 max mean of response times, of
                        (ok), (throttled), (error), one outcome, or all
  'rate(throttled)<1%'  the share of requests that ended so
  'rps(ok)>=490'        how many a second ended so")]
pub(super) struct Args {
    /// The model to serve behind the twin and to load
    #[arg(conflicts_with_all = ["url", "package"])]
    model: Option<PathBuf>,
    /// The URL to load instead; without --payload it gets GET requests
    #[arg(long, value_name = "URL", conflicts_with_all = ["package", "reserved_concurrency", "memory", "function_timeout", "cold_starts"])]
    url: Option<String>,
    /// Requests per second, or `max` for a closed loop over --connections
    #[arg(
        long,
        value_name = "N|max",
        allow_hyphen_values = true,
        required_unless_present = "stages"
    )]
    rps: Option<Rate>,
    /// How long requests are sent
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = load::duration::parse)]
    duration: Duration,
    /// How arrivals are spaced: `constant` or `poisson`
    #[arg(long, value_name = "HOW", default_value = "constant")]
    arrivals: ArrivalProcess,
    /// Stages in place of --rps and --duration: `10s:100,30s:100..500,5s:2000`
    #[arg(long, value_name = "STAGES", conflicts_with_all = ["rps", "duration"])]
    stages: Option<Stages>,
    /// Connections open at once, at most [default: 1000; 64 with --rps max]
    #[arg(long, value_name = "MAX")]
    connections: Option<usize>,
    /// How long a client waits for a reply, from the instant the request was due
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = load::duration::parse)]
    timeout: Duration,
    /// Request bodies, one a file, sent in turn [default: one made from the signature]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    payload: Vec<PathBuf>,
    /// Size of an open dimension of the made request, by its symbol, or as INPUT:POSITION where it
    /// has none: `length=128`, `input:1=512` [default: 1 for a batch, else 8]
    #[arg(long, value_name = "NAME=N", conflicts_with_all = ["url", "payload"])]
    dim: Vec<plan::DimSize>,
    /// Seed of made payloads, Poisson arrivals and every other choice
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The twin's stage throttle [default: gwtf.toml's]
    #[arg(long, value_name = "RATE:BURST", allow_hyphen_values = true, conflicts_with = "url")]
    throttle: Option<Throttle>,
    /// The twin's account throttle [default: 10000:5000, an AWS account's]
    #[arg(long, value_name = "RATE:BURST", allow_hyphen_values = true, conflicts_with = "url")]
    account_throttle: Option<Throttle>,
    /// API keys by name and their shares of the requests; values come from gwtf.toml's local keys
    /// or the variable GWTF_KEY_NAME
    #[arg(long, value_name = "NAME=WEIGHT", num_args = 1..)]
    key: Vec<plan::KeyShare>,
    /// What clients do about failures: `none`, `standard` or `adaptive`, as the AWS SDKs have them
    #[arg(long, value_name = "MODEL", default_value = "none")]
    retry: RetryModel,
    /// An objective that must hold; see below
    #[arg(long, value_name = "EXPR", num_args = 1..)]
    assert: Vec<Assertion>,
    /// Reports to write, by their endings: .html, .json, .xml (JUnit), .md
    #[arg(long, value_name = "FILE", num_args = 1..)]
    report: Vec<PathBuf>,
    /// An earlier JSON report to compare with
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Search the highest rate that holds every --assert, from --rps up, in runs of --duration
    #[arg(long, requires = "assert", conflicts_with = "stages")]
    find_max: bool,
    /// Send what falls due within this time together: less CPU a request, more lateness
    #[arg(long, value_name = "TIME", default_value = "0us", value_parser = load::duration::parse)]
    send_window: Duration,
    /// Generator threads: `local:N`
    #[arg(long, value_name = "local:N", default_value = "local:1", value_parser = plan::parse_workers)]
    workers: usize,
    /// A header for every request
    #[arg(long, value_name = "K: V")]
    header: Vec<String>,
    /// Sign every request (SigV4) as the caller that the AWS chain finds; signatures are renewed
    /// while the run goes on
    #[arg(long)]
    sigv4: bool,
    /// A bearer token from this environment variable
    #[arg(long, value_name = "ENV", conflicts_with = "sigv4")]
    bearer_from: Option<String>,
    /// Speak HTTP/2
    #[arg(long)]
    http2: bool,
    /// A CA certificate to trust beside the system's, PEM
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Take any TLS certificate
    #[arg(long)]
    insecure: bool,
    /// Go on without something that gwtf.toml asks for and this machine does not do yet
    #[arg(long, value_name = "NAME", value_parser = unenforced_parser())]
    allow_unenforced: Vec<Unenforced>,
    #[command(flatten)]
    function: FunctionArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    // Whatever can be refused is refused before anything starts.
    let formats = write::formats(&args.report)?;
    let headers = authorize::headers(&args.header)?;
    for (flag, given) in [("--sigv4", args.sigv4), ("--bearer-from", args.bearer_from.is_some())] {
        authorize::refuse_two(flag, given, &headers)?;
    }
    let before = args.baseline.as_deref().map(write::read_baseline).transpose()?;
    let aim = aim::Aim::take(args, context)?;
    let stop = StopFlag::new();
    super::signals::raise_on_interrupt(&stop)?;
    let mut report = match args.find_max {
        false => one_run(args, context, &aim, None, &stop)?,
        true => search(args, context, &aim, &stop)?,
    };
    aim.end();
    if let Some(before) = before {
        report.baseline = Some(baseline::compare(&report, &before));
    }
    write::print(context, &report)?;
    write::reports(&formats, &report, &context.console)?;
    Ok(match (report.interrupted, report.passed) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Verdict,
    })
}

/// One run at the rate asked for, or at `rate_rps`.
fn one_run(
    args: &Args,
    context: &Context,
    aim: &aim::Aim,
    rate_rps: Option<f64>,
    stop: &StopFlag,
) -> Result<Report, Failure> {
    let running = aim.start(plan::connections(args, aim), &context.console)?;
    let plan = plan::plan(args, context, aim, running.url(), rate_rps)?;
    let mut view = view::LiveView::new(&context.console, plan.duration());
    let recording = load::run(&plan, &mut view, stop)?;
    view.end();
    running.stop();
    Ok(Report::new(&recording, plan::facts(args, aim, &plan, context.now), &args.assert))
}

/// Runs that one rate of a search gets while its generator is not valid.
const TRIES_MAX: usize = 3;

/// One rate of a search. A run that is not valid says nothing of the target, so it is made again: a
/// moment's business of the machine would else pass for the target's limit.
fn probe(
    args: &Args,
    context: &Context,
    aim: &aim::Aim,
    rate_rps: f64,
    stop: &StopFlag,
) -> Result<Report, Failure> {
    let mut tries = 1;
    loop {
        let report = one_run(args, context, aim, Some(rate_rps), stop)?;
        context.console.talk(&view::probe_line(rate_rps, &report));
        if report.generator.validity.valid || report.interrupted || tries == TRIES_MAX {
            return Ok(report);
        }
        tries += 1;
    }
}

/// Bisects for the highest rate; the report is that of the best run that held.
fn search(
    args: &Args,
    context: &Context,
    aim: &aim::Aim,
    stop: &StopFlag,
) -> Result<Report, Failure> {
    let Some(Rate::PerSecond(start_rps)) = args.rps else {
        return Err(Failure::new(Exit::Refused, "--find-max: needs a rate to start from")
            .with_hint("give --rps a number"));
    };
    let mut search = Search::new(start_rps, RATE_MAX_RPS, RESOLUTION)?;
    let (mut best, mut last): (Option<Report>, Option<Report>) = (None, None);
    while let Some(rate_rps) = search.next() {
        let report = probe(args, context, aim, rate_rps, stop)?;
        if report.interrupted {
            last = Some(report);
            break;
        }
        search.record_noted(rate_rps, report.passed, view::missed(&report));
        let better = |old: &Report| old.schedule.rate_rps < report.schedule.rate_rps;
        if report.passed && best.as_ref().is_none_or(better) {
            best = Some(report.clone());
        }
        let in_vain = best.is_none() && !report.generator.validity.valid;
        last = Some(report);
        // At a lower rate such a machine would be no less busy; what then held by luck would be
        // taken for the target's limit.
        if in_vain {
            break;
        }
    }
    let interrupted = last.as_ref().is_some_and(|report| report.interrupted);
    let mut report = best.or(last).expect("a search makes one run at least");
    report.interrupted = interrupted;
    report.find_max = Some(search.findings());
    Ok(report)
}
