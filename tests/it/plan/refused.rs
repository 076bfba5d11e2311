//! What is refused, and why.

use super::{World, names, released, stamp, tensor, version, wanted};
use gwtf::error::Explain as _;
use gwtf::model::{DType, Digest};
use gwtf::plan::observed::{Bucket, RestApi, Tags};
use gwtf::plan::wanted::{Artefact, ArtefactForm};
use gwtf::plan::{Refused, Wanted, deploy, promote, prune, rollback};

fn refusal(wanted: &Wanted, world: &World) -> Refused {
    deploy(wanted, &world.observed).unwrap_err()
}

fn api(id: &str, tags: Tags) -> RestApi {
    RestApi { id: id.to_owned(), name: "iris".to_owned(), tags }
}

#[test]
fn what_is_not_the_endpoints_is_left_alone() {
    let mut not_ours = World::new(&names());
    not_ours.observed.other_rest_apis = vec![api("abc", Tags::new())];
    let mut twice = released(&["v1"]);
    twice.observed.other_rest_apis = vec![api("abc", names().tags())];
    let mut full = World::new(&names());
    full.observed.rest_api_count = 600;
    let mut function = released(&["v1"]);
    function.function().tags.clear();
    let mut role = released(&["v1"]);
    role.observed.execution_role.as_mut().unwrap().tags.clear();
    let mut bucket = World::new(&names());
    bucket.observed.bucket = Bucket::Forbidden;
    let mut log_role = released(&["v1"]);
    log_role.observed.api_gateway_account.cloudwatch_role_arn = None;
    log_role.observed.account_role.as_mut().unwrap().tags.clear();
    let mut stage = released(&["v1"]);
    stage.stage().name = "dev".to_owned();
    for (world, cause) in [
        (
            not_ours,
            "rest api `iris (abc)`: it is there already and does not belong to endpoint `iris`",
        ),
        (twice, "rest api `iris`: 2 carry the tag of this endpoint, ids a000000001, abc"),
        (full, "`iris`: the account has 600 REST APIs in this Region already"),
        (function, "function `gwtf-iris`: it is there already"),
        (role, "role `gwtf-iris-eu-west-1`: it is there already"),
        (bucket, "bucket `gwtf-111122223333-eu-west-1`: it belongs to another account"),
        (log_role, "role `gwtf-apigateway-logs-eu-west-1`: it is there already"),
        (stage, "stage `prod`: endpoint `iris` is on stage `dev`"),
    ] {
        let refused = refusal(&wanted("v2", 1), &world);
        assert!(refused.to_string().starts_with(cause), "{refused}");
        assert!(refused.hint().is_some(), "{refused}");
    }
}

/// A log group that Lambda made, or somebody else, keeps its retention.
#[test]
fn a_log_group_without_the_tag_is_left_as_it_is() {
    let mut world = released(&["v1"]);
    for group in world.observed.log_groups.values_mut() {
        group.tags.clear();
    }
    let plan = deploy(&Wanted { log_retention_days: Some(7), ..wanted("v1", 1) }, &world.observed);
    let touched = |change: &gwtf::plan::Change| change.operation().1 == "PutRetentionPolicy";
    assert!(!plan.unwrap().changes().any(touched));
}

#[test]
fn a_version_is_released_only_where_it_can_be() {
    let one = released(&["v1"]);
    let other_bytes = Wanted { model_sha256: Digest::of(b"other"), ..wanted("v1", 1) };
    assert!(matches!(refusal(&other_bytes, &one), Refused::TagTaken { .. }));
    let mut breaking = wanted("v2", 1);
    breaking.signature.inputs.push(tensor("more", DType::Float32));
    let Refused::Breaking { changes, .. } = refusal(&breaking, &one) else { panic!("it breaks") };
    assert_eq!(changes.len(), 1, "{changes:?}");
    breaking.allow_breaking = true;
    assert!(deploy(&breaking, &one.observed).is_ok());
    let canary = |tag: &str| Wanted { canary_percent: Some(10), ..wanted(tag, 1) };
    let refused = refusal(&canary("v1"), &World::new(&names()));
    assert_eq!(refused, Refused::CanaryNeedsLive { version: version("v1") });
    let mut running = one.clone();
    running.deploy(&canary("v2"));
    assert_eq!(refusal(&wanted("v2", 2), &running), Refused::IsCanary { version: version("v2") });
    for other in [wanted("v3", 2), canary("v3"), wanted("v1", 2)] {
        assert!(matches!(refusal(&other, &running), Refused::CanaryRunning { .. }));
    }
}

