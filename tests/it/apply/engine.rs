//! The engine and the observer: order, waits, retries, interrupts, and what is told of them.

use super::run::{action, look, names, release, run, slow};
use gwtf::apply::rehearsal::{At, Call, Fault, Faults, Knobs, Recorded, Rehearsal, Trouble};
use gwtf::apply::{
    Calls, Cause, Cloud, Error, Event, Failed, Listener, Outcome, Pace, Quiet, Scope, Stopped,
    apply, observe,
};
use gwtf::error::{Exit, Explain};
use gwtf::plan::change::{PatchOperation, placeholder};
use gwtf::plan::{Action, Change, Observed, Plan, Verb};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Writes down what it hears, and interrupts at the n-th change.
struct Notes {
    lines: Mutex<Vec<String>>,
    interrupt: watch::Sender<bool>,
    interrupt_at: Option<usize>,
}

impl Notes {
    fn new(interrupt_at: Option<usize>) -> (Self, watch::Receiver<bool>) {
        let (interrupt, receiver) = watch::channel(false);
        (Self { lines: Mutex::new(Vec::new()), interrupt, interrupt_at }, receiver)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Listener for Notes {
    fn hear(&self, event: &Event<'_>) {
        let line = match event {
            Event::Started { action, .. } => format!("start {}", action.object.name),
            Event::Paced { operation, wait, .. } => format!("pace {operation} {}", wait.as_secs()),
            Event::Retrying { attempt, wait, error, .. } => {
                format!("retry {} {attempt} {}", error.operation, wait.as_secs())
            }
            Event::Waiting { state, .. } => format!("wait {state}"),
            Event::Withdrawn { action, .. } => format!("withdraw {}", action.object.name),
            Event::Done { action, .. } => format!("done {}", action.object.name),
            Event::Failed { action, .. } => format!("failed {}", action.object.name),
        };
        let mut lines = self.lines.lock().unwrap();
        lines.push(line);
        let started = lines.iter().filter(|line| line.starts_with("start")).count();
        if self.interrupt_at == Some(started) {
            self.interrupt.send_replace(true);
        }
    }
}

async fn perform<C: Cloud>(
    cloud: &C,
    plan: &Plan,
    notes: &(Notes, watch::Receiver<bool>),
) -> Result<gwtf::apply::Account, Box<Stopped>> {
    let pace = Pace::new(1);
    let work = apply(Calls::new(cloud, &pace, &notes.0), plan, notes.1.clone());
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    sendable(work).await
}

async fn observed<C: Cloud>(cloud: &C) -> Observed {
    let pace = Pace::new(1);
    observe(Calls::new(cloud, &pace, &Quiet), &names(), Scope::default()).await.unwrap()
}

fn create_api(name: &str) -> Change {
    let (name, tags) = (name.to_owned(), names().tags());
    Change::CreateRestApi { name, description: String::new(), tags }
}

fn create_role(role: &str) -> Change {
    Change::CreateRole {
        role: role.to_owned(),
        path: "/gwtf/".to_owned(),
        description: String::new(),
        trust: "{}".to_owned(),
        boundary: None,
        tags: names().tags(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_release_waits_for_role_and_function_and_tells_of_it() {
    let cloud = Rehearsal::new(&names(), slow());
    let plan = release("v1", &observed(&cloud).await);
    let notes = Notes::new(None);
    let account = perform(&cloud, &plan, &notes).await.unwrap();
    assert_eq!(account.done(), plan.actions.len());
    let lines = notes.0.lines();
    let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("retry CreateFunction"), 2, "{lines:?}");
    assert_eq!(count("wait Pending"), 3, "{lines:?}");
    let at = |what: &str| lines.iter().position(|line| line == what).unwrap();
    assert!(at("done CreateFunction") < at("start CreateAlias"));
    assert!(at("start CreateRestApi") < at("done CreateFunction"), "independent ones run at once");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_was_never_deployed_is_asked_for_with_a_dozen_calls() {
    let cloud = Recorded::new(Rehearsal::new(&names(), Knobs::default()));
    let started = Instant::now();
    look(&cloud).await;
    assert_eq!(cloud.take().len(), 12);
    assert_eq!(started.elapsed(), Duration::ZERO, "no pacing");
    run(&cloud, |observed: &Observed| release("v1", observed)).await.unwrap();
    cloud.take();
    look(&cloud).await;
    let calls = cloud.take();
    let operations: Vec<_> = calls.iter().map(|call| call.operation().1).collect();
    for operation in
        ["GetPolicy", "GetStages", "GetDeployments", "GetRolePolicy", "ListTagsForResource"]
    {
        assert!(operations.contains(&operation), "{operations:?}");
    }
    assert!(calls.iter().all(|call| matches!(call, Call::Asked(_))));
}

#[tokio::test(start_paused = true)]
async fn what_carries_the_tag_is_the_endpoints_and_a_namesake_is_not() {
    let cloud = Rehearsal::new(&names(), Knobs::default());
    let (name, tags) = (names().endpoint, Default::default());
    let foreign = Change::CreateRestApi { name, description: String::new(), tags };
    for change in [foreign, create_api("iris"), create_api("other-name")] {
        cloud.perform(&change).await.unwrap();
    }
    let observed = look(&cloud).await;
    assert_eq!(observed.rest_api.unwrap().id, "r000000002");
    let others: Vec<_> = observed.other_rest_apis.iter().map(|api| api.id.as_str()).collect();
    assert_eq!((others, observed.rest_api_count), (vec!["r000000003", "r000000001"], 3));
}

#[tokio::test(start_paused = true)]
async fn calls_keep_to_awss_rates_and_the_wait_is_told() {
    let cloud = Rehearsal::new(&names(), Knobs::default());
    let mut plan = Plan::default();
    for n in 0..4 {
        plan.push(action(create_api(&format!("a{n}"))));
    }
    let (notes, started) = (Notes::new(None), Instant::now());
    perform(&cloud, &plan, &notes).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 9, "one in 3 s");
    assert!(notes.0.lines().contains(&"pace CreateRestApi 3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_failure_lets_running_calls_end_and_starts_no_other() {
    let cloud = Rehearsal::new(&names(), Knobs { rest_apis_max: 0, ..Knobs::default() });
    let mut plan = Plan::default();
    let api = plan.push(Action { gives: Some("api".to_owned()), ..action(create_api("a")) });
    let role = plan.push(action(create_role("r")));
    let delete = Change::DeleteRestApi { rest_api: placeholder("api") };
    plan.push(Action { after: vec![api, role], ..action(delete) });
    plan.push(Action { verb: Verb::Keep, change: None, ..action(create_role("kept")) });
    let stopped = perform(&cloud, &plan, &Notes::new(None)).await.unwrap_err();
    let outcomes: Vec<_> = stopped.account.entries.iter().map(|entry| &entry.outcome).collect();
    let [Outcome::Failed(Error::Call(error)), Outcome::Done, Outcome::NotStarted, Outcome::Kept] =
        outcomes.as_slice()
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!(error.failed, Failed::Quota);
    assert_eq!(stopped.exit(), Exit::Machine);
    let text = stopped.to_string();
    assert!(
        text.starts_with("stopped after 1 changes with 1 left: apigateway CreateRestApi on `a`")
    );
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_stops_between_actions_and_the_next_run_goes_on() {
    for at in 1..=9 {
        let cloud = Rehearsal::new(&names(), slow());
        let plan = release("v1", &observed(&cloud).await);
        let notes = Notes::new(Some(at));
        let stopped = perform(&cloud, &plan, &notes).await.unwrap_err();
        assert_eq!((&stopped.cause, stopped.exit()), (&Cause::Interrupted, Exit::Interrupted));
        let (done, lines) = (stopped.account.done(), notes.0.lines());
        let started = lines.iter().filter(|line| line.starts_with("start")).count();
        assert_eq!(started, at, "no other is started");
        assert!((at - 1..=at).contains(&done), "at most the function's retries are cut short");
        assert_eq!(stopped.account.not_started(), plan.actions.len() - done);
        run(&cloud, |observed: &Observed| release("v1", observed)).await.unwrap();
        assert!(cloud.answers(&names(), "POST", "/predict").unwrap().live.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_does_not_wait_for_a_rate_limit() {
    let cloud = Recorded::new(Rehearsal::new(&names(), Knobs::default()));
    let mut plan = Plan::default();
    for name in ["a", "b"] {
        plan.push(action(create_api(name)));
    }
    let (notes, started) = (Notes::new(Some(2)), Instant::now());
    let stopped = perform(&cloud, &plan, &notes).await.unwrap_err();
    assert_eq!((stopped.cause, stopped.account.done()), (Cause::Interrupted, 1));
    assert_eq!((started.elapsed(), cloud.take().len()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_or_takes_too_long_ends_the_run_with_lambdas_words() {
    let cases = [
        (Knobs { function_fails: Some("no disk".to_owned()), ..slow() }, "is Failed: no disk"),
        (Knobs { pending_looks: 1_000, ..slow() }, "is Pending even after 300 s"),
    ];
    for (knobs, expected) in cases {
        let cloud = Rehearsal::new(&names(), knobs);
        let error = run(&cloud, |observed: &Observed| release("v1", observed)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("`gwtf-iris`"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_repeated_only_where_that_does_no_harm() {
    let lost = Fault { at: At::Perform(0), trouble: Trouble::NoReply };
    let delete = Change::DeleteRole { role: "r".to_owned() };
    let cases = [(create_role("other"), false), (delete, true)];
    for (change, ends_well) in cases {
        let cloud = Rehearsal::new(&names(), Knobs::default());
        cloud.perform(&create_role("r")).await.unwrap();
        let mut plan = Plan::default();
        plan.push(action(change));
        let failing = Faults::new(&cloud, lost);
        let ended = perform(&failing, &plan, &Notes::new(None)).await;
        assert_eq!(ended.is_ok(), ends_well, "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_names_what_nothing_gave_is_not_sent() {
    let cloud = Recorded::new(Rehearsal::new(&names(), Knobs::default()));
    let mut plan = Plan::default();
    let patch = vec![PatchOperation::replace("/deploymentId", placeholder("deployment"))];
    let (rest_api, stage) = ("r".to_owned(), "prod".to_owned());
    plan.push(action(Change::UpdateStage { rest_api, stage, patch }));
    let stopped = perform(&cloud, &plan, &Notes::new(None)).await.unwrap_err();
    assert!(stopped.to_string().contains("`UpdateStage` needs `deployment`"), "{stopped}");
    assert_eq!(cloud.take(), []);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_expire_half_way_stop_it_and_new_ones_finish() {
    let cloud = Rehearsal::new(&names(), slow());
    cloud.turn(|knobs| knobs.calls_before_expiry = Some(17));
    let error = run(&cloud, |observed: &Observed| release("v1", observed)).await.unwrap_err();
    assert!(error.to_string().contains("ExpiredToken"), "{error}");
    cloud.turn(|knobs| knobs.calls_before_expiry = None);
    run(&cloud, |observed: &Observed| release("v1", observed)).await.unwrap().unwrap();
    assert!(cloud.answers(&names(), "POST", "/predict").unwrap().live.is_ok());
}
