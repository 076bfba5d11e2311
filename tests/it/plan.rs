//! Plans: golden files of each case, and what holds for all of them.
//!
//! `fixtures/plans/<case>/` holds the text and the document of each case. `UPDATE_GOLDEN=1` rewrites
//! them; the difference is then read, not believed.

/// The cases whose plans are kept as files.
mod cases;
/// Lives of an endpoint, of any length and stopped anywhere.
mod lives;
/// What holds for every plan: order, placeholders, budgets, convergence.
mod properties;
/// What is refused, and why.
mod refused;
/// Status and history of an endpoint, and what counts as changed by hand.
mod told;
/// What AWS has after a plan.
mod world;

use gwtf::model::{DType, Digest, Dim, Signature, TensorSpec};
use gwtf::plan::record::Stamp;
use gwtf::plan::render::ledger::Place;
use gwtf::plan::settings::changed_by_hand;
use gwtf::plan::wanted::{Artefact, ArtefactForm, FunctionWanted, GatewayWanted, RoleWanted};
use gwtf::plan::{Drift, Ledger, Names, Observed, Plan, Wanted, deploy};
use gwtf::spec::timestamp::Timestamp;
use gwtf::spec::version::Version;
use gwtf::spec::{Auth, Period, Quota, Throttle, UsagePlan};
use std::collections::BTreeMap;
use std::time::Duration;
use world::World;

const MIB: u64 = 1 << 20;

pub(crate) fn names() -> Names {
    Names::new("iris", "prod", "eu-west-1", "111122223333", None).unwrap()
}

pub(crate) fn version(tag: &str) -> Version {
    tag.parse().unwrap()
}

/// The minute of the test's day.
fn minute(minute: usize) -> Timestamp {
    format!("2026-11-24T{:02}:{:02}:00Z", 12 + minute / 60, minute % 60).parse().unwrap()
}

pub(crate) fn stamp(at: usize) -> Stamp {
    Stamp { at: minute(at), by: "ada".to_owned(), git_commit: Some("0123456789".repeat(4)) }
}

fn tensor(name: &str, dtype: DType) -> TensorSpec {
    let shape = Some(vec![Dim::Symbol("batch".to_owned()), Dim::Fixed(4)]);
    TensorSpec { name: name.to_owned(), dtype, shape }
}

fn signature() -> Signature {
    Signature {
        inputs: vec![tensor("features", DType::Float32)],
        outputs: vec![tensor("label", DType::Int64)],
    }
}

pub(crate) fn zip(tag: &str) -> Artefact {
    let form = ArtefactForm::Zip { path: format!("{tag}.zip").into(), size_bytes: 20 * MIB };
    Artefact { digest: Digest::of(format!("zip of {tag}").as_bytes()), form }
}

/// A deploy of this version, at this minute, as a fresh `gwtf.toml` asks for it.
pub(crate) fn wanted(tag: &str, at: usize) -> Wanted {
    Wanted {
        names: names(),
        version: version(tag),
        model_sha256: Digest::of(tag.as_bytes()),
        signature: signature(),
        artefact: Some(zip(tag)),
        canary_percent: None,
        function: FunctionWanted {
            memory_mib: 1_769,
            timeout_s: 10,
            architecture: "x86_64".to_owned(),
            environment: BTreeMap::from([("LOG".to_owned(), "a-secret-value".to_owned())]),
            reserved_concurrency: None,
            provisioned_concurrency: 0,
            tracing: false,
        },
        gateway: GatewayWanted {
            auth: Auth::Iam,
            throttle: Some(Throttle { rate_rps: 100.0, burst: 200 }),
            integration_timeout: Duration::from_secs(29),
            access_log_format: Some("$context.requestId $context.status".to_owned()),
            usage_plans: Vec::new(),
            key_plans: BTreeMap::new(),
        },
        role: RoleWanted {
            trust: r#"{"Statement":"lambda may take it"}"#.to_owned(),
            policy: r#"{"Statement":"its own log"}"#.to_owned(),
            boundary: None,
        },
        log_retention_days: Some(30),
        allow_breaking: false,
        stamp: stamp(at),
        lock_id: Some(format!("lock-{at}")),
    }
}

/// The same with API keys: `ada` in plan `free`, `bob` in plan `pro`.
pub(crate) fn with_keys(tag: &str, at: usize) -> Wanted {
    let plan = |name: &str, rate_rps, limit| UsagePlan {
        name: name.to_owned(),
        throttle: Some(Throttle { rate_rps, burst: 10 }),
        method_throttles: BTreeMap::new(),
        quota: Some(Quota { limit, period: Period::Day }),
    };
    let mut wanted = wanted(tag, at);
    wanted.gateway.auth = Auth::ApiKey;
    wanted.gateway.usage_plans = vec![plan("free", 5.0, 1_000), plan("pro", 50.0, 100_000)];
    wanted.gateway.key_plans =
        [("ada", "free"), ("bob", "pro")].map(|(k, p)| (k.to_owned(), p.to_owned())).into();
    wanted
}

/// The same with most settings changed, and access logs off.
pub(crate) fn settings(tag: &str, at: usize) -> Wanted {
    let mut wanted = wanted(tag, at);
    wanted.function.memory_mib = 3_008;
    wanted.function.reserved_concurrency = Some(50);
    wanted.function.provisioned_concurrency = 5;
    wanted.gateway.access_log_format = None;
    wanted.gateway.throttle = None;
    wanted.log_retention_days = Some(7);
    wanted
}

fn planned(wanted: &Wanted, observed: &Observed) -> Plan {
    deploy(wanted, observed).unwrap()
}

/// An account after these versions were deployed, a minute apart.
fn released(tags: &[&str]) -> World {
    let mut world = World::new(&names());
    for (at, tag) in tags.iter().enumerate() {
        world.deploy(&wanted(tag, at));
    }
    world
}

impl World {
    /// What was changed by hand.
    fn drift(&self) -> Vec<Drift> {
        let ledger = Ledger::of(&self.observed, &self.names);
        changed_by_hand(&self.observed, &self.names, &ledger)
    }

    /// What is printed of the endpoint.
    fn told<T>(&self, tell: impl FnOnce(Place<'_>) -> T) -> T {
        let ledger = Ledger::of(&self.observed, &self.names);
        let url = self.observed.rest_api.as_ref().map(|api| self.names.url(&api.id));
        let (names, observed) = (&self.names, &self.observed);
        tell(Place { names, ledger: &ledger, observed, url: url.as_deref() })
    }

    fn deploy(&mut self, wanted: &Wanted) {
        let plan = planned(wanted, &self.observed);
        self.carry_out(&plan, wanted.stamp.at);
    }

    fn rollback(&mut self, to: Option<&str>, at: usize) {
        let to = to.map(version);
        let plan = gwtf::plan::rollback(&self.names, &self.observed, to.as_ref(), &stamp(at));
        self.carry_out(&plan.unwrap(), minute(at));
    }

    fn promote(&mut self, at: usize) {
        let plan = gwtf::plan::promote(&self.names, &self.observed, &stamp(at)).unwrap();
        self.carry_out(&plan, minute(at));
    }

    fn prune(&mut self, tag: &str, keep: usize, at: usize) {
        let wanted = Wanted { artefact: None, ..wanted(tag, at) };
        let plan = gwtf::plan::prune(&wanted, &self.observed, keep).unwrap();
        self.carry_out(&plan, minute(at));
    }
}
