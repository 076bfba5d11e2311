//! A run fails at any call in any way; the next one ends where an undisturbed one does, and in
//! between live answers with the old or the new version.

use super::run::{look, names, release, run, slow};
use gwtf::apply::rehearsal::{At, Call, Fault, Faults, Recorded, Rehearsal, Trouble};
use gwtf::apply::{CallError, Cloud};
use gwtf::plan::change::{Change, Given};
use gwtf::plan::{Answer, Observed, Query};
use proptest::prelude::*;
use std::time::Duration;

const TROUBLES: [Trouble; 7] = [
    Trouble::Throttled { retry_after: None },
    Trouble::Throttled { retry_after: Some(Duration::from_secs(7)) },
    Trouble::Server,
    Trouble::Lost,
    Trouble::NoReply,
    Trouble::Expired,
    Trouble::Killed,
];

/// A cloud that looks at the data plane after every change.
struct Watched<'a> {
    cloud: &'a Rehearsal,
    /// Code of the versions that may answer; nothing has to when there was nothing before.
    may_answer: &'a [&'a str],
}

impl Watched<'_> {
    fn check(&self) {
        if let [_, _, ..] = self.may_answer {
            let answers = self.cloud.answers(&names(), "POST", "/predict").unwrap();
            let served = answers.live.unwrap().code_sha256;
            assert!(self.may_answer.contains(&served.as_str()), "{served} answers");
        }
    }
}

impl Cloud for Watched<'_> {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        self.cloud.ask(query).await
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let given = self.cloud.perform(change).await;
        self.check();
        given
    }
}

/// From nothing, or from a version before.
#[derive(Debug, Clone, Copy)]
enum From {
    Nothing,
    V1,
}

async fn account(from: From) -> Rehearsal {
    let cloud = Rehearsal::new(&names(), slow());
    if let From::V1 = from {
        run(&cloud, |observed: &Observed| release("v1", observed)).await.unwrap();
    }
    cloud
}

/// The questions and changes of an undisturbed run, and what it ends with.
async fn undisturbed(from: From) -> (usize, usize, Observed) {
    let cloud = Recorded::new(account(from).await);
    run(&cloud, |observed: &Observed| release("v2", observed)).await.unwrap();
    let calls = cloud.take();
    let asked = calls.iter().filter(|call| matches!(call, Call::Asked(_))).count();
    (asked, calls.len() - asked, look(&cloud).await)
}

async fn disturbed(from: From, faults: &[Fault], expected: &Observed) {
    let cloud = account(from).await;
    let may_answer: &[&str] = match from {
        From::Nothing => &[],
        From::V1 => &["sha-of-v1", "sha-of-v2"],
    };
    let watched = Watched { cloud: &cloud, may_answer };
    let plan = |observed: &Observed| release("v2", observed);
    for fault in faults {
        let failing = Faults::new(&watched, *fault);
        // It may end well all the same: that is what retries are for.
        drop(run(&failing, plan).await);
        watched.check();
    }
    run(&watched, plan).await.unwrap_or_else(|error| panic!("{from:?} {faults:?}: {error}"));
    assert!(run(&watched, plan).await.unwrap().is_none(), "{from:?} {faults:?}: not converged");
    let ended = look(&cloud).await;
    assert_eq!(ended, *expected, "{from:?} {faults:?}");
    let served = cloud.answers(&names(), "POST", "/predict").unwrap().live.unwrap();
    assert_eq!(served.code_sha256, "sha-of-v2");
}

#[tokio::test(start_paused = true)]
async fn every_failure_at_every_call_is_repaired_by_running_again() {
    for (from, at_most) in [(From::Nothing, 12), (From::V1, 6)] {
        let (asked, performed, expected) = undisturbed(from).await;
        // Role refusals count too: they are calls.
        assert!((5..=at_most + 2).contains(&performed), "{performed} changes");
        let changes = (0..performed).map(At::Perform);
        for at in changes.chain((0..asked).map(At::Ask)) {
            for trouble in TROUBLES {
                disturbed(from, &[Fault { at, trouble }], &expected).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_does_not_even_stop_the_run() {
    let (_, performed, _) = undisturbed(From::Nothing).await;
    for k in 0..performed {
        let trouble = Trouble::Throttled { retry_after: None };
        let cloud = account(From::Nothing).await;
        let failing = Faults::new(&cloud, Fault { at: At::Perform(k), trouble });
        run(&failing, |observed: &Observed| release("v2", observed)).await.unwrap();
        assert!(failing.has_struck());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn failures_in_a_row_are_repaired_too(
        faults in prop::collection::vec((any::<bool>(), 0_usize..24, 0..TROUBLES.len()), 2..5),
        from_v1 in any::<bool>(),
    ) {
        let from = if from_v1 { From::V1 } else { From::Nothing };
        let faults: Vec<Fault> = faults
            .into_iter()
            .map(|(asks, k, trouble)| Fault {
                at: if asks { At::Ask(k) } else { At::Perform(k) },
                trouble: TROUBLES[trouble],
            })
            .collect();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (_, _, expected) = undisturbed(from).await;
            disturbed(from, &faults, &expected).await;
        });
    }
}
