//! A failure at every mutating step of a deploy, in each of six ways: the program ends with a clear
//! error or succeeds, and running it again leaves what an undisturbed run leaves.

use super::account::{Account, share};
use super::normal::differences;
use crate::support::aws::recorder::Recorder;
use serde_json::{Value, json};

/// Accounts at once; each run mostly waits for AWS's rates.
const THREADS: usize = 4;
/// How late a slow reply is, milliseconds.
const SLOW_MS: u32 = 1_500;

/// The ways in which a call fails.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// 429 with `Retry-After`: it was not carried out.
    Throttled,
    /// 500.
    Broken,
    /// The connection is cut before it is carried out.
    Reset,
    /// It is carried out, and the reply is lost.
    Lost,
    /// It is carried out, and half of the reply comes.
    Malformed,
    /// It takes its time.
    Slow,
}

impl Fault {
    /// Those that take turns; losing a reply comes at every step besides.
    const TURNS: [Self; 5] =
        [Self::Throttled, Self::Broken, Self::Reset, Self::Malformed, Self::Slow];

    fn effect(self) -> Value {
        match self {
            Self::Throttled => {
                json!({"error": {"code": "TooManyRequestsException", "status": 429}})
            }
            Self::Broken => json!({"error": {"code": "InternalFailure", "status": 500}}),
            Self::Reset => json!({"reset": true}),
            Self::Lost => json!({"response": {"set_headers": {"x-lose-reply": "1"}}}),
            Self::Malformed => json!({"response": {"truncate_frac": 0.5}}),
            Self::Slow => json!({"latency": SLOW_MS}),
        }
    }

    /// Whether the program must get over it by itself, whatever the call.
    fn is_harmless(self) -> bool {
        matches!(self, Self::Throttled | Self::Slow)
    }
}

/// The call of an operation's `before`-th time and later is let through so often, then one fails.
#[derive(Debug, Clone)]
struct Step {
    service: String,
    operation: String,
    before: usize,
    fault: Fault,
}

impl Step {
    fn rules(&self) -> Value {
        let rule = |times: usize, effect: Value| {
            let mut rule = json!({
                "service": self.service, "operation": self.operation, "times": times,
            });
            rule.as_object_mut().unwrap().extend(effect.as_object().unwrap().clone());
            rule
        };
        let mut rules = Vec::new();
        if self.before > 0 {
            // The smallest latency lets a call through and counts it.
            rules.push(rule(self.before, json!({"latency": 1})));
        }
        rules.push(rule(1, self.fault.effect()));
        json!(rules)
    }
}

/// Every mutating call of an undisturbed run, with one of the ways to fail that take turns, or with
/// the reply lost.
fn steps(mutating: &[String], turn: Option<usize>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, call) in mutating.iter().enumerate() {
        let (service, operation) = call.split_once(' ').unwrap();
        let before = mutating[..number].iter().filter(|other| *other == call).count();
        let fault = match turn {
            Some(turn) => Fault::TURNS[(number + turn) % Fault::TURNS.len()],
            None => Fault::Lost,
        };
        let (service, operation) = (service.to_owned(), operation.to_owned());
        steps.push(Step { service, operation, before, fault });
    }
    steps
}

/// What an undisturbed run of the commands leaves, and the mutating calls of the last one.
fn undisturbed(commands: &[&str]) -> (Value, Vec<String>) {
    let account = Account::new();
    let (last, before) = commands.split_last().unwrap();
    before.iter().for_each(|command| drop(account.done(command)));
    let recorder = Recorder::start(account.endpoint());
    account.run(&recorder.endpoint, last).exits(0);
    (account.normal(), recorder.verdict(0).mutating)
}

/// Disturbs the last command at every step, then runs it again.
fn converges_whatever_fails(commands: &[&str], turn: Option<usize>) {
    let (expected, mutating) = undisturbed(commands);
    let (last, before) = commands.split_last().unwrap();
    share(steps(&mutating, turn), THREADS, |account, step| {
        account.moto.reset();
        before.iter().for_each(|command| drop(account.done(command)));
        let faults = account.faults(&step.rules());
        let disturbed = account.run(&faults.endpoint, last);
        let fired = faults.fired();
        assert_eq!(fired.len(), step.before + 1, "{step:?}: {fired:#?}");
        match disturbed.code {
            Some(0) => {}
            Some(3) if !step.fault.is_harmless() => {
                disturbed.complains(&[&step.operation, "run the command again"]);
            }
            _ => panic!("{step:?}: {disturbed:#?}"),
        }
        let again = account.run(account.endpoint(), last);
        assert_eq!(again.code, Some(0), "{step:?}: {}", again.stderr);
        let differ = differences(&account.normal(), &expected);
        assert!(differ.is_empty(), "{step:?}: {differ:#?}");
    });
}

const FIRST: [&str; 1] = ["deploy v1.onnx --version v1 --no-smoke"];
const SECOND: [&str; 2] =
    ["deploy v1.onnx --version v1 --no-smoke", "deploy v2.onnx --version v2 --no-smoke"];

#[test]
fn a_first_deploy_converges_whatever_reply_is_lost() {
    converges_whatever_fails(&FIRST, None);
}

#[test]
fn a_first_deploy_converges_whatever_fails() {
    converges_whatever_fails(&FIRST, Some(0));
}

#[test]
fn a_second_version_converges_whatever_reply_is_lost() {
    converges_whatever_fails(&SECOND, None);
}

#[test]
fn a_second_version_converges_whatever_fails() {
    converges_whatever_fails(&SECOND, Some(2));
}
