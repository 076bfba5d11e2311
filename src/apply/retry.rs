//! Whether a failed call is made again, and after how long. Pure.
//!
//! Back-off before attempt `n + 1`: `min(base * 2^(n-1), 20 s)`, of which half is fixed and half is
//! drawn, and never less than the service asked for. What is not ready is asked again at a fixed
//! pace, as AWS's own waiters do.

use super::cloud::{CallError, Failed, Retry};
use crate::plan::Wait;
use crate::plan::change::{Change, PatchOp};
use std::time::Duration;

/// Most attempts of a call that meets a rate limit.
const THROTTLED_ATTEMPTS_MAX: u32 = 8;
/// Most attempts of a call that met a server error or no reply.
const UNKNOWN_ATTEMPTS_MAX: u32 = 5;
const THROTTLED_BASE: Duration = Duration::from_secs(1);
const UNKNOWN_BASE: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(20);
/// Longest wait that a service may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Between two attempts while a new role is not known everywhere, and how long that is borne
/// (aws-sdk users and Terraform bear the same; usually it takes 5 to 15 s).
const ROLE_INTERVAL: Duration = Duration::from_secs(5);
const ROLE_MAX: Duration = Duration::from_secs(60);
/// Between two attempts while another update of the same thing is in progress.
const IN_PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// Lambda's error code for an update during an update.
const IN_PROGRESS_CODE: &str = "ResourceConflictException";

/// One failed attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    /// How it failed.
    pub(super) error: &'a CallError,
    /// Its number, from 1.
    pub(super) number: u32,
    /// Since the first attempt.
    pub(super) elapsed: Duration,
    /// Whether doing it twice is the same as doing it once.
    pub(super) repeatable: bool,
    /// Drawn evenly from 0 to 1.
    pub(super) jitter: f64,
}

impl Attempt<'_> {
    /// The wait before the next attempt; none when there is no other.
    pub(super) fn wait(&self) -> Option<Duration> {
        let asked = self.error.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        match (self.error.retry, self.error.failed) {
            (Retry::Never, _) => None,
            (Retry::Unknown, _) if !self.repeatable => None,
            (Retry::Safe, Failed::NotReady) => {
                let (interval, longest) = if self.error.code == IN_PROGRESS_CODE {
                    (IN_PROGRESS_INTERVAL, Wait::MAX)
                } else {
                    (ROLE_INTERVAL, ROLE_MAX)
                };
                let wait = interval.max(asked);
                (self.elapsed + wait <= longest).then_some(wait)
            }
            (Retry::Safe, Failed::Throttled) => (self.number < THROTTLED_ATTEMPTS_MAX)
                .then(|| self.back_off(THROTTLED_BASE).max(asked)),
            (Retry::Safe | Retry::Unknown, _) => {
                (self.number < UNKNOWN_ATTEMPTS_MAX).then(|| self.back_off(UNKNOWN_BASE).max(asked))
            }
        }
    }

    fn back_off(&self, base: Duration) -> Duration {
        let doubled = base.saturating_mul(1 << (self.number - 1).min(16)).min(BACK_OFF_MAX);
        doubled.mul_f64(0.5 + self.jitter.clamp(0.0, 1.0) / 2.0)
    }
}

