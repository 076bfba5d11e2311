//! Every command of the program fails at any call in any way; run again, it ends where an undisturbed
//! one does, and in between live answers with what was live before or is after.

use super::program::{Command, Turn, drift, look, run, told};
use super::run::slow;
use crate::plan::{names, settings, wanted, with_keys};
use gwtf::apply::rehearsal::{At, Call, Fault, Faults, Recorded, Rehearsal, Trouble};
use gwtf::apply::{CallError, Cloud};
use gwtf::error::Exit;
use gwtf::plan::change::{Change, Given};
use gwtf::plan::wanted::{Artefact, ArtefactForm};
use gwtf::plan::{Answer, Query, Wanted};
use std::collections::BTreeSet;
use std::time::Duration;

/// What may pass by itself, and what ends a run.
const TROUBLES: [Trouble; 7] = [
    Trouble::Throttled { retry_after: None },
    Trouble::Throttled { retry_after: Some(Duration::from_secs(7)) },
    Trouble::Server,
    Trouble::Lost,
    Trouble::NoReply,
    Trouble::Expired,
    Trouble::Killed,
];
/// Turns of a test at most: those before, the disturbed one, those after.
const TURNS: usize = 12;

fn deploy(wanted: Wanted) -> Command {
    Command::Deploy(Box::new(wanted))
}

fn canary(tag: &str) -> Command {
    deploy(Wanted { canary_percent: Some(10), ..wanted(tag, 0) })
}

fn with_artefact(tag: &str, form: ArtefactForm) -> Command {
    let mut wanted = wanted(tag, 0);
    let Artefact { digest, .. } = wanted.artefact.unwrap();
    wanted.artefact = Some(Artefact { digest, form });
    deploy(wanted)
}

/// A cloud that looks at the data plane after every change.
struct Watched<'a> {
    cloud: &'a Rehearsal,
    /// Code that may answer; empty when nobody has to.
    may_answer: &'a BTreeSet<String>,
}

impl Watched<'_> {
    fn check(&self, when: &str) {
        if self.may_answer.is_empty() {
            return;
        }
        let answers = self.cloud.answers(&names(), "POST", "/predict");
        let answers = answers.unwrap_or_else(|why| panic!("{when}: nobody answers: {why}"));
        for served in [Some(answers.live), answers.canary].into_iter().flatten() {
            let served = served.unwrap_or_else(|why| panic!("{when}: nobody answers: {why}"));
            assert!(self.may_answer.contains(&served.code_sha256), "{when}: {served:?}");
        }
    }
}

impl Cloud for Watched<'_> {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        self.cloud.ask(query).await
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let given = self.cloud.perform(change).await;
        self.check(&format!("{change:?}"));
        given
    }
}

/// Code that answers now, live or as the canary.
fn answering(cloud: &Rehearsal) -> Vec<String> {
    let Ok(answers) = cloud.answers(&names(), "POST", "/predict") else { return Vec::new() };
    let served = [Some(answers.live), answers.canary].into_iter().flatten();
    served.map(|served| served.unwrap().code_sha256).collect()
}

/// A command, what it starts from, and what it ends with undisturbed.
struct Case {
    before: Rehearsal,
    command: Command,
    turn: Turn,
    asked: usize,
    performed: usize,
    expected: String,
    may_answer: BTreeSet<String>,
}

impl Case {
    async fn new(before: &[Command], command: Command) -> Self {
        let cloud = Rehearsal::new(&names(), slow());
        for (number, command) in before.iter().enumerate() {
            run(&cloud, command, Turn::first(number)).await.unwrap();
        }
        let turn = Turn::first(before.len());
        let after = cloud.fork();
        let recorded = Recorded::new(&after);
        let changes = run(&recorded, &command, turn).await.unwrap();
        assert!(changes > 0);
        let calls = recorded.take();
        let asked = calls.iter().filter(|call| matches!(call, Call::Asked(_))).count();
        let observed = look(&after).await;
        assert!(drift(&observed).is_empty(), "{:?}", drift(&observed));
        let old = answering(&cloud);
        let is_served = !old.is_empty() && !matches!(command, Command::Destroy);
        let may_answer = if is_served { [old, answering(&after)].concat() } else { Vec::new() };
        Self {
            before: cloud,
            command,
            turn,
            asked,
            performed: calls.len() - asked,
            expected: told(&observed, TURNS),
            may_answer: may_answer.into_iter().collect(),
        }
    }

