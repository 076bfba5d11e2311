//! Which calls `deploy`, `promote`, `rollback`, `prune`, `status` and `destroy` make: rehearsed in
//! memory, command by command, with all that the endpoint's shape has.

use super::deployer::Deployer;
use super::execution::execution_role;
use super::shape::Reach;
use super::{Error, calls};
use crate::apply::lock::{self, Lock};
use crate::apply::rehearsal::{Call as Made, Knobs, Recorded, Rehearsal};
use crate::apply::{Calls, Cloud, Pace, Quiet, Scope, observe};
use crate::identity::policy::Call;
use crate::model::{Digest, Signature};
use crate::plan::change::{Change, Given};
use crate::plan::names::EXECUTION_POLICY;
use crate::plan::wanted::{Artefact, ArtefactForm, FunctionWanted, GatewayWanted, Wanted};
use crate::plan::{self, Names, Observed, Plan, Query, Refused, Stamp};
use crate::spec::limits::{INTEGRATION_TIMEOUT_MAX, LAMBDA_ZIP_UPLOAD_BYTES_MAX};
use crate::spec::timestamp::Timestamp;
use crate::spec::version::Version;
use crate::spec::{Auth, Throttle, UsagePlan};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The calls of the rehearsed commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The command and the call, in order.
    pub made: Vec<(&'static str, Made)>,
    /// The REST API's id there.
    rest_api: Option<String>,
}

impl Recording {
    /// What they are authorised as, each request once, under the first command that makes it.
    pub(super) fn calls(
        &self,
        names: &Names,
        boundary: Option<&str>,
        rest_api: Option<&str>,
    ) -> Vec<Call> {
        let authorised = calls::Authorised { names, boundary };
        let mut calls: Vec<Call> = Vec::new();
        for (command, made) in &self.made {
            let needs = match made {
                Made::Asked(query) => authorised.query(query),
                Made::Performed(change) => authorised.change(change),
            };
            let operation = format!("{command}: {}", made.operation().1);
            for mut need in needs {
                if let (Some(known), Some(rehearsed)) = (rest_api, &self.rest_api) {
                    need.unknown.retain(|text| text != rehearsed);
                    need.request.resource = need.request.resource.replace(rehearsed, known);
                }
                let call = need.call(&operation);
                if !calls.iter().any(|other| other.requests == call.requests) {
                    calls.push(call);
                }
            }
        }
        calls
    }
}

/// Rehearses everything that the deployer does.
///
/// # Errors
/// A command does not go through; that would be a fault of the plan, the rehearsal or this script.
pub async fn record(asked: &Deployer<'_>) -> Result<Recording, Error> {
    let account = Rehearsal::new(asked.names, Knobs::default());
    let mut rehearsed = Rehearsed {
        asked,
        account: &account,
        cloud: Recorded::new(&account),
        made: Vec::new(),
        rest_api: None,
    };
    rehearsed.all().await.map_err(|Failure(failure)| Error::Rehearsal { failure })?;
    Ok(Recording { made: rehearsed.made, rest_api: rehearsed.rest_api })
}

/// Why a rehearsal does not go through, causes included.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

type Outcome<T> = Result<T, Failure>;

struct Rehearsed<'a> {
    asked: &'a Deployer<'a>,
    /// The account, for what others do by hand and nobody records.
    account: &'a Rehearsal,
    cloud: Recorded<&'a Rehearsal>,
    made: Vec<(&'static str, Made)>,
    rest_api: Option<String>,
}

