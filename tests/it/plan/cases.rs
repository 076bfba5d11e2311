//! The cases whose plans are kept as files.

use super::{
    MIB, World, minute, names, planned, released, settings, stamp, version, wanted, with_keys,
};
use crate::support::{fixture, held_to_schema};
use gwtf::model::Digest;
use gwtf::plan::observed::{RestApi, Role, Tags};
use gwtf::plan::render::{self, Style};
use gwtf::plan::wanted::{Artefact, ArtefactForm};
use gwtf::plan::{Plan, Wanted, destroy, promote, prune, rollback};

/// A plan of a case.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) plan: Plan,
    /// The version that it is about.
    tag: Option<&'static str>,
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = deploys();
    cases.extend(stopped());
    cases.extend(by_hand());
    cases.extend(artefacts());
    cases.extend(usage());
    cases.extend(pointers());
    cases.extend(removals());
    cases
}

fn case(name: &'static str, tag: &'static str, plan: Plan) -> Case {
    Case { name, plan, tag: Some(tag) }
}

fn deploys() -> Vec<Case> {
    let empty = World::new(&names());
    let one = released(&["v1"]);
    let mut has_role = empty.clone();
    has_role.observed.api_gateway_account.cloudwatch_role_arn =
        Some("arn:aws:iam::111122223333:role/somebody".to_owned());
    let mut back = released(&["v1", "v2"]);
    back.rollback(None, 2);
    let canary = Wanted { canary_percent: Some(10), ..wanted("v2", 1) };
    vec![
        case("first-deploy", "v1", planned(&wanted("v1", 0), &empty.observed)),
        case("account-has-log-role", "v1", planned(&wanted("v1", 0), &has_role.observed)),
        case("no-change", "v1", planned(&wanted("v1", 1), &one.observed)),
        case("new-version", "v2", planned(&wanted("v2", 1), &one.observed)),
        case("canary", "v2", planned(&canary, &one.observed)),
        case("settings-changed", "v2", planned(&settings("v2", 1), &one.observed)),
        case("deployed-after-rollback", "v2", planned(&wanted("v2", 3), &back.observed)),
        case("same-version-other-settings", "v1", planned(&settings("v1", 1), &one.observed)),
    ]
}

/// The first deploy, or that of `v2`, stopped half-way.
fn stopped() -> Vec<Case> {
    let after = |operation: &str| {
        let mut world = World::new(&names());
        let plan = planned(&wanted("v1", 0), &world.observed);
        let last = plan.changes().position(|change| change.operation().1 == operation);
        world.carry_out_first(&plan, last.unwrap() + 1, minute(0));
        planned(&wanted("v1", 1), &world.observed)
    };
    let mut unreleased = released(&["v1"]);
    let plan = planned(&wanted("v2", 1), &unreleased.observed);
    unreleased.carry_out_first(&plan, plan.changes().count() - 1, minute(1));
    vec![
        case("stopped-after-function", "v1", after("CreateFunction")),
        case("stopped-after-alias", "v1", after("CreateAlias")),
        case("stopped-after-stage", "v1", after("CreateStage")),
        case("stopped-before-release", "v2", planned(&wanted("v2", 2), &unreleased.observed)),
    ]
}

fn by_hand() -> Vec<Case> {
    let mut no_role = released(&["v1"]);
    (no_role.observed.execution_role, no_role.observed.execution_policy) = (None, None);
    let mut stage = released(&["v1"]);
    let all = stage.stage().method_settings.get_mut("*/*").unwrap();
    (all.rate_rps, all.data_trace) = (Some(5.0), true);
    stage.stage().access_log_format = Some("x".repeat(300));
    stage.stage().last_updated_at = Some(minute(30));
    let mut memory = released(&["v1"]);
    memory.function().configuration.memory_mib = 512;
    let mut pointer = released(&["v1", "v2"]);
    pointer.stage().deployment_id = pointer.observed.deployments[0].id.clone();
    let mut alias = released(&["v1", "v2"]);
    alias.function().aliases.retain(|alias| alias.name != "v1");
    let mut api = released(&["v1"]);
    (api.observed.rest_api, api.observed.stages) = (None, Vec::new());
    api.observed.deployments.clear();
    vec![
        case("role-deleted-by-hand", "v1", planned(&wanted("v1", 1), &no_role.observed)),
        case("stage-changed-by-hand", "v1", planned(&wanted("v1", 1), &stage.observed)),
        case("memory-changed-by-hand", "v2", planned(&wanted("v2", 1), &memory.observed)),
        case("pointer-moved-by-hand", "v2", planned(&wanted("v2", 2), &pointer.observed)),
        case("alias-deleted-by-hand", "v3", planned(&wanted("v3", 2), &alias.observed)),
        case("api-deleted-by-hand", "v1", planned(&wanted("v1", 1), &api.observed)),
    ]
}

fn artefacts() -> Vec<Case> {
    let empty = World::new(&names());
    let with = |form| {
        let artefact = Some(Artefact { digest: Digest::of(b"artefact"), form });
        Wanted { artefact, ..wanted("v1", 0) }
    };
    let zip = with(ArtefactForm::Zip { path: "v1.zip".into(), size_bytes: 51 * MIB });
    let image = with(ArtefactForm::Image { layout: "layout".into() });
    vec![
        case("zip-through-the-bucket", "v1", planned(&zip, &empty.observed)),
        case("image", "v1", planned(&image, &empty.observed)),
    ]
}

