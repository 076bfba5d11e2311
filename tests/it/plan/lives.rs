//! Lives of an endpoint, of any length and stopped anywhere: whatever is live can answer.

use super::properties::{check, is_settled};
use super::{World, minute, names, planned, stamp, version, wanted, with_keys};
use gwtf::plan::{Ledger, Plan, Refused, Wanted, destroy, promote, prune, rollback};
use proptest::prelude::*;

/// What is done next.
#[derive(Debug, Clone)]
enum Step {
    Deploy { tag: usize, settings: usize, canary_percent: Option<u8> },
    Promote,
    Rollback { to: Option<usize> },
    Prune { settings: usize, keep: usize },
}

fn steps() -> impl Strategy<Value = Vec<(Step, Option<usize>)>> {
    let canary = prop_oneof![2 => Just(None), 1 => (1..50u8).prop_map(Some)];
    let step = prop_oneof![
        5 => (1..5usize, 0..4usize, canary)
            .prop_map(|(tag, settings, canary_percent)| Step::Deploy { tag, settings, canary_percent }),
        1 => Just(Step::Promote),
        2 => prop::option::of(1..5usize).prop_map(|to| Step::Rollback { to }),
        1 => (0..4usize, 1..4usize).prop_map(|(settings, keep)| Step::Prune { settings, keep }),
    ];
    // Some are stopped after so many changes.
    let stopped = prop_oneof![2 => Just(None), 1 => (0..12usize).prop_map(Some)];
    prop::collection::vec((step, stopped), 1..10)
}

/// One of a few sets of settings.
fn asked(tag: &str, settings: usize, at: usize) -> Wanted {
    let mut asked = if settings == 1 { with_keys(tag, at) } else { wanted(tag, at) };
    if settings >= 2 {
        asked.function.memory_mib = 3_008;
        asked.function.reserved_concurrency = Some(50);
        asked.gateway.throttle = None;
    }
    if settings == 3 {
        asked.function.provisioned_concurrency = 5;
        asked.gateway.access_log_format = None;
        asked.log_retention_days = None;
    }
    asked
}

/// The plan of a step, and what it asked for if it was a deploy.
fn plan(step: &Step, world: &World, at: usize) -> Result<(Plan, Option<Wanted>), Refused> {
    let tag = |number: &usize| format!("v{number}");
    match step {
        Step::Deploy { tag: number, settings, canary_percent } => {
            let asked = asked(&tag(number), *settings, at);
            let asked = Wanted { canary_percent: *canary_percent, ..asked };
            let plan = gwtf::plan::deploy(&asked, &world.observed)?;
            Ok((plan, Some(asked)))
        }
        Step::Promote => Ok((promote(&world.names, &world.observed, &stamp(at))?, None)),
        Step::Rollback { to } => {
            let to = to.as_ref().map(|number| version(&tag(number)));
            Ok((rollback(&world.names, &world.observed, to.as_ref(), &stamp(at))?, None))
        }
        Step::Prune { settings, keep } => {
            let ledger = Ledger::of(&world.observed, &world.names);
            let live = ledger.live().ok_or(Refused::NothingReleased)?.record.version.clone();
            let asked = asked(live.as_str(), *settings, at);
            Ok((prune(&asked, &world.observed, *keep)?, None))
        }
    }
}

/// What the stage and its canary point to has its alias, a function version and its permissions.
fn answers(world: &World) {
    let ledger = Ledger::of(&world.observed, &world.names);
    let Some(stage) = &ledger.stage else { return };
    let canary = stage.canary.as_ref().map(|canary| &canary.deployment_id);
    for deployment in [Some(&stage.deployment_id), canary].into_iter().flatten() {
        let version = &ledger.entry(deployment).expect("gwtf made it").record.version;
        assert!(ledger.kept(version).is_some(), "{version} is live and has no function");
        let function = world.observed.function.as_ref().unwrap();
        let alias = function.aliases.iter().find(|alias| alias.name == version.as_str()).unwrap();
        let api = &world.observed.rest_api.as_ref().unwrap().id;
        let open = alias.permissions.values().filter(|arn| arn.contains(api)).count();
        assert_eq!(open, 2, "{version}: {alias:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_live_answers_at_any_moment(steps in steps()) {
        let mut world = World::new(&names());
        for (at, (step, stopped)) in steps.iter().enumerate() {
            let Ok((plan, asked)) = plan(step, &world, at) else { continue };
            let when = format!("step {at}, {step:?}");
            check(&when, &plan);
            let count = plan.changes().count();
            let last = stopped.map_or(count, |after| after.min(count));
            for done in 0..=last {
                let mut now = world.clone();
                now.carry_out_first(&plan, done, minute(at));
                answers(&now);
                if done == last {
                    world = now;
                    break;
                }
            }
            if matches!(step, Step::Prune { .. }) && last == count {
                let function = world.function();
                let has_alias = |version: &str| function.aliases.iter().any(|one| one.version == version);
                prop_assert!(function.versions.iter().all(|one| has_alias(&one.version)), "{when}");
            }
            if let Some(mut asked) = asked {
                // Run again, it ends where it would have, and stays there.
                let mut again = world.clone();
                asked.stamp = stamp(40 + at);
                let rest = planned(&asked, &again.observed);
                if last == count {
                    prop_assert!(rest.is_empty(), "{when}");
                } else {
                    check(&when, &rest);
                    again.carry_out(&rest, minute(40 + at));
                    answers(&again);
                }
                // What another deploy left when it was stopped still counts as changed.
                is_settled(&again, &asked, &when);
            }
        }
        let gone = destroy(&world.names, &world.observed);
        world.carry_out(&gone, minute(60));
        prop_assert!(destroy(&world.names, &world.observed).is_empty());
    }
}