impl Rehearsed<'_> {
    async fn all(&mut self) -> Outcome<()> {
        let whole = self.asked.reach == Reach::Whole;
        if whole && self.asked.rest_api.is_some() {
            self.make_api().await?;
        }
        self.deploy("first deploy", &self.version("v1")?).await?;
        if !whole {
            // Somebody else has made the first one.
            self.made.clear();
        }
        self.versions().await?;
        self.settings().await?;
        if whole {
            self.changed_by_hand().await?;
        }
        self.end(whole).await
    }

    /// New versions, live at once or as a canary, and back.
    async fn versions(&mut self) -> Outcome<()> {
        self.deploy("deploy without changes", &self.version("v1")?).await?;
        self.deploy("deploy", &self.large("v2")?).await?;
        let canary = Wanted { canary_percent: Some(10), ..self.version("v3")? };
        self.deploy("deploy --canary", &canary).await?;
        self.point("promote", |names, state| plan::promote(names, state, &stamp())).await?;
        let canary = Wanted { canary_percent: Some(10), ..self.version("v4")? };
        self.deploy("deploy --canary", &canary).await?;
        self.point("rollback", |names, state| plan::rollback(names, state, None, &stamp())).await?;
        let to: Version = "v1".parse()?;
        self.point("rollback --to", |names, state| {
            plan::rollback(names, state, Some(&to), &stamp())
        })
        .await
    }

    /// Settings changed in gwtf.toml, taken out, and put in again.
    async fn settings(&mut self) -> Outcome<()> {
        let changed = self.with_other_settings(2_048)?;
        self.deploy("deploy with other settings", &changed).await?;
        self.deploy("deploy with other settings", &self.with_other_settings(3_008)?).await?;
        let mut fewer = self.version("v1")?;
        fewer.function.reserved_concurrency = None;
        fewer.function.provisioned_concurrency = 0;
        fewer.gateway.usage_plans.clear();
        fewer.gateway.key_plans.clear();
        self.deploy("deploy with settings taken out", &fewer).await?;
        let mut more = self.version("v1")?;
        if !self.asked.shape.api_keys {
            return self.deploy("deploy with settings put in", &more).await;
        }
        more.gateway.key_plans.insert("another".to_owned(), PLAN.to_owned());
        self.deploy("deploy with settings put in", &more).await?;
        let other = UsagePlan { name: "other".to_owned(), ..more.gateway.usage_plans[0].clone() };
        more.gateway.key_plans.insert("another".to_owned(), other.name.clone());
        more.gateway.usage_plans.push(other);
        self.deploy("deploy with a key in another plan", &more).await
    }

    fn with_other_settings(&self, memory_mib: u32) -> Outcome<Wanted> {
        let mut wanted = self.version("v1")?;
        wanted.function.memory_mib = memory_mib;
        wanted.log_retention_days = wanted.log_retention_days.map(|days| days + 16);
        for plan in &mut wanted.gateway.usage_plans {
            plan.throttle = Some(Throttle { rate_rps: f64::from(memory_mib), burst: 10 });
        }
        Ok(wanted)
    }

    /// What somebody changed, and deploy brings back.
    async fn changed_by_hand(&mut self) -> Outcome<()> {
        let role = self.asked.names.execution_role();
        let nobody = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned();
        let mut by_hand = vec![
            Change::UpdateAssumeRolePolicy { role: role.clone(), trust: nobody.clone() },
            Change::PutRolePolicy {
                role: role.clone(),
                policy: EXECUTION_POLICY.to_owned(),
                document: nobody,
            },
        ];
        if self.asked.shape.boundary.is_some() {
            by_hand.push(Change::DeleteRolePermissionsBoundary { role });
        }
        if self.asked.rest_api.is_none()
            && let Some(rest_api) = self.rest_api.clone()
        {
            by_hand.push(Change::DeleteRestApi { rest_api });
        }
        for change in &by_hand {
            self.account.perform(change).await?;
        }
        self.deploy("deploy after changes by hand", &self.version("v1")?).await?;
        // Its routes are those of all versions again, which are kept by their aliases.
        self.deploy("deploy", &self.version("v2")?).await
    }

    async fn end(&mut self, whole: bool) -> Outcome<()> {
        let state = self.observe().await?;
        self.take("status");
        let live = self.version(if whole { "v2" } else { "v1" })?;
        self.prune(&live).await?;
        if let Some(api) = &state.rest_api {
            // More than the ledger remembers.
            for _ in 0..=100 {
                let (rest_api, description) = (api.id.clone(), String::new());
                self.account.perform(&Change::CreateDeployment { rest_api, description }).await?;
            }
        }
        self.prune(&live).await?;
        if whole {
            let state = self.observe().await?;
            self.carry_out(&state, &plan::destroy(self.asked.names, &state)).await?;
            self.unlock().await?;
            self.take("destroy");
        }
        Ok(())
    }

    async fn prune(&mut self, live: &Wanted) -> Outcome<()> {
        let state = self.observe().await?;
        self.carry_out(&state, &plan::prune(live, &state, 1)?).await?;
        self.take("prune");
        Ok(())
    }

    /// The API is there already, with the endpoint's tag.
    async fn make_api(&mut self) -> Outcome<()> {
        let names = self.asked.names;
        let (name, tags) = (names.endpoint.clone(), names.tags());
        let create = Change::CreateRestApi { name, description: String::new(), tags };
        self.account.perform(&create).await?;
        Ok(())
    }

    async fn deploy(&mut self, command: &'static str, wanted: &Wanted) -> Outcome<()> {
        let state = self.observe().await?;
        let plan = plan::deploy(wanted, &state)?;
        self.carry_out(&state, &plan).await?;
        if plan.is_empty() {
            self.unlock().await?;
        }
        self.take(command);
        let after = self.observe().await?;
        self.cloud.take();
        self.rest_api = after.rest_api.map(|api| api.id);
        Ok(())
    }

    async fn point(
        &mut self,
        command: &'static str,
        decide: impl FnOnce(&Names, &Observed) -> Result<Plan, Refused>,
    ) -> Outcome<()> {
        let state = self.observe().await?;
        let plan = decide(self.asked.names, &state)?;
        self.carry_out(&state, &plan).await?;
        self.take(command);
        Ok(())
    }

    async fn observe(&self) -> Outcome<Observed> {
        let pace = Pace::new(0);
        let calls = Calls::new(&self.cloud, &pace, &Quiet);
        let scope = Scope { repository: self.asked.shape.image };
        Ok(observe(calls, self.asked.names, scope).await?)
    }

    /// Takes the lock, then performs the plan one by one: what is asked about is which calls are
    /// made, not when.
    async fn carry_out(&self, state: &Observed, plan: &Plan) -> Outcome<()> {
        self.lock(state).await?;
        let mut given: BTreeMap<String, String> = plan.known.clone();
        for action in &plan.actions {
            let Some(change) = &action.change else { continue };
            let gave = self.cloud.perform(&change.resolve(&given)?).await?;
            if let (Some(key), Given::Id(id)) = (&action.gives, gave) {
                given.insert(key.clone(), id);
            }
            if let Some(plan::Wait::FunctionReady { function }) = &action.wait {
                self.cloud.ask(&Query::GetFunction { function: function.clone() }).await?;
            }
        }
        Ok(())
    }

    /// Makes the bucket where there is none, as the first deploy of an account does.
    async fn lock(&self, state: &Observed) -> Outcome<()> {
        let names = self.asked.names;
        let (bucket, owner) = (names.bucket.clone(), names.account_id.clone());
        if state.bucket == plan::observed::Bucket::Missing {
            let region = names.region.clone();
            self.cloud.perform(&Change::CreateBucket { bucket: bucket.clone(), region }).await?;
            let tags = BTreeMap::from([(plan::names::SHARED_TAG.to_owned(), "bucket".to_owned())]);
            self.cloud.perform(&Change::PutBucketTags { bucket, owner, tags }).await?;
        }
        // Whoever held it before is done: the rehearsal has one process.
        let request = lock::Request {
            lock: Lock::new(LOCK_ID, "rehearsal", SystemTime::UNIX_EPOCH),
            observed: state.lock.as_ref(),
            now: SystemTime::UNIX_EPOCH,
            break_lock: true,
        };
        let pace = Pace::new(0);
        let calls = Calls::new(&self.cloud, &pace, &Quiet);
        lock::acquire(calls, names, request, |_| true).await?;
        Ok(())
    }

    async fn unlock(&self) -> Outcome<()> {
        let pace = Pace::new(0);
        let calls = Calls::new(&self.cloud, &pace, &Quiet);
        Ok(lock::unlock(calls, self.asked.names, LOCK_ID).await?)
    }

    fn take(&mut self, command: &'static str) {
        self.made.extend(self.cloud.take().into_iter().map(|made| (command, made)));
    }

    fn version(&self, tag: &str) -> Outcome<Wanted> {
        self.wanted(tag, 1 << 20)
    }

    fn large(&self, tag: &str) -> Outcome<Wanted> {
        self.wanted(tag, LAMBDA_ZIP_UPLOAD_BYTES_MAX + 1)
    }

    fn wanted(&self, tag: &str, size_bytes: u64) -> Outcome<Wanted> {
        let Deployer { names, shape, .. } = self.asked;
        let form = if shape.image {
            ArtefactForm::Image { layout: tag.into() }
        } else {
            ArtefactForm::Zip { path: tag.into(), size_bytes }
        };
        let plan = UsagePlan {
            name: PLAN.to_owned(),
            throttle: Some(Throttle { rate_rps: 5.0, burst: 10 }),
            method_throttles: BTreeMap::new(),
            quota: None,
        };
        let keys = shape.api_keys.then(|| ("a key".to_owned(), PLAN.to_owned()));
        Ok(Wanted {
            names: (*names).clone(),
            version: tag.parse()?,
            model_sha256: Digest::of(tag.as_bytes()),
            signature: Signature::default(),
            artefact: Some(Artefact { digest: Digest::of(&[tag.as_bytes(), b"z"].concat()), form }),
            canary_percent: None,
            function: FunctionWanted {
                memory_mib: 1_769,
                timeout_s: 10,
                architecture: "x86_64".to_owned(),
                environment: BTreeMap::new(),
                reserved_concurrency: shape.reserved_concurrency.then_some(50),
                provisioned_concurrency: u32::from(shape.provisioned_concurrency),
                tracing: shape.tracing,
            },
            gateway: GatewayWanted {
                auth: Auth::Iam,
                throttle: None,
                integration_timeout: INTEGRATION_TIMEOUT_MAX,
                access_log_format: shape.access_logs.then(|| "$context.requestId".to_owned()),
                usage_plans: shape.usage_plans.then_some(plan).into_iter().collect(),
                key_plans: keys.into_iter().collect(),
            },
            role: execution_role(names, shape.tracing, shape.boundary.clone()),
            log_retention_days: shape.log_retention.then_some(14),
            allow_breaking: false,
            stamp: stamp(),
            lock_id: None,
        })
    }
}

/// The id of the rehearsals' locks.
const LOCK_ID: &str = "rehearsal";
/// The usage plan of the rehearsals.
const PLAN: &str = "a plan";

fn stamp() -> Stamp {
    Stamp {
        at: Timestamp::from(SystemTime::UNIX_EPOCH),
        by: "rehearsal".to_owned(),
        git_commit: None,
    }
}
