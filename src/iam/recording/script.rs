//! The script: every command on an endpoint in each of its states.

use super::super::shape::Reach;
use super::wanted::{PLAN, stamp};
use super::{Outcome, Rehearsed};
use crate::apply::Cloud as _;
use crate::plan;
use crate::plan::change::Change;
use crate::plan::names::EXECUTION_POLICY;
use crate::plan::wanted::Wanted;
use crate::spec::version::Version;
use crate::spec::{Throttle, UsagePlan};

impl Rehearsed<'_> {
    pub(super) async fn all(&mut self) -> Outcome<()> {
        let reach = self.asked.reach;
        if reach != Reach::Releases && self.asked.rest_api.is_some() {
            self.make_api().await?;
        }
        self.look("plan before the first deploy").await?;
        let kept = self.made.len();
        self.deploy("first deploy", &self.version("v1")?).await?;
        match reach {
            Reach::Whole => {}
            // Somebody else has made the first one.
            Reach::Releases => self.made.clear(),
            Reach::Reads => {
                self.made.truncate(kept);
                return self.look("status").await;
            }
        }
        self.versions().await?;
        self.settings().await?;
        let whole = reach == Reach::Whole;
        if whole {
            self.changed_by_hand().await?;
        }
        self.end(whole).await
    }

    /// New versions, live at once or as a canary, and back.
    pub(super) async fn versions(&mut self) -> Outcome<()> {
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
    pub(super) async fn settings(&mut self) -> Outcome<()> {
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
    pub(super) async fn changed_by_hand(&mut self) -> Outcome<()> {
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
        self.look("status").await?;
        let live = self.version(if whole { "v2" } else { "v1" })?;
        self.prune(&live).await?;
        if let Some(rest_api) = &self.rest_api {
            // More than the ledger remembers.
            for _ in 0..=100 {
                let (rest_api, description) = (rest_api.clone(), String::new());
                self.account.perform(&Change::CreateDeployment { rest_api, description }).await?;
            }
        }
        self.prune(&live).await?;
        if whole { self.destroy().await } else { Ok(()) }
    }

    /// The API is there already, with the endpoint's tag.
    async fn make_api(&mut self) -> Outcome<()> {
        let names = self.asked.names;
        let (name, tags) = (names.endpoint.clone(), names.tags());
        let create = Change::CreateRestApi { name, description: String::new(), tags };
        self.account.perform(&create).await?;
        Ok(())
    }
}