fn usage() -> Vec<Case> {
    let mut world = World::new(&names());
    let first = planned(&with_keys("v1", 0), &world.observed);
    world.carry_out(&first, minute(0));
    let mut changed = with_keys("v1", 1);
    changed.gateway.usage_plans.remove(0);
    changed.gateway.usage_plans[0].quota = None;
    changed.gateway.usage_plans[0].throttle.as_mut().unwrap().rate_rps = 75.0;
    changed.gateway.key_plans =
        [("ada", "pro"), ("eve", "pro")].map(|(k, p)| (k.to_owned(), p.to_owned())).into();
    let mut moved = with_keys("v1", 1);
    moved.gateway.key_plans.insert("ada".to_owned(), "pro".to_owned());
    vec![
        case("usage-plans-added", "v1", first),
        case("usage-plans-changed", "v1", planned(&changed, &world.observed)),
        case("key-in-another-plan", "v1", planned(&moved, &world.observed)),
    ]
}

fn pointers() -> Vec<Case> {
    let mut two = released(&["v1", "v2"]);
    let back = rollback(&two.names, &two.observed, None, &stamp(2)).unwrap();
    two.function().provisioned_concurrency.insert("v2".to_owned(), 5);
    let to = rollback(&two.names, &two.observed, Some(&version("v1")), &stamp(2)).unwrap();
    let stays = rollback(&two.names, &two.observed, Some(&version("v2")), &stamp(2)).unwrap();
    let mut canary = released(&["v1"]);
    canary.deploy(&Wanted { canary_percent: Some(10), ..wanted("v2", 1) });
    let more = Wanted { canary_percent: Some(50), ..wanted("v2", 2) };
    vec![
        case("rollback", "v1", back),
        case("rollback-to", "v1", to),
        case("rollback-to-live", "v2", stays),
        case("canary-share", "v2", planned(&more, &canary.observed)),
        case("promote", "v2", promote(&canary.names, &canary.observed, &stamp(2)).unwrap()),
        case(
            "rollback-of-canary",
            "v1",
            rollback(&canary.names, &canary.observed, None, &stamp(2)).unwrap(),
        ),
    ]
}

fn removals() -> Vec<Case> {
    let mut world = released(&["v1", "v2", "v3"]);
    let live = Wanted { artefact: None, ..wanted("v3", 3) };
    let pruned = prune(&live, &world.observed, 2).unwrap();
    world.deploy(&with_keys("v3", 4));
    let untagged = RestApi { id: "other".to_owned(), name: "iris".to_owned(), tags: Tags::new() };
    let twin = RestApi { id: "twin".to_owned(), tags: names().tags(), ..untagged.clone() };
    world.observed.other_rest_apis = vec![untagged, twin];
    world.observed.account_role = Some(Role {
        arn: names().role_arn(&names().account_role()),
        trust: "{}".to_owned(),
        boundary: None,
        tags: Tags::new(),
    });
    let destroyed = destroy(&world.names, &world.observed);
    vec![case("prune-keep-2", "v3", pruned), Case { name: "destroy", plan: destroyed, tag: None }]
}

/// The file's text, or the case's text written to it.
fn kept(case: &str, file: &str, text: &str) -> Result<(), String> {
    let path = fixture("plans").join(case).join(file);
    #[expect(clippy::disallowed_methods, reason = "the switch of every golden file")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
    }
    let kept = fs_err::read_to_string(&path).unwrap_or_default();
    if kept == text { Ok(()) } else { Err(format!("{case}/{file}")) }
}

#[test]
fn plans_are_as_their_golden_files() {
    let names = names();
    let mut behind = Vec::new();
    let cases = cases();
    for case in &cases {
        let tag = case.tag.map(version);
        let text = |columns, color, verbose| {
            let style = Style { columns, color, verbose };
            render::text(&case.plan, &names, tag.as_ref(), style)
        };
        let document = format!("{:#}\n", render::document(&case.plan, &names, tag.as_ref()));
        held_to_schema(&document);
        assert!(!document.contains("a-secret-value"), "{}: {document}", case.name);
        behind.extend(kept(case.name, "plan.txt", &text(80, false, false)).err());
        behind.extend(kept(case.name, "plan.json", &document).err());
        for (columns, color) in [(80, false), (160, false)] {
            let shown = text(columns, color, true);
            let wide = shown.lines().find(|line| line.chars().count() > columns);
            assert_eq!(wide, None, "{} at {columns}", case.name);
        }
        let painted = text(80, true, false);
        let plain: String =
            painted.split('\x1b').enumerate().fold(String::new(), |all, (n, part)| {
                all + if n == 0 { part } else { part.split_once('m').unwrap().1 }
            });
        assert_eq!(plain, text(80, false, false), "colour changes nothing else");
        assert_ne!(painted, plain);
    }
    let folders = fs_err::read_dir(fixture("plans")).unwrap().count();
    assert!(behind.is_empty(), "UPDATE_GOLDEN=1 and git diff show what differs: {behind:#?}");
    assert_eq!(folders, cases.len(), "a folder without a case, or a case twice");
}

/// The digest is of the requests in full, what is not shown of them too.
#[test]
fn a_plans_digest_is_of_all_that_is_sent() {
    let observed = World::new(&names()).observed;
    let names = names();
    let digest = |wanted: &Wanted| {
        let plan = planned(wanted, &observed);
        render::document(&plan, &names, None)["digest"].clone()
    };
    let first = digest(&wanted("v1", 0));
    assert_eq!(first, digest(&wanted("v1", 0)));
    let mut other = wanted("v1", 0);
    other.function.environment.insert("LOG".to_owned(), "b".to_owned());
    assert_ne!(first, digest(&other));
    let mut other = wanted("v1", 0);
    other.gateway.auth = gwtf::spec::Auth::None;
    assert_ne!(first, digest(&other), "another document");
}
