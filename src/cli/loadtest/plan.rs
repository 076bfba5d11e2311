//! From flags to the load module's plan, and to the facts that a report states.

use super::aim::Aim;
use super::signing::Signing;
use super::{Args, Context};
use crate::cli::request_form::{add_missing, add_secret};
use crate::cli::{authorize, input};
use crate::error::Failure;
use crate::load::plan::{HttpVersion, Pace, Plan, Request, Target, TlsOptions, WeightedKey};
use crate::load::report::RunFacts;
use crate::load::report::document::{LoopKind, Run, Schedule as ScheduleFacts, Stage};
use crate::load::retry::RetryModel;
use crate::load::schedule::{ArrivalProcess, Rate, Schedule};
use crate::release::Timestamp;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

/// Connections of a closed loop when none are given.
const CLOSED_CONNECTIONS_DEFAULT: usize = 64;
/// The same of an open loop, which opens them on demand.
const OPEN_CONNECTIONS_DEFAULT: usize = 1_000;

/// `NAME=WEIGHT`; the weight is 1 when left out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeyShare {
    pub(super) name: String,
    pub(super) weight: f64,
}

impl FromStr for KeyShare {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
        let weight = weight.parse().ok().filter(|weight: &f64| *weight > 0.0 && weight.is_finite());
        match weight {
            Some(weight) if !name.is_empty() => Ok(Self { name: name.to_owned(), weight }),
            _ => Err("write NAME=WEIGHT with a weight above 0, for instance gold=3".to_owned()),
        }
    }
}

/// `NAME=N`: a size for an open dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DimSize {
    pub(super) name: String,
    pub(super) size: usize,
}

impl FromStr for DimSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A tensor's name may hold anything, so the last `=` is the one.
        let (name, size) = text.rsplit_once('=').unwrap_or((text, ""));
        match size.parse() {
            Ok(size) if size > 0 && !name.is_empty() => Ok(Self { name: name.to_owned(), size }),
            _ => Err("write NAME=N with N above 0, for instance length=128".to_owned()),
        }
    }
}

/// `local:N`: generator threads on this machine.
pub(super) fn parse_workers(text: &str) -> Result<usize, String> {
    match text.split_once(':') {
        Some(("local", n)) => n.parse().map_err(|_| format!("`{n}` is no number of threads")),
        Some(("ecs", _)) => {
            Err("workers on ECS come with the targets on AWS; write local:N".to_owned())
        }
        _ => Err("write local:N, for instance local:2".to_owned()),
    }
}

/// The plan of one run against `url`, at `rate_rps` when a search says so.
pub(super) fn plan(
    args: &Args,
    context: &Context,
    aim: &Aim,
    url: &str,
    rate_rps: Option<f64>,
) -> Result<Plan, Failure> {
    let target = Target::parse(url)?;
    let requests = requests(args, context, aim, &target)?;
    let authorize = aim
        .signer
        .as_ref()
        .map(|signer| Signing::new(signer, &target, &requests, context.console, crate::cli::now));
    let connections = connections(args, aim);
    let mut plan = Plan::new(target, requests, pace(args, connections, rate_rps)?);
    plan.connections_max = connections;
    plan.timeout = args.timeout;
    plan.keys = keys(args, context, aim)?;
    plan.authorize = authorize.transpose()?.map(|signing| Arc::new(signing) as _);
    plan.retry = args.retry;
    plan.http_version = if args.http2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
    plan.tls = TlsOptions {
        extra_ca_pem: match &args.cacert {
            None => None,
            Some(path) => Some(input::read_cacert(path)?),
        },
        insecure: args.insecure,
    };
    plan.workers = args.workers;
    plan.send_window = args.send_window;
    plan.seed = args.seed;
    Ok(plan)
}

/// The most connections of a run.
pub(super) fn connections(args: &Args, aim: &Aim) -> usize {
    let usual = match args.rps {
        Some(Rate::Max) => CLOSED_CONNECTIONS_DEFAULT,
        _ => OPEN_CONNECTIONS_DEFAULT,
    };
    args.connections.unwrap_or_else(|| aim.connections_default(usual))
}

