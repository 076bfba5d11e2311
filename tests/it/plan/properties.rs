//! What holds for every plan: order, placeholders, budgets, convergence.

use super::cases::cases;
use super::{minute, planned, released, stamp, wanted, with_keys};
use crate::plan::world::World;
use gwtf::plan::render::{Style, text};
use gwtf::plan::{Change, Ledger, Names, Plan, Wanted, destroy, rollback};
use std::collections::BTreeSet;

/// Each action comes after those it names, directly or not, and they give all that its request needs.
pub(super) fn check(case: &str, plan: &Plan) {
    let mut before: Vec<BTreeSet<usize>> = Vec::new();
    for (index, action) in plan.actions.iter().enumerate() {
        let mut all: BTreeSet<usize> = action.after.iter().copied().collect();
        for after in &action.after {
            assert!(*after < index, "{case}: action {index} comes after {after}");
            all.extend(&before[*after]);
        }
        let given = all.iter().filter_map(|index| plan.actions[*index].gives.clone());
        let given = plan.known.clone().into_iter().chain(given.map(|key| (key, "x".to_owned())));
        if let Some(change) = &action.change {
            let resolved = change.resolve(&given.collect());
            assert!(resolved.is_ok(), "{case}: action {index}: {}", resolved.unwrap_err());
        }
        before.push(all);
    }
    // Nothing is sent twice.
    let changes: Vec<&Change> = plan.changes().collect();
    for (index, change) in changes.iter().enumerate() {
        assert!(!changes[..index].contains(change), "{case}: {change:?} twice");
    }
}

/// Everything that the update of the stage waits for.
fn before_release(plan: &Plan) -> BTreeSet<usize> {
    let is_release = |change: &Change| matches!(change, Change::UpdateStage { .. });
    let release = plan.actions.iter().rposition(|one| one.change.as_ref().is_some_and(is_release));
    let mut all = BTreeSet::new();
    let mut left: Vec<usize> = release.into_iter().collect();
    while let Some(index) = left.pop() {
        for after in &plan.actions[index].after {
            if all.insert(*after) {
                left.push(*after);
            }
        }
    }
    all
}

#[test]
fn actions_come_after_what_they_need() {
    for case in cases() {
        check(case.name, &case.plan);
    }
}

/// A version is seen only when all that it needs to answer is there.
#[test]
fn nothing_is_released_before_what_it_needs() {
    let first = planned(&with_keys("v1", 0), &World::new(&super::names()).observed);
    let mut warm = wanted("v2", 1);
    warm.function.reserved_concurrency = Some(50);
    warm.function.memory_mib = 3_000;
    let second = planned(&warm, &released(&["v1"]).observed);
    for plan in [first, second] {
        let before = before_release(&plan);
        let mut seen = 0;
        for (index, action) in plan.actions.iter().enumerate() {
            let waits = matches!(
                action.change,
                Some(
                    Change::PutRolePolicy { .. }
                        | Change::PutRetentionPolicy { .. }
                        | Change::CreateFunction(_)
                        | Change::UpdateFunctionCode { .. }
                        | Change::UpdateFunctionConfiguration { .. }
                        | Change::CreateAlias { .. }
                        | Change::AddPermission { .. }
                        | Change::PutFunctionConcurrency { .. }
                        | Change::UpdateAccount { .. }
                        | Change::PutRestApi { .. }
                        | Change::CreateDeployment { .. }
                )
            );
            seen += usize::from(waits);
            assert!(!waits || before.contains(&index), "{:?} is not waited for", action.object);
        }
        assert!(seen >= 7, "{seen}");
    }
}

/// Calls that a lock makes besides: the bucket and its tags on the first deploy, the lock object.
const BUCKET_CALLS: usize = 2;
const LOCK_CALLS: usize = 1;

#[test]
fn calls_are_few() {
    let mut world = World::new(&super::names());
    let first = planned(&wanted("v1", 0), &world.observed);
    assert!(first.changes().count() + BUCKET_CALLS + LOCK_CALLS <= 25, "{first:#?}");
    let keys = planned(&with_keys("v1", 0), &world.observed);
    assert!(keys.changes().count() + BUCKET_CALLS + LOCK_CALLS <= 27, "{keys:#?}");
    world.carry_out(&first, minute(0));
    let second = planned(&wanted("v2", 1), &world.observed);
    assert!(second.changes().count() + LOCK_CALLS <= 8, "{second:#?}");
    world.carry_out(&second, minute(1));
    let back = rollback(&world.names, &world.observed, None, &stamp(2)).unwrap();
    assert_eq!(back.changes().count(), 1);
    world.carry_out(&back, minute(2));
    world.deploy(&Wanted { canary_percent: Some(10), ..wanted("v3", 3) });
    let promote = gwtf::plan::promote(&world.names, &world.observed, &stamp(4)).unwrap();
    assert_eq!(promote.changes().count(), 1);
}

