//! What the rehearsed deploys ask for: all that the endpoint's shape has.

use super::super::execution::execution_role;
use super::super::{Deployer, Shape};
use super::{Outcome, Rehearsed};
use crate::model::{Digest, Signature};
use crate::plan::Stamp;
use crate::plan::wanted::{Artefact, ArtefactForm, FunctionWanted, GatewayWanted, Wanted};
use crate::spec::limits::{INTEGRATION_TIMEOUT_MAX, LAMBDA_ZIP_UPLOAD_BYTES_MAX};
use crate::spec::timestamp::Timestamp;
use crate::spec::{Auth, Throttle, UsagePlan};
use std::collections::BTreeMap;
use std::time::SystemTime;

impl Rehearsed<'_> {
    pub(super) fn version(&self, tag: &str) -> Outcome<Wanted> {
        self.wanted(tag, 1 << 20)
    }

    pub(super) fn large(&self, tag: &str) -> Outcome<Wanted> {
        self.wanted(tag, LAMBDA_ZIP_UPLOAD_BYTES_MAX + 1)
    }

    fn auth(&self) -> Auth {
        match self.asked.shape {
            Shape { signed: true, .. } => Auth::Iam,
            Shape { keyed: true, .. } => Auth::ApiKey,
            _ => Auth::None,
        }
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
                auth: self.auth(),
                throttle: None,
                integration_timeout: INTEGRATION_TIMEOUT_MAX,
                access_log_format: shape.access_logs.then(|| "$context.requestId".to_owned()),
                usage_plans: shape.usage_plans.then_some(plan).into_iter().collect(),
                key_plans: keys.into_iter().collect(),
            },
            role: execution_role(names, shape.tracing, shape.boundary.clone()),
            log_retention_days: Some(14),
            allow_breaking: false,
            stamp: stamp(),
            lock_id: None,
        })
    }
}

/// The usage plan of the rehearsals.
pub(super) const PLAN: &str = "a plan";

pub(super) fn stamp() -> Stamp {
    Stamp {
        at: Timestamp::from(SystemTime::UNIX_EPOCH),
        by: "rehearsal".to_owned(),
        git_commit: None,
    }
}
