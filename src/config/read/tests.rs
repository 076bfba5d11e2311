//! What is said of a `gwtf.toml`: where, what, and what to do.

use super::*;
use crate::config::Complaint;

/// The example of the contract, which must be taken whole.
fn example() -> &'static str {
    let document = include_str!("../../../docs/cli.md");
    document.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0
}

fn complaints(text: &str) -> Vec<Complaint> {
    match parse(Path::new("gwtf.toml"), text) {
        Ok(file) => panic!("taken: {file:?}"),
        Err(Error::Complaints { complaints, .. }) => complaints,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_documented_example_is_taken_whole() {
    let file = parse(Path::new("gwtf.toml"), example()).unwrap();
    assert_eq!(file.endpoint.name.as_deref(), Some("iris"));
    assert_eq!(file.usage_plan[0].quota.unwrap().limit, 1000);
    assert_eq!(file.gateway.jwt.unwrap().grant[0].allow, ["predict"]);
    assert_eq!(file.observe.alarms.unwrap().p99_ms, Some(200.0));
}

#[test]
fn the_example_names_every_key() {
    let schema = schema();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let tables = schema["definitions"].as_object().unwrap().values().flat_map(keys);
    for key in tables.chain(keys(&schema)) {
        assert!(example().contains(&key), "the example has no `{key}`");
    }
}

#[test]
fn every_complaint_comes_at_once_with_its_line_and_hint() {
    let text = "\
[endpoint]
modle = \"model.onnx\"
name = \"Iris\"
target = \"lamda\"

[function]
memory_mib = 64
timeout_s = \"ten\"

[gatway]
auth = \"none\"

[gateway]
throttle = { rate_rps = -1 }

[[usage_plan]]
quota = { limit = 10, period = \"days\" }
";
    let found: Vec<(usize, String, String)> = complaints(text)
        .into_iter()
        .map(|complaint| (complaint.line, complaint.message, complaint.hint))
        .collect();
    let expected = [
        (2, "unknown key `endpoint.modle`", "did you mean `model`?"),
        (4, "`endpoint.target` is \"lamda\"", "did you mean `lambda`? known: local, lambda, ecs"),
        (7, "`function.memory_mib` is 64", "write a number from 128 to 10240"),
        (8, "`function.timeout_s` is a string", "write an integer"),
        (10, "unknown key `gatway`", "did you mean `gateway`?"),
        (14, "`gateway.throttle.burst` is missing", "add `burst = …`: an integer"),
        (14, "`gateway.throttle.rate_rps` is -1", "write a number from 0 up"),
        (16, "`usage_plan[0].name` is missing", "add `name = …`: a string"),
        (
            17,
            "`usage_plan[0].quota.period` is \"days\"",
            "did you mean `day`? known: day, week, month",
        ),
    ];
    let expected: Vec<(usize, String, String)> =
        expected.map(|(line, message, hint)| (line, message.to_owned(), hint.to_owned())).into();
    let sorted = |mut list: Vec<(usize, String, String)>| {
        list.sort();
        list
    };
    assert_eq!(sorted(found), sorted(expected));
}

#[test]
fn one_complaint_each() {
    for (text, line, message, hint) in [
        ("memory_mib = 1", 1, "unknown key `memory_mib`", "belongs in [function] or [service]"),
        (
            "[endpoint]\nzzz = 1",
            2,
            "unknown key `endpoint.zzz`",
            "known keys here: bucket, model, name",
        ),
        ("[endpoint]\nname = \"9lives\"", 2, "`endpoint.name` is \"9lives\"", "a letter first"),
        ("[endpoint]\nstage = \"a/b\"", 2, "`endpoint.stage` is \"a/b\"", "write letters"),
        ("[endpoint]\nregion = \"EU\"", 2, "`endpoint.region` is \"EU\"", "eu-west-1"),
        ("endpoint = 3", 1, "`endpoint` is an integer", "write a table { bucket = …"),
        ("[gateway]\ntimeout_ms = 40000", 2, "is 40000", "from 50 to 29000"),
        ("[gateway]\nauth = \"jwt\"", 2, "there is no [gateway.jwt]", "add [gateway.jwt]"),
        (
            "[gateway.jwt]\nissuer = \"http://a\"\naudience = [\"x\"]",
            2,
            "`gateway.jwt.issuer` is \"http://a\"",
            "https:// URL",
        ),
        ("[gateway.jwt]\nissuer = \"https://a\"\naudience = []", 3, "is too short", "at least 1"),
        ("[gateway]\nthrottle = { rate_rps = inf, burst = 1 }", 2, "rate_rps` is inf", "from 0 up"),
        (
            "[gateway]\nthrottle = { rate_rps = 1, burst = 4294967296 }",
            2,
            "is 4294967296",
            "from 0",
        ),
        (
            "[[usage_plan]]\nname = \"a\"\n[[usage_plan]]\nname = \"a\"",
            4,
            "`usage_plan[1].name` is \"a\" a second time",
            "its own name",
        ),
        (
            "[[usage_plan]]\nname = \"a\"\nkeys = [\"x-y\",\n \"x_y\"]",
            4,
            "`usage_plan[0].keys[1]` is \"x_y\" beside \"x-y\"",
            "differ in more",
        ),
        ("[[usage_plan]]\nname = \"a\"\nkeys = [\"A\"]", 3, "keys[0]` is \"A\"", "small letters"),
        ("[service]\ntasks = { min = 3, max = 2 }", 2, "is from 3 to 2", "at most `max`"),
        ("[release]\nrollback_on = [\"p98>1ms\"]", 2, "no metric is called `p98`", "did you mean"),
        (
            "[gate]\nassert = [\"rate(error)=0\", \"\"]",
            2,
            "`gate.assert[1]`: assertion ``",
            "write it",
        ),
        ("[release]\nkeep = 1.5", 2, "`release.keep` is a float", "write an integer"),
        ("[endpoint]\nname = ", 2, "string values must be quoted", "toml.io"),
        ("a = 1\na = 2", 2, "duplicate key", "toml.io"),
    ] {
        let found = complaints(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let complaint = &found[0];
        assert_eq!(complaint.line, line, "{text}: {complaint:?}");
        assert!(complaint.message.contains(message), "{text}: {complaint:?}");
        assert!(complaint.hint.contains(hint), "{text}: {complaint:?}");
    }
}

#[test]
fn hostile_files_are_refused_in_bounded_words() {
    let deep = format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let many: String = (0..10_000).map(|n| format!("k{n} = 1\n")).collect();
    let long =
        format!("[endpoint]\n{} = 1\ntarget = \"{}\"", "k".repeat(50_000), "t".repeat(50_000));
    for text in [deep, many, long] {
        let error = parse(Path::new("gwtf.toml"), &text).unwrap_err();
        assert!(error.to_string().len() < 60_000, "{}", error.to_string().len());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]a-z=\"' \\n0-9.{},_-]{0,120}") {
        let _ = parse(Path::new("gwtf.toml"), &text);
    }
}