fn settings_changed(tag: &str, at: usize) -> Wanted {
    let mut wanted = with_keys(tag, at);
    wanted.function.memory_mib = 3_008;
    wanted.function.tracing = true;
    wanted.function.reserved_concurrency = Some(50);
    wanted.function.provisioned_concurrency = 5;
    wanted.gateway.access_log_format = None;
    wanted.gateway.throttle = None;
    wanted.log_retention_days = Some(7);
    wanted.gateway.usage_plans[0].throttle = None;
    wanted.gateway.usage_plans[1].quota = None;
    wanted.gateway.key_plans.insert("ada".to_owned(), "pro".to_owned());
    wanted
}

/// Steps of a long life; each is a deploy that starts from what the one before left.
fn life() -> Vec<Wanted> {
    let canary = Wanted { canary_percent: Some(10), ..wanted("v3", 4) };
    let more = Wanted { canary_percent: Some(25), ..wanted("v3", 5) };
    vec![
        wanted("v1", 0),
        with_keys("v1", 1),
        settings_changed("v1", 2),
        wanted("v2", 3),
        canary,
        more,
    ]
}

/// The plan as a person reads it.
fn said(names: &Names, plan: &Plan) -> String {
    text(plan, names, None, Style { columns: 160, color: false, verbose: false })
}

/// What was just carried out is as wanted: planning it again, with another stamp and lock, is empty,
/// and would overwrite nothing.
pub(super) fn is_settled(world: &World, wanted: &Wanted, when: &str) {
    let mut again = wanted.clone();
    (again.stamp, again.lock_id) = (stamp(90), Some("another".to_owned()));
    again.stamp.by = "bob".to_owned();
    let plan = planned(&again, &world.observed);
    assert!(plan.is_empty(), "{when}: {}", said(&world.names, &plan));
    assert_eq!(plan.drift, [], "{when}");
}

/// The same, and nothing counts as changed by hand.
fn settled(world: &World, wanted: &Wanted, when: &str) {
    is_settled(world, wanted, when);
    assert_eq!(world.drift(), [], "{when}");
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    let mut world = World::new(&super::names());
    for (step, wanted) in life().iter().enumerate() {
        world.deploy(wanted);
        settled(&world, wanted, &format!("step {step}"));
    }
    world.promote(6);
    settled(&world, &wanted("v3", 7), "promoted");
    world.rollback(None, 8);
    // Its deployment is from before `v3` came, whose pinned routes it lacks.
    world.deploy(&wanted("v2", 9));
    settled(&world, &wanted("v2", 9), "gone back and deployed");
    world.rollback(Some("v1"), 10);
    // `v1` was last deployed with other settings than are in force.
    world.deploy(&wanted("v1", 11));
    settled(&world, &wanted("v1", 11), "deployed again");
    // All are in the document of the one deployed last; going back and forth changes nothing more.
    world.rollback(Some("v3"), 12);
    world.deploy(&wanted("v3", 13));
    settled(&world, &wanted("v3", 13), "deployed again");
    world.prune("v3", 2, 14);
    settled(&world, &wanted("v3", 15), "pruned");
    assert_eq!(world.function().aliases.len(), 2);
}

/// Stopped after any number of changes, a deploy that is run again ends where it would have ended,
/// and says of nothing that it was changed by hand.
#[test]
fn a_deploy_that_was_stopped_anywhere_goes_on() {
    let mut world = World::new(&super::names());
    for (step, wanted) in life().iter().enumerate() {
        let plan = planned(wanted, &world.observed);
        for done in 0..plan.changes().count() {
            let mut stopped = world.clone();
            stopped.carry_out_first(&plan, done, wanted.stamp.at);
            let mut again = wanted.clone();
            again.stamp.at = minute(30);
            let rest = planned(&again, &stopped.observed);
            let when = format!("step {step} stopped after {done}");
            check(&when, &rest);
            assert_eq!(rest.drift, [], "{when}");
            stopped.carry_out(&rest, minute(30));
            settled(&stopped, wanted, &when);
            let orphans = stopped.function().versions.len() - stopped.function().aliases.len();
            assert!(orphans <= 2, "{when}: {:?}", stopped.function().versions);
        }
        world.carry_out(&plan, wanted.stamp.at);
    }
}