    async fn every_fault(&self) {
        for k in 0..self.performed {
            for trouble in TROUBLES {
                self.disturbed(Fault { at: At::Perform(k), trouble }).await;
            }
        }
        // A question changes nothing: what ends the run ends it the same way, whatever it is, and
        // what may pass is asked again.
        for k in 0..self.asked {
            self.disturbed(Fault { at: At::Ask(k), trouble: Trouble::Expired }).await;
            if k.is_multiple_of(4) {
                self.disturbed(Fault { at: At::Ask(k), trouble: TROUBLES[k % 5] }).await;
            }
        }
    }

    async fn disturbed(&self, fault: Fault) {
        let cloud = self.before.fork();
        let watched = Watched { cloud: &cloud, may_answer: &self.may_answer };
        let failing = Faults::new(&watched, fault);
        let ended = run(&failing, &self.command, self.turn).await;
        watched.check("at the end");
        let when = format!("{fault:?}");
        assert!(failing.has_struck(), "{when}");
        if let Err(failure) = &ended {
            assert_eq!(failure.exit, Exit::Machine, "{when}: {failure}");
            assert!(failure.hint.is_some() && !failure.message.is_empty(), "{when}: {failure}");
        }
        let is_kept = matches!(fault.trouble, Trouble::Throttled { .. });
        assert!(ended.is_ok() || !is_kept, "{when}: {ended:?}");
        self.repaired(&cloud, &when).await;
    }

    /// Runs again, by a lock that expired or is broken, and finds all as it shall be.
    async fn repaired(&self, cloud: &Rehearsal, when: &str) {
        let watched = Watched { cloud, may_answer: &self.may_answer };
        let is_late = when.len().is_multiple_of(2);
        let again = if is_late { self.turn.later() } else { self.turn.breaking() };
        match run(&watched, &self.command, again).await {
            Ok(_) => {}
            // It was promoted, though nobody heard of it.
            Err(failure) if failure.message.starts_with("no canary is running") => {}
            Err(failure) => panic!("{when}: run again: {failure}"),
        }
        let observed = look(cloud).await;
        let is = told(&observed, TURNS);
        if is != self.expected {
            let differ =
                is.lines().zip(self.expected.lines()).find(|(is, expected)| is != expected);
            panic!("{when}: it ends elsewhere: {differ:#?}");
        }
        assert!(drift(&observed).is_empty(), "{when}: {:?}", drift(&observed));
        if !matches!(self.command, Command::Promote) {
            let more = run(&watched, &self.command, again.later()).await.unwrap();
            assert_eq!(more, 0, "{when}: not converged");
        }
    }
}

macro_rules! cases {
    ($($name:ident: [$($before:expr),*] then $command:expr;)*) => {
        $(#[tokio::test(start_paused = true)]
        async fn $name() {
            Case::new(&[$($before),*], $command).await.every_fault().await;
        })*
    };
}

cases! {
    a_first_deploy: [] then deploy(wanted("v1", 0));
    a_first_deploy_with_keys: [] then deploy(with_keys("v1", 0));
    a_first_deploy_of_an_image: [] then
        with_artefact("v1", ArtefactForm::Image { layout: "layout".into() });
    a_new_version: [deploy(wanted("v1", 0))] then deploy(wanted("v2", 0));
    a_new_version_by_the_bucket: [deploy(wanted("v1", 0))] then
        with_artefact("v2", ArtefactForm::Zip { path: "v2.zip".into(), size_bytes: 99 << 20 });
    a_canary: [deploy(wanted("v1", 0))] then canary("v2");
    promoting: [deploy(wanted("v1", 0)), canary("v2")] then Command::Promote;
    going_back: [deploy(wanted("v1", 0)), deploy(wanted("v2", 0))] then
        Command::Rollback(Some("v1"));
    ending_a_canary: [deploy(wanted("v1", 0)), canary("v2")] then Command::Rollback(Some("v1"));
    pruning: [deploy(wanted("v1", 0)), deploy(wanted("v2", 0)), deploy(wanted("v3", 0))] then
        Command::Prune(Box::new(wanted("v3", 0)), 1);
    destroying: [deploy(with_keys("v1", 0)), deploy(with_keys("v2", 0))] then Command::Destroy;
    changing_settings: [deploy(with_keys("v1", 0))] then deploy(settings("v1", 0));
    changing_them_back: [deploy(settings("v1", 0))] then deploy(with_keys("v1", 0));
}
