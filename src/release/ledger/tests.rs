//! The transitions as tables, and their invariants over random sequences.

use super::*;
use crate::error::Explain;
use crate::model::Digest;
use crate::model::{DType, Dim, Signature, TensorSpec};
use crate::release::record::{Artefact, ArtefactFile};
use crate::spec::timestamp::Timestamp;
use proptest::prelude::*;
use std::time::UNIX_EPOCH;

fn tag(text: &str) -> Version {
    text.parse().unwrap()
}

fn stamp() -> Stamp {
    Stamp { at: Timestamp::from(UNIX_EPOCH), by: "ada".to_owned(), git_commit: None }
}

fn request(version: &str, bytes: &str, canary_percent: Option<u8>) -> Deploy {
    let digest = Digest::of(bytes.as_bytes());
    let file = ArtefactFile { path: "model.onnx".to_owned(), digest, size_bytes: 1 };
    let shape = Some(vec![Dim::Symbol("batch".to_owned()), Dim::Fixed(4), Dim::Unknown]);
    let input = TensorSpec { name: "x".to_owned(), dtype: DType::Float32, shape };
    let output = TensorSpec { name: "y".to_owned(), dtype: DType::String, shape: None };
    Deploy {
        endpoint: "iris".to_owned(),
        version: tag(version),
        artefact: Artefact { digest, files: vec![file] },
        signature: Signature { inputs: vec![input], outputs: vec![output] },
        canary_percent,
        breaking: Vec::new(),
        allow_breaking: false,
    }
}

/// One step, as a person writes it: `v2` deploys it, `v2@10` as a canary, `promote`, `back`,
/// `back v1`, `keep 2`.
fn step(ledger: &Ledger, text: &str) -> Result<Option<Ledger>, Refused> {
    match text.split_once(' ') {
        Some(("back", to)) => ledger.rollback(Some(&tag(to)), stamp()),
        Some(("keep", n)) => Ok(ledger.prune(n.parse().unwrap())?.map(|(ledger, _)| ledger)),
        Some(_) => panic!("{text}"),
        None => match text {
            "promote" => ledger.promote(stamp()).map(Some),
            "back" => ledger.rollback(None, stamp()),
            _ => {
                let (version, percent) = text.split_once('@').unwrap_or((text, ""));
                ledger.deploy(request(version, version, percent.parse().ok()), stamp())
            }
        },
    }
}

fn after(steps: &[&str]) -> Ledger {
    steps.iter().fold(Ledger::default(), |ledger, text| match step(&ledger, text) {
        Ok(Some(next)) => next,
        other => panic!("{text}: {other:?}"),
    })
}

/// `live`, then `+canary@percent`, then the kept tags.
fn summary(ledger: &Ledger) -> String {
    let canary = ledger
        .canary()
        .map_or_else(String::new, |canary| format!("+{}@{}", canary.version, canary.percent));
    let tags: Vec<String> = ledger.tags().iter().map(Version::to_string).collect();
    format!("{}{canary} of {}", ledger.live().unwrap(), tags.join(","))
}

#[test]
fn steps_lead_where_a_person_expects() {
    for (steps, expected) in [
        (&["v1"][..], "v1 of v1"),
        (&["v1", "v2"], "v2 of v1,v2"),
        (&["v1", "v2", "back"], "v1 of v1,v2"),
        // Going back twice undoes the first.
        (&["v1", "v2", "v3", "back", "back"], "v3 of v1,v2,v3"),
        (&["v1", "v2", "v3", "back v1", "back"], "v3 of v1,v2,v3"),
        (&["v1", "v2", "back", "v2"], "v2 of v1,v2"),
        (&["v1", "v2@10"], "v1+v2@10 of v1,v2"),
        (&["v1", "v2@10", "v2@50"], "v1+v2@50 of v1,v2"),
        (&["v1", "v2@10", "promote"], "v2 of v1,v2"),
        (&["v1", "v2@10", "promote", "back"], "v1 of v1,v2"),
        (&["v1", "v2@10", "back"], "v1 of v1,v2"),
        // A canary taken away was never live: there is nothing to go back to but v0.
        (&["v0", "v1", "v2@10", "back", "back"], "v0 of v0,v1,v2"),
        (&["v0", "v1", "v2@10", "back v0"], "v0 of v0,v1,v2"),
        (&["v1", "v2@10", "back v1"], "v1 of v1,v2"),
        (&["v1", "v2", "v3", "v4", "keep 2"], "v4 of v3,v4"),
        (&["v1", "v2", "v3", "back v1", "keep 2"], "v1 of v1,v3"),
        (&["v1", "v2", "v3", "back v1", "keep 1"], "v1 of v1"),
        (&["v1", "v2", "v3@5", "keep 1"], "v2+v3@5 of v2,v3"),
        // What was pruned is passed over.
        (&["v1", "v2", "v3", "v1", "keep 2", "back"], "v3 of v1,v3"),
    ] {
        assert_eq!(summary(&after(steps)), expected, "{steps:?}");
    }
}