/// Whether making this change twice is the same as making it once, so that it may be made again
/// when the first time's outcome is not known.
pub fn is_idempotent(change: &Change) -> bool {
    match change {
        // It sets one thing to a value that the request holds.
        // A bucket that is the account's own already is as good as made.
        Change::CreateBucket { .. }
        | Change::PutBucketTags { .. }
        | Change::UpdateAssumeRolePolicy { .. }
        | Change::PutRolePermissionsBoundary { .. }
        | Change::PutRolePolicy { .. }
        | Change::PutRetentionPolicy { .. }
        | Change::SetRepositoryPolicy { .. }
        | Change::UpdateFunctionConfiguration { .. }
        | Change::UpdateAlias { .. }
        | Change::PutFunctionConcurrency { .. }
        | Change::PutProvisionedConcurrency { .. }
        | Change::PutRestApi { .. }
        | Change::UpdateAccount { .. } => true,
        // A condition no longer holds once it was written.
        Change::PutObject { condition, .. } => condition.is_none(),
        // Attaching again is no error and changes nothing (IAM API reference).
        Change::AttachRolePolicy { .. } => true,
        // Lambda gives the same version again for the same code and configuration.
        Change::UpdateFunctionCode { .. } | Change::PublishVersion { .. } => true,
        // Layers and manifests are stored under their own digest.
        Change::PushImage { .. } => true,
        // Gone is gone: `NotFound` then says that it is done.
        Change::DeleteBucket { .. }
        | Change::DeleteObject { .. }
        | Change::DeleteRolePermissionsBoundary { .. }
        | Change::DeleteRolePolicy { .. }
        | Change::DeleteRole { .. }
        | Change::DeleteLogGroup { .. }
        | Change::DeleteRepository { .. }
        | Change::DeleteAlias { .. }
        | Change::RemovePermission { .. }
        | Change::DeleteFunctionConcurrency { .. }
        | Change::DeleteProvisionedConcurrency { .. }
        | Change::DeleteFunctionVersion { .. }
        | Change::DeleteFunction { .. }
        | Change::DeleteRestApi { .. }
        | Change::DeleteDeployment { .. }
        | Change::DeleteUsagePlan { .. }
        | Change::DeleteApiKey { .. }
        | Change::DeleteUsagePlanKey { .. } => true,
        // Replacing twice is replacing once; a copy or a removal finds its source gone.
        Change::UpdateStage { patch, .. } | Change::UpdateUsagePlan { patch, .. } => {
            patch.iter().all(|operation| operation.op == PatchOp::Replace)
        }
        // The name is taken by the first one, whose conflict would look like somebody else's.
        Change::CreateRole { .. }
        | Change::CreateLogGroup { .. }
        | Change::CreateRepository { .. }
        | Change::CreateFunction(_)
        | Change::CreateAlias { .. }
        | Change::AddPermission { .. }
        | Change::CreateStage { .. }
        | Change::CreateUsagePlanKey { .. } => false,
        // Each call makes another one of the same name.
        Change::CreateRestApi { .. }
        | Change::CreateDeployment { .. }
        | Change::CreateUsagePlan { .. }
        | Change::CreateApiKey { .. } => false,
    }
}

/// Whether a change removes something, so that finding it gone is as good as removing it.
pub(super) fn removes(change: &Change) -> bool {
    let (_, operation) = change.operation();
    operation.starts_with("Delete") || operation.starts_with("Remove")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(failed: Failed, retry: Retry, code: &str) -> CallError {
        CallError {
            service: "lambda",
            operation: "CreateFunction",
            object: "f".to_owned(),
            failed,
            retry,
            retry_after: None,
            code: code.to_owned(),
            message: String::new(),
            request_id: None,
        }
    }

    /// The waits of a call that fails the same way for ever.
    fn waits(error: &CallError, repeatable: bool) -> Vec<Duration> {
        let mut elapsed = Duration::ZERO;
        let mut waits = Vec::new();
        for number in 1..1_000 {
            let attempt = Attempt { error, number, elapsed, repeatable, jitter: 1.0 };
            let Some(wait) = attempt.wait() else { return waits };
            elapsed += wait;
            waits.push(wait);
        }
        panic!("it never ends")
    }

    #[test]
    fn every_failure_has_an_end() {
        let secs =
            |waits: Vec<Duration>| waits.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
        let throttled = error(Failed::Throttled, Retry::Safe, "TooManyRequestsException");
        assert_eq!(secs(waits(&throttled, false)), [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]);
        let role = error(Failed::NotReady, Retry::Safe, "InvalidParameterValueException");
        assert_eq!(secs(waits(&role, false)), [5.0; 12]);
        let busy = error(Failed::NotReady, Retry::Safe, "ResourceConflictException");
        assert_eq!(secs(waits(&busy, false)), [2.0; 150]);
        let lost = error(Failed::NoReply, Retry::Unknown, "NoReply");
        assert_eq!(secs(waits(&lost, true)), [0.5, 1.0, 2.0, 4.0]);
        assert!(waits(&lost, false).is_empty());
        assert!(waits(&error(Failed::Denied, Retry::Never, "AccessDenied"), true).is_empty());
    }

    #[test]
    fn what_the_service_asks_for_is_waited_but_not_for_ever() {
        for (asked_s, waited_s) in [(7, 7), (3_600, 60)] {
            let mut error = error(Failed::Throttled, Retry::Safe, "TooManyRequestsException");
            error.retry_after = Some(Duration::from_secs(asked_s));
            let attempt = Attempt {
                error: &error,
                number: 1,
                elapsed: Duration::ZERO,
                repeatable: false,
                jitter: 0.0,
            };
            assert_eq!(attempt.wait(), Some(Duration::from_secs(waited_s)));
        }
    }

    #[test]
    fn a_patch_is_repeatable_only_if_it_replaces() {
        use crate::plan::change::PatchOperation;
        let stage = |patch| Change::UpdateStage {
            rest_api: "a".to_owned(),
            stage: "prod".to_owned(),
            patch,
        };
        assert!(is_idempotent(&stage(vec![PatchOperation::replace("/deploymentId", "d")])));
        assert!(!is_idempotent(&stage(vec![
            PatchOperation::copy("/canarySettings/deploymentId", "/deploymentId"),
            PatchOperation::remove("/canarySettings"),
        ])));
    }
}
