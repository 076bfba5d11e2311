//! Two deploys of one endpoint at once, and processes that vanish: one wins, the other says who holds
//! the lock; what a vanished one left is taken over.

use super::program::{Command, Turn, drift, holder, look, run, told};
use super::run::slow;
use crate::plan::{names, wanted, with_keys};
use gwtf::apply::rehearsal::{Call, Recorded, Rehearsal};
use gwtf::apply::{CallError, Cloud};
use gwtf::plan::change::{Change, FunctionSettings, Given};
use gwtf::plan::{Answer, Query};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A cloud whose calls take a time that a seed draws, so that two runs interleave.
struct Slow<'a> {
    cloud: &'a Rehearsal,
    rng: Mutex<SmallRng>,
}

impl<'a> Slow<'a> {
    fn new(cloud: &'a Rehearsal, seed: u64) -> Self {
        Self { cloud, rng: Mutex::new(SmallRng::seed_from_u64(seed)) }
    }

    async fn reply(&self) {
        let ms = self.rng.lock().unwrap().random_range(1..200);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

impl Cloud for Slow<'_> {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        self.reply().await;
        let answer = self.cloud.ask(query).await;
        self.reply().await;
        answer
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        self.reply().await;
        let given = self.cloud.perform(change).await;
        self.reply().await;
        given
    }
}

fn deploy(tag: &str) -> Command {
    Command::Deploy(Box::new(with_keys(tag, 0)))
}

/// An account after these commands, one after the other.
async fn after(commands: &[Command]) -> Rehearsal {
    let cloud = Rehearsal::new(&names(), slow());
    for (number, command) in commands.iter().enumerate() {
        run(&cloud, command, Turn::first(number)).await.unwrap();
    }
    cloud
}

#[tokio::test(start_paused = true)]
async fn of_two_deploys_one_wins_and_the_other_says_who() {
    let before = after(&[deploy("v1")]).await;
    let mut ends = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let cloud = before.fork();
        let (left, right) = (Slow::new(&cloud, 2 * seed), Slow::new(&cloud, 2 * seed + 1));
        let (two, three) = (deploy("v2"), deploy("v3"));
        let turns = (Turn::first(1), Turn::first(2));
        let (two, three) = tokio::join!(run(&left, &two, turns.0), run(&right, &three, turns.1));
        let observed = look(&cloud).await;
        assert!(drift(&observed).is_empty(), "{seed}: {:?}", drift(&observed));
        let lost = [(&two, 2), (&three, 1)].into_iter().filter_map(|(ended, winner)| {
            let failure = ended.as_ref().err()?;
            let holder = format!("held by {}", holder(winner));
            let is_told = failure.message.contains(&holder)
                || failure.message.contains("it changed after the plan was made")
                || failure.message.contains("taken and released by somebody else");
            assert!(is_told && failure.hint.is_some(), "{seed}: {failure}");
            Some(failure.message.contains(&holder))
        });
        let lost: Vec<bool> = lost.collect();
        assert!(lost.len() <= 1, "{seed}: {two:?} {three:?}");
        ends.extend(lost);
        // What is there is what those make that went through, one after the other.
        let done: Vec<Command> = match (&two, &three) {
            (Ok(_), Err(_)) => vec![deploy("v1"), deploy("v2")],
            (Err(_), Ok(_)) => vec![deploy("v1"), deploy("v3")],
            _ => continue,
        };
        let alone = look(&after(&done).await).await;
        assert_eq!(told(&observed, 4), told(&alone, 4), "{seed}");
    }
    assert!(ends.contains(&true), "nobody was ever told who holds it");
}

/// A cloud to which no call is made after the k-th change, whose reply never comes.
struct Vanishing<'a> {
    cloud: &'a Rehearsal,
    left: AtomicUsize,
}

