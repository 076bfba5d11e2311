//! What has to be there before a deploy can take its lock: the bucket.

use super::action::{Action, Object, Plan, Verb};
use super::change::Change;
use super::names::{Names, SHARED_TAG};
use super::observed::{Bucket, Observed};
use std::collections::BTreeMap;

/// Makes the bucket of locks and large artefacts, if there is none.
pub fn ground(names: &Names, observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    if observed.bucket != Bucket::Missing {
        return plan;
    }
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
    let create =
        Change::CreateBucket { bucket: names.bucket.clone(), region: names.region.clone() };
    let made = act(
        Verb::Create,
        "it holds the lock of each deploy, and large artefacts",
        create,
        Vec::new(),
    );
    let tags = BTreeMap::from([(SHARED_TAG.to_owned(), "deploys".to_owned())]);
    let tag = Change::PutBucketTags {
        bucket: names.bucket.clone(),
        owner: names.account_id.clone(),
        tags,
    };
    act(Verb::Update, "its tag says what it is for", tag, vec![made]);
    plan
}
