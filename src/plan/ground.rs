//! What has to be there before a deploy can take its lock: the bucket.

use super::action::{Action, Object, Plan, Verb};
use super::change::Change;
use super::names::{Names, SHARED_TAG};
use super::observed::{Bucket, Observed};
use std::collections::BTreeMap;

/// Makes the bucket of locks and large artefacts, if there is none.
pub fn ground(names: &Names, observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let mut act = |verb, reason: &str, change, after| {
        plan.push(Action {
            verb,
            object: Object { kind: "bucket", name: names.bucket.clone() },
            reason: reason.to_owned(),
            differences: Vec::new(),
            change: Some(change),
            after,
            gives: None,
            wait: None,
        })
    };
    let before = match &observed.bucket {
        Bucket::Missing => {
            let (bucket, region) = (names.bucket.clone(), names.region.clone());
            let create = Change::CreateBucket { bucket, region };
            let reason = "it holds the lock of each deploy, and large artefacts";
            vec![act(Verb::Create, reason, create, Vec::new())]
        }
        // Made by a deploy that was stopped before it could say so.
        Bucket::Own(tags) if tags.is_empty() && names.is_own_bucket() => Vec::new(),
        Bucket::Own(_) | Bucket::Forbidden => return plan,
    };
    let tags = BTreeMap::from([(SHARED_TAG.to_owned(), "deploys".to_owned())]);
    let tag = Change::PutBucketTags {
        bucket: names.bucket.clone(),
        owner: names.account_id.clone(),
        tags,
    };
    act(Verb::Update, "its tag says what it is for", tag, before);
    plan
}
