//! Two at once, lost replies, locks that expired or were broken.

use super::run::names;
use gwtf::apply::lock::{Error, LIFETIME, Lock, Request, Verdict, acquire, judge, unlock};
use gwtf::apply::rehearsal::{At, Fault, Faults, Knobs, Rehearsal, Trouble};
use gwtf::apply::{Calls, Cloud, Failed, Pace, Quiet};
use gwtf::plan::observed::Object;
use gwtf::plan::{Answer, Change, Query};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn at(s: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(s)
}

async fn bucket() -> Rehearsal {
    let (names, cloud) = (names(), Rehearsal::new(&names(), Knobs::default()));
    let create = Change::CreateBucket { bucket: names.bucket, region: names.region };
    cloud.perform(&create).await.unwrap();
    cloud
}

async fn lying_there(cloud: &Rehearsal) -> Option<Object> {
    let names = names();
    let (bucket, owner, key) = (names.bucket.clone(), names.account_id.clone(), names.lock_key());
    match cloud.ask(&Query::GetObject { bucket, owner, key }).await.unwrap() {
        Answer::Object(object) => object,
        other => panic!("{other:?}"),
    }
}

/// Asks for the lock as it was observed.
async fn ask<C: Cloud>(
    cloud: &C,
    id: &str,
    now: SystemTime,
    observed: Option<&Object>,
    (break_lock, released): (bool, &str),
) -> Result<Lock, Error> {
    let pace = Pace::new(1);
    let lock = Lock::new(id, &format!("{id}@host, 7"), now);
    let request = Request { lock, observed, now, break_lock };
    acquire(Calls::new(cloud, &pace, &Quiet), &names(), request, |id| id == released).await
}

#[tokio::test(start_paused = true)]
async fn of_two_that_saw_no_lock_one_wins_and_the_other_learns_who() {
    let cloud = bucket().await;
    ask(&cloud, "ada", at(60), None, (false, "")).await.unwrap();
    let error = ask(&cloud, "bob", at(61), None, (false, "")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "lock of `iris`: held by ada@host, 7 since 1970-01-01T00:01:00Z \
         (until 1970-01-01T00:31:00Z at the latest)"
    );
    // So does one that sees it beforehand, without a write.
    let seen = lying_there(&cloud).await;
    let error = ask(&cloud, "bob", at(61), seen.as_ref(), (false, "")).await.unwrap_err();
    assert!(matches!(error, Error::Held { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_expired_was_released_or_is_broken_is_taken_once() {
    let expired = at(60) + LIFETIME;
    for (now, break_lock, released) in
        [(expired, false, ""), (at(61), false, "ada"), (at(61), true, "")]
    {
        let cloud = bucket().await;
        ask(&cloud, "ada", at(60), None, (false, "")).await.unwrap();
        let seen = lying_there(&cloud).await;
        ask(&cloud, "bob", now, seen.as_ref(), (break_lock, released)).await.unwrap();
        let late = ask(&cloud, "cid", now, seen.as_ref(), (break_lock, released)).await;
        let Err(Error::Held { lock, .. }) = late else { panic!("{late:?}") };
        assert_eq!(lock.id, "bob");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_told_by_the_object() {
    for (trouble, taken) in
        [(Trouble::NoReply, true), (Trouble::Lost, false), (Trouble::Server, false)]
    {
        let cloud = bucket().await;
        let failing = Faults::new(&cloud, Fault { at: At::Perform(0), trouble });
        let ended = ask(&failing, "ada", at(60), None, (false, "")).await;
        assert_eq!(ended.is_ok(), taken, "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unlocking_frees_it_and_without_a_bucket_there_is_no_lock() {
    let cloud = bucket().await;
    ask(&cloud, "ada", at(60), None, (false, "")).await.unwrap();
    let pace = Pace::new(1);
    let calls = Calls::new(&cloud, &pace, &Quiet);
    unlock(calls, &names(), "bob").await.unwrap();
    let held = lying_there(&cloud).await.unwrap();
    assert!(held.text.contains("ada"), "bob's end is not ada's");
    unlock(calls, &names(), "ada").await.unwrap();
    let seen = lying_there(&cloud).await;
    assert_eq!(judge(seen.as_ref().map(|o| o.text.as_str()), at(61), |_| false), Verdict::Free);
    let nowhere = Rehearsal::new(&names(), Knobs::default());
    let error = ask(&nowhere, "ada", at(60), None, (false, "")).await.unwrap_err();
    let Error::Call { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.failed, Failed::NotFound);
}