fn pace(args: &Args, connections: usize, rate_rps: Option<f64>) -> Result<Pace, Failure> {
    let rate = rate_rps.map(Rate::PerSecond).or(args.rps);
    Ok(match (&args.stages, rate) {
        (Some(stages), _) => {
            Pace::Open(Schedule::staged(stages.clone(), args.arrivals, args.seed)?)
        }
        (None, Some(Rate::PerSecond(rate_rps))) => {
            Pace::Open(Schedule::constant(rate_rps, args.duration, args.arrivals, args.seed)?)
        }
        (None, _) => Pace::Closed { connections, duration: args.duration },
    })
}

fn requests(
    args: &Args,
    context: &Context,
    aim: &Aim,
    target: &Target,
) -> Result<Vec<Request>, Failure> {
    let mut headers = authorize::headers(&args.header)?;
    if let Some(name) = &args.bearer_from {
        let token = authorize::secret_from("--bearer-from", name, context)?;
        add_secret(&mut headers, "authorization", "Bearer ", &token);
    }
    let request = |payload: &super::requests::Payload| {
        let mut headers = headers.clone();
        add_missing(&mut headers, payload.headers.clone());
        Request {
            method: payload.method.to_owned(),
            path: target.path().to_owned(),
            headers,
            body: payload.body.clone(),
        }
    };
    Ok(aim.payloads.iter().map(request).collect())
}

/// The keys with their values: those of gwtf.toml, and any other that the environment sets.
fn keys(args: &Args, context: &Context, aim: &Aim) -> Result<Vec<WeightedKey>, Failure> {
    let key = |share: &KeyShare| {
        let value = authorize::key_value(&share.name, &aim.keys, context)?;
        Ok(WeightedKey {
            name: share.name.clone(),
            value: value.expose().to_owned(),
            weight: share.weight,
        })
    };
    args.key.iter().map(key).collect()
}

/// What a report states about the run.
pub(super) fn facts(args: &Args, aim: &Aim, plan: &Plan, now: SystemTime) -> RunFacts {
    let retry = match plan.retry {
        RetryModel::None => "none",
        RetryModel::Standard => "standard",
        RetryModel::Adaptive => "adaptive",
    };
    let run = Run {
        gwtf_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Some(Timestamp::from(now).to_string()),
        model: aim.served.clone(),
        payload: Some(aim.payload_text.clone()),
        seed: Some(plan.seed),
        connections_max: Some(match plan.pace {
            Pace::Open(_) => plan.connections_max,
            Pace::Closed { connections, .. } => connections,
        } as u64),
        timeout_ms: u64::try_from(plan.timeout.as_millis()).ok(),
        http_version: Some(if args.http2 { "2" } else { "1.1" }.to_owned()),
        retry: Some(retry.to_owned()),
        auth: aim.auth.clone(),
        throttle: aim.throttle.map(|throttle| throttle.to_string()),
        account_throttle: aim.account_throttle.map(|throttle| throttle.to_string()),
        reserved_concurrency: aim.reserved_concurrency.map(u64::from),
        more: aim.function_facts(),
        ..Run::default()
    };
    RunFacts { target: aim.shown_url(plan), schedule: schedule_facts(plan), run }
}

fn schedule_facts(plan: &Plan) -> ScheduleFacts {
    let duration_s = plan.duration().as_secs_f64();
    match &plan.pace {
        Pace::Closed { .. } => ScheduleFacts {
            kind: LoopKind::Closed,
            arrivals: "closed".to_owned(),
            duration_s,
            ..ScheduleFacts::default()
        },
        Pace::Open(schedule) => {
            let stages = schedule.stages();
            let single = match stages {
                [stage] if stage.from_rps == stage.to_rps => Some(stage.from_rps),
                _ => None,
            };
            ScheduleFacts {
                kind: LoopKind::Open,
                arrivals: match schedule.process() {
                    ArrivalProcess::Constant => "constant",
                    ArrivalProcess::Poisson => "poisson",
                }
                .to_owned(),
                rate_rps: single,
                duration_s,
                stages: match single {
                    Some(_) => Vec::new(),
                    None => stages
                        .iter()
                        .map(|stage| Stage {
                            duration_s: stage.duration.as_secs_f64(),
                            rate_from_rps: (stage.from_rps != stage.to_rps)
                                .then_some(stage.from_rps),
                            rate_rps: stage.to_rps,
                        })
                        .collect(),
                },
            }
        }
    }
}