/// The same of pruning and of destroying: nothing of the endpoint is left.
#[test]
fn removal_that_was_stopped_anywhere_goes_on() {
    let mut world = released(&["v1", "v2", "v3"]);
    world.deploy(&settings_changed("v4", 4));
    let wanted = Wanted { artefact: None, ..settings_changed("v4", 5) };
    let plan = gwtf::plan::prune(&wanted, &world.observed, 2).unwrap();
    for done in 0..=plan.changes().count() {
        let mut stopped = world.clone();
        stopped.carry_out_first(&plan, done, minute(5));
        let rest = gwtf::plan::prune(&wanted, &stopped.observed, 2).unwrap();
        assert_eq!(rest.drift, [], "after {done}");
        stopped.carry_out(&rest, minute(6));
        let function = stopped.function();
        let tags: Vec<&str> = function.aliases.iter().map(|alias| alias.name.as_str()).collect();
        assert_eq!((tags, function.versions.len()), (vec!["v3", "v4"], 2));
        let again = gwtf::plan::prune(&wanted, &stopped.observed, 2).unwrap();
        assert!(again.is_empty(), "after {done}: {}", said(&world.names, &again));
    }
    let plan = destroy(&world.names, &world.observed);
    for done in 0..=plan.changes().count() {
        let mut stopped = world.clone();
        stopped.carry_out_first(&plan, done, minute(6));
        let rest = destroy(&world.names, &stopped.observed);
        check("destroy", &rest);
        stopped.carry_out(&rest, minute(7));
        let left = &stopped.observed;
        assert!(left.function.is_none() && left.rest_api.is_none() && left.log_groups.is_empty());
        assert!(left.execution_role.is_none() && left.usage_plans.is_empty());
        assert!(left.api_keys.is_empty() && left.objects.is_empty());
        assert!(left.account_role.is_some(), "the account's role stays");
        assert!(destroy(&world.names, left).is_empty());
    }
}

/// Another machine, another day, the versions observed in another order: the same snapshot.
#[test]
fn the_hash_of_a_snapshot_does_not_depend_on_when_or_where() {
    let mut world = released(&["v1", "v2"]);
    let mut wanted = wanted("v2", 50);
    wanted.stamp.by = "ci".to_owned();
    wanted.stamp.git_commit = None;
    // The bytes are not asked for again: whatever is built elsewhere is not looked at.
    wanted.artefact.as_mut().unwrap().digest = gwtf::model::Digest::of(b"built elsewhere");
    assert!(planned(&wanted, &world.observed).is_empty());
    world.observed.deployments.reverse();
    world.function().aliases.reverse();
    assert!(planned(&wanted, &world.observed).is_empty());
}

/// Every change of what a deployment snapshots, or of what is recorded beside it, is deployed.
#[test]
fn no_change_is_left_undeployed() {
    let world = released(&["v1"]);
    let change = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted("v1", 1);
        change(&mut wanted);
        planned(&wanted, &world.observed)
    };
    let plans = [
        change(&|wanted| wanted.gateway.auth = gwtf::spec::Auth::None),
        change(&|wanted| wanted.gateway.integration_timeout = std::time::Duration::from_secs(9)),
        change(&|wanted| wanted.gateway.throttle = None),
        change(&|wanted| wanted.gateway.access_log_format = None),
        change(&|wanted| wanted.function.memory_mib += 1),
        change(&|wanted| wanted.function.timeout_s += 1),
        change(&|wanted| wanted.function.environment.clear()),
        change(&|wanted| wanted.function.reserved_concurrency = Some(3)),
        change(&|wanted| wanted.function.tracing = true),
        change(&|wanted| wanted.role.policy = "{}".to_owned()),
        change(&|wanted| wanted.log_retention_days = Some(7)),
    ];
    for (index, plan) in plans.iter().enumerate() {
        let is_deployment = |change: &Change| matches!(change, Change::CreateDeployment { .. });
        let is_release = |change: &Change| matches!(change, Change::UpdateStage { .. });
        assert!(plan.changes().any(is_deployment), "{index}: {plan:#?}");
        assert!(plan.changes().any(is_release), "{index}: {plan:#?}");
    }
}

/// AWS tells to the second when a deployment was made, and gives it an id without order.
#[test]
fn the_ledger_is_in_the_order_of_its_numbers() {
    let mut world = released(&["v1", "v2", "v3"]);
    let deployments = &mut world.observed.deployments;
    deployments.reverse();
    deployments.iter_mut().for_each(|one| one.created_at = Some(minute(0)));
    let ledger = Ledger::of(&world.observed, &world.names);
    let order: Vec<(u64, &str)> = ledger
        .entries
        .iter()
        .map(|entry| (entry.record.number, entry.record.version.as_str()))
        .collect();
    assert_eq!(order, [(1, "v1"), (2, "v2"), (3, "v3")]);
    assert_eq!(ledger.next_number(), 4);
    assert_eq!(ledger.previous().unwrap().record.version.as_str(), "v2");
}

/// What comes after the update of the stage is done under the lock still.
#[test]
fn a_release_ends_the_lock_only_as_the_last_step() {
    let world = World::new(&super::names());
    for (wanted, ends) in [(wanted("v1", 0), true), (with_keys("v1", 0), false)] {
        let plan = planned(&wanted, &world.observed);
        let names_lock = |change: &Change| {
            matches!(change, Change::UpdateStage { patch, .. } if patch.iter().any(|one| {
                one.value.as_deref().is_some_and(|text| text.contains("lock-0"))
            }))
        };
        assert_eq!(plan.changes().any(names_lock), ends);
    }
}