#[test]
fn what_changes_nothing_says_so() {
    for (steps, last) in [
        (&["v1"][..], "v1"),
        (&["v1"], "v1@10"),
        (&["v1"], "back v1"),
        (&["v1", "v2@10"], "v2@10"),
        (&["v1", "v2"], "keep 2"),
    ] {
        assert_eq!(step(&after(steps), last), Ok(None), "{steps:?} {last}");
    }
}

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    for (steps, last, message, hint) in [
        (&[][..], "promote", "nothing is released", "gwtf deploy"),
        (&[], "back", "nothing is released", "gwtf deploy"),
        (&[], "keep 3", "nothing is released", "gwtf deploy"),
        (&[], "v1@10", "nothing is live", "without --canary"),
        (&["v1"], "promote", "none is running; `v1` is live", "--canary PERCENT"),
        (&["v1"], "back", "no kept version was live before it", "kept versions: v1"),
        (&["v1"], "back v9", "version `v9`: it is not kept", "kept versions: v1"),
        (&["v1"], "keep 0", "always kept", "1 or more"),
        (&["v1"], "v2@0", "canary of 0 %", "leave --canary away"),
        (&["v1"], "v2@100", "canary of 100 %", "leave --canary away"),
        (&["v1", "v2@10"], "v3", "`v2` is being tried as a canary", "gwtf promote"),
        (&["v1", "v2@10"], "v3@10", "`v2` is being tried as a canary", "gwtf promote"),
        (&["v1", "v2@10"], "v2", "it is the canary", "gwtf promote"),
        (&["v1", "v2@10"], "back v2", "it is the canary", "gwtf promote"),
        (&["v1", "v2", "keep 1"], "back", "no kept version", "kept versions: v2"),
        (&["v1", "v2", "keep 1"], "back v1", "it is not kept", "kept versions: v2"),
    ] {
        let refused = step(&after(steps), last).unwrap_err();
        assert!(refused.to_string().contains(message), "{steps:?} {last}: {refused}");
        assert!(refused.hint().unwrap().contains(hint), "{steps:?} {last}: {refused:?}");
    }
}

#[test]
fn a_tag_never_changes_its_bytes() {
    let ledger = after(&["v1", "v2"]);
    for version in ["v1", "v2"] {
        let refused = ledger.deploy(request(version, "other bytes", None), stamp()).unwrap_err();
        assert!(matches!(refused, Refused::TagTaken { .. }), "{refused}");
    }
}

#[test]
fn a_breaking_signature_needs_consent() {
    let ledger = after(&["v1"]);
    let breaking = |allow_breaking| Deploy {
        breaking: vec!["input `x` is gone".to_owned()],
        allow_breaking,
        ..request("v2", "v2", None)
    };
    let refused = ledger.deploy(breaking(false), stamp()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "version `v2`: its signature breaks live `v1`: input `x` is gone"
    );
    assert!(ledger.deploy(breaking(true), stamp()).unwrap().is_some());
    // Nothing is live before the first release, so nothing can break.
    assert!(Ledger::default().deploy(breaking(false), stamp()).unwrap().is_some());
}