/// What no update of a function changes.
#[test]
fn a_function_keeps_its_kind_of_package_and_a_version_its_processor() {
    let world = released(&["v1"]);
    let form = ArtefactForm::Image { layout: "layout".into() };
    let image = Artefact { digest: Digest::of(b"image"), form };
    let refused = refusal(&Wanted { artefact: Some(image), ..wanted("v2", 1) }, &world);
    assert!(refused.to_string().contains("made from a zip"), "{refused}");
    let mut arm = wanted("v1", 1);
    arm.function.architecture = "arm64".to_owned();
    let refused = refusal(&arm, &world);
    assert!(refused.to_string().contains("for x86_64, not arm64"), "{refused}");
    let mut arm = wanted("v2", 1);
    arm.function.architecture = "arm64".to_owned();
    assert!(deploy(&arm, &world.observed).is_ok());
}

#[test]
fn a_signature_that_no_record_can_hold_is_refused() {
    let mut long = wanted("v1", 0);
    // Names that do not compress.
    let name = |index: usize| Digest::of(&index.to_le_bytes()).to_string();
    long.signature.inputs = (0..100).map(|n| tensor(&name(n), DType::Float32)).collect();
    let refused = refusal(&long, &World::new(&names()));
    assert!(refused.to_string().contains("its record in the ledger has"), "{refused}");
}

#[test]
fn the_pointer_moves_only_to_what_answers() {
    let nothing = World::new(&names());
    let back = |world: &World, to: Option<&str>| {
        let to = to.map(version);
        rollback(&world.names, &world.observed, to.as_ref(), &stamp(9)).map(|plan| plan.is_empty())
    };
    assert_eq!(back(&nothing, None), Err(Refused::NothingReleased));
    assert_eq!(
        promote(&nothing.names, &nothing.observed, &stamp(9)),
        Err(Refused::NothingReleased)
    );
    let one = released(&["v1"]);
    assert_eq!(back(&one, None), Err(Refused::NoPrevious { live: version("v1") }));
    assert_eq!(back(&one, Some("v1")), Ok(true));
    let kept = vec![version("v1")];
    assert_eq!(back(&one, Some("v7")), Err(Refused::NotInLedger { version: version("v7"), kept }));
    let live = Some(version("v1"));
    assert_eq!(promote(&one.names, &one.observed, &stamp(9)), Err(Refused::NoCanary { live }));
    let mut two = released(&["v1", "v2"]);
    two.function().versions.retain(|one| one.version != "1");
    for to in [None, Some("v1")] {
        let refused = back(&two, to).unwrap_err();
        let cause =
            "version `v1` cannot be gone back to: alias `v1` of function `gwtf-iris`, or the";
        assert!(refused.to_string().starts_with(cause), "{refused}");
    }
    let mut canary = released(&["v1"]);
    canary.deploy(&Wanted { canary_percent: Some(10), ..wanted("v2", 1) });
    assert_eq!(back(&canary, Some("v2")), Err(Refused::IsCanary { version: version("v2") }));
    assert_eq!(back(&canary, Some("v1")), Ok(false), "the canary ends");
}

/// A version that was pruned is not where `rollback` goes, even if it was live just before.
#[test]
fn going_back_passes_over_what_was_pruned() {
    let mut world = released(&["v1", "v2", "v3"]);
    world.rollback(Some("v1"), 3);
    world.prune("v1", 2, 4);
    // `v2` is gone, `v3` and `v1` stay.
    world.rollback(None, 5);
    let ledger = gwtf::plan::Ledger::of(&world.observed, &world.names);
    assert_eq!(ledger.live().unwrap().record.version, version("v3"));
}

#[test]
fn pruning_keeps_what_is_live() {
    let mut world = released(&["v1", "v2"]);
    let live = Wanted { artefact: None, ..wanted("v2", 2) };
    assert_eq!(prune(&live, &world.observed, 0), Err(Refused::KeepZero));
    assert_eq!(prune(&live, &World::new(&names()).observed, 1), Err(Refused::NothingReleased));
    // The live version's own function is gone: it cannot be made again without its model.
    let mut broken = world.clone();
    broken.function().aliases.retain(|alias| alias.name != "v2");
    assert!(matches!(prune(&live, &broken.observed, 1), Err(Refused::Gone { .. })));
    world.deploy(&Wanted { canary_percent: Some(5), ..wanted("v3", 3) });
    assert!(matches!(prune(&live, &world.observed, 1), Err(Refused::CanaryRunning { .. })));
}

/// Settings that changed since are released with it; what the live alias is moved to stays.
#[test]
fn pruning_keeps_what_the_live_alias_is_moved_to() {
    let mut world = World::new(&names());
    world.deploy(&super::settings("v2", 0));
    world.deploy(&wanted("v1", 1));
    world.deploy(&wanted("v2", 2));
    let plan = prune(&super::settings("v2", 3), &world.observed, 1).unwrap();
    world.carry_out(&plan, super::minute(3));
    let function = world.function();
    assert_eq!(function.versions.len(), 1);
    assert_eq!(function.aliases[0].version, function.versions[0].version);
}