impl Cloud for Vanishing<'_> {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        if self.left.load(Ordering::SeqCst) == 0 {
            std::future::pending::<()>().await;
        }
        self.cloud.ask(query).await
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let left = self.left.load(Ordering::SeqCst);
        if left > 0 {
            let given = self.cloud.perform(change).await;
            self.left.fetch_sub(1, Ordering::SeqCst);
            if left > 1 {
                return given;
            }
        }
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_vanished_process_left_is_taken_over() {
    let before = after(&[Command::Deploy(Box::new(wanted("v1", 0)))]).await;
    let command = Command::Deploy(Box::new(wanted("v2", 0)));
    let turn = Turn::first(1);
    let alone = before.fork();
    let changes = run(&alone, &command, turn).await.unwrap();
    let expected = told(&look(&alone).await, 5);
    // The lock is one more.
    for k in 1..=changes + 1 {
        let cloud = before.fork();
        let vanishing = Vanishing { cloud: &cloud, left: AtomicUsize::new(k) };
        let gone =
            tokio::time::timeout(Duration::from_secs(3_600), run(&vanishing, &command, turn));
        assert!(gone.await.is_err(), "{k}: it went on");
        let is_released = k == changes + 1;
        let soon = Turn { number: 2, break_lock: false, ..turn.breaking() };
        let other = Command::Deploy(Box::new(wanted("v3", 0)));
        let refused = run(&cloud.fork(), &other, soon).await;
        assert_eq!(refused.is_ok(), is_released, "{k}: {refused:?}");
        if let Err(failure) = refused {
            assert!(failure.message.contains(&holder(1)), "{k}: {failure}");
        }
        for again in [turn.later(), turn.breaking()] {
            let cloud = cloud.fork();
            run(&cloud, &command, again).await.unwrap();
            let observed = look(&cloud).await;
            assert_eq!(told(&observed, 5), expected, "{k}");
            assert!(drift(&observed).is_empty(), "{k}: {:?}", drift(&observed));
            assert_eq!(run(&cloud, &command, again.later()).await.unwrap(), 0, "{k}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_slow_or_fails_is_told_and_repaired() {
    let command = deploy("v1");
    let expected = told(&look(&after(&[deploy("v1")]).await).await, 5);
    for (case, word) in [("slow", "Pending"), ("fails", "Failed"), ("role", "role")] {
        let cloud = Rehearsal::new(&names(), slow());
        cloud.turn(|knobs| match case {
            "slow" => knobs.pending_looks = 400,
            "fails" => knobs.function_fails = Some("the image is broken".to_owned()),
            _ => knobs.role_refusals = 30,
        });
        let failure = run(&cloud, &command, Turn::first(1)).await.unwrap_err();
        assert!(failure.message.contains(word) && failure.hint.is_some(), "{case}: {failure}");
        cloud.turn(|knobs| *knobs = slow());
        // Each run bears a minute of refusals.
        let mut turn = Turn::first(2);
        let mut ended = run(&cloud, &command, turn).await;
        for _ in 0..9 {
            if ended.is_ok() {
                break;
            }
            turn = turn.later();
            ended = run(&cloud, &command, Turn { number: 2, ..turn }).await;
        }
        ended.unwrap_or_else(|failure| panic!("{case}: {failure}"));
        let observed = look(&cloud).await;
        assert!(drift(&observed).is_empty(), "{case}: {:?}", drift(&observed));
        if case != "fails" {
            assert_eq!(told(&observed, 5), expected, "{case}");
        }
        assert_eq!(run(&cloud, &command, turn.later()).await.unwrap(), 0, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ready_is_waited_for_without_a_change() {
    let command = deploy("v1");
    let cloud = after(&[deploy("v1")]).await;
    let same = look(&cloud).await.function.unwrap().configuration;
    let settings = FunctionSettings {
        role: same.role,
        memory_mib: same.memory_mib,
        timeout_s: same.timeout_s,
        environment: same.environment,
        tracing: same.tracing,
    };
    // Somebody has just updated it, to what it was.
    let function = names().function();
    cloud.perform(&Change::UpdateFunctionConfiguration { function, settings }).await.unwrap();
    let planned = gwtf::plan::deploy(&with_keys("v1", 1), &look(&cloud).await).unwrap();
    assert!(!planned.is_empty() && planned.changes_nothing());
    let recorded = Recorded::new(&cloud);
    cloud.turn(|knobs| knobs.pending_looks = 3);
    assert_eq!(run(&recorded, &command, Turn::first(1)).await.unwrap(), 0);
    let calls = recorded.take();
    assert!(calls.iter().all(|call| matches!(call, Call::Asked(_))), "{calls:?}");
    assert!(matches!(calls.last(), Some(Call::Asked(Query::GetFunction { .. }))));
    assert_eq!(look(&cloud).await.function.unwrap().last_update_status, "Successful");
}