#[test]
fn the_ledger_has_a_bound() {
    let mut ledger = Ledger::default();
    for n in 0..VERSIONS_MAX {
        ledger = step(&ledger, &format!("v{n}")).unwrap().unwrap();
    }
    assert_eq!(step(&ledger, "one-more"), Err(Refused::VersionsFull));
    for _ in 0..RELEASES_MAX {
        ledger = step(&ledger, "back").unwrap().unwrap();
    }
    assert_eq!(ledger.releases().len(), RELEASES_MAX);
    assert_eq!(ledger.releases().last().unwrap().number, (VERSIONS_MAX + RELEASES_MAX) as u64);
    assert_eq!(ledger.check(), Ok(()));
}

#[test]
fn a_damaged_ledger_is_refused_by_name() {
    let whole = String::from_utf8(after(&["v1", "v2@10"]).to_json()).unwrap();
    let swap = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replace(from, to)
    };
    for (text, reason) in [
        (String::new(), "it is no ledger: EOF"),
        ("not json".to_owned(), "it is no ledger: expected"),
        ("{}".to_owned(), "missing field `schema`"),
        (swap("gwtf.ledger/v1", "gwtf.ledger/v2"), "its schema is `gwtf.ledger/v2`"),
        (swap(r#""live": "v1""#, r#""live": "v7""#), "live `v7` is not among its versions"),
        (swap(r#""live": "v1""#, r#""live": "v2""#), "`v2` is live and canary at once"),
        (swap(r#""percent": 10"#, r#""percent": 0"#), "the canary's share is 0 %"),
        (swap(r#""number": 2"#, r#""number": 1"#), "its releases are out of order"),
        (swap(r#""number": 2"#, r#""number": 18446744073709551615"#), "a release number is beyond"),
        (swap(r#""model.onnx""#, r#""../../etc/passwd""#), "leads outside"),
        (swap(r#""float32""#, r#""float31""#), "no element type is called `float31`"),
        (swap(r#""v2""#, r#""predict""#), "the word is reserved"),
        (swap("1970-01-01T00:00:00Z", "yesterday"), "it is no ledger"),
        (swap(r#""ada""#, r#""\u001b[2J""#), "a name in it holds control characters"),
        (swap(r#""kind": "deploy""#, r#""kind": "guess""#), "unknown variant `guess`"),
        (swap(r#""endpoint""#, r#""endpoint_name""#), "unknown field `endpoint_name`"),
    ] {
        let error = Ledger::from_json(text.as_bytes()).unwrap_err();
        assert!(error.contains(reason), "{reason:?} is not in {error:?}");
    }
    for cut in 0..whole.trim_end().len() {
        assert!(Ledger::from_json(&whole.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
}

fn any_step() -> impl Strategy<Value = String> {
    let tags = (0..5u8).prop_map(|n| format!("v{n}"));
    prop_oneof![
        3 => tags.clone(),
        3 => (tags.clone(), 0..101u8).prop_map(|(tag, percent)| format!("{tag}@{percent}")),
        2 => Just("promote".to_owned()),
        2 => Just("back".to_owned()),
        2 => tags.prop_map(|tag| format!("back {tag}")),
        1 => (0..4usize).prop_map(|keep| format!("keep {keep}")),
    ]
}

proptest! {
    #[test]
    fn every_sequence_keeps_the_invariants(steps in prop::collection::vec(any_step(), 0..40)) {
        let mut ledger = Ledger::default();
        for text in &steps {
            let Ok(Some(next)) = step(&ledger, text) else { continue };
            prop_assert_eq!(next.check(), Ok(()), "{} after {:?}", text, steps);
            prop_assert_eq!(Ledger::from_json(&next.to_json()).unwrap(), next.clone());
            if text.starts_with("keep") {
                prop_assert_eq!(next.live(), ledger.live());
                prop_assert_eq!(next.canary(), ledger.canary());
                prop_assert!(next.versions().len() < ledger.versions().len());
            } else {
                prop_assert_eq!(next.releases().len(), ledger.releases().len() + 1);
            }
            ledger = next;
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Ledger::from_json(&bytes);
    }
}
