//! `gwtf init`: the files that it writes are taken by what reads them, and nothing is lost.

/// The workflow for GitHub Actions.
mod workflow;

use crate::support::{fixture, gwtf, held_to_schema, model};
use gwtf::config::{Environment, File, Flags, Settings, Target};
use gwtf::model::onnx::read_facts;
use gwtf::model::payload::{self, Protocol, RequestHead};
use gwtf::spec::request_model::request_model;
use gwtf::spec::route::Operation;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn run(folder: &Path, line: &str) -> Output {
    gwtf(folder).args(line.split(' ')).output().unwrap()
}

/// Runs, expects success, and gives stdout.
#[track_caller]
fn done(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{line}: {talk}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs, expects exit code 2, and gives stderr.
#[track_caller]
fn refused(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}: {talk}");
    assert_eq!(output.stdout, b"", "{line}");
    talk
}

/// Every path below a folder, sorted.
fn tree(folder: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            paths.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    paths.sort();
    paths
}

/// A folder with the iris model under this name.
fn with_iris(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs_err::copy(model("iris"), folder.path().join(name)).unwrap();
    folder
}

fn settings(folder: &Path) -> Settings {
    let environment = Environment::new(folder, Vec::<(String, String)>::new());
    Settings::load(&Flags::default(), &environment).unwrap()
}

#[test]
fn a_file_is_written_for_the_only_model_and_is_what_the_reader_takes() {
    for (target, expected) in [
        ("", None),
        (" --target local", Some(Target::Local)),
        (" --target lambda", Some(Target::Lambda)),
        (" --target ecs", Some(Target::Ecs)),
    ] {
        let folder = with_iris("flowers.onnx");
        let said = done(folder.path(), &format!("init{target}"));
        assert!(said.starts_with("wrote gwtf.toml\nwrote requests/row.json\n"), "{said}");
        assert!(said.contains("\nnext: gwtf "), "{said}");
        let settings = settings(folder.path());
        assert_eq!(settings.endpoint_name.as_deref(), Some("flowers"));
        assert_eq!(settings.model, Some(folder.path().join("flowers.onnx")));
        assert_eq!(settings.target, expected);
        // Nothing else is set: every other line is a comment.
        let endpoint = settings.file.endpoint.clone();
        assert_eq!(settings.file, File { endpoint, ..File::default() });
    }
}

/// The written file with every setting that it shows made.
fn all_set(folder: &Path) -> String {
    let text = fs_err::read_to_string(folder.join("gwtf.toml")).unwrap();
    let set = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| !c.is_whitespace()) => setting,
        _ => line,
    });
    set.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_setting_that_the_file_shows_can_be_made() {
    let folder = with_iris("flowers.onnx");
    done(folder.path(), "init");
    let untouched = settings(folder.path());
    fs_err::write(folder.path().join("gwtf.toml"), all_set(folder.path())).unwrap();
    let set = settings(folder.path());
    assert_eq!(set.file.usage_plan[0].keys, ["alice"]);
    // What is called a default is one.
    let defaults = |settings: &Settings| {
        let function = (settings.function.memory_mib, settings.function.timeout);
        let others = (settings.stage.clone(), settings.keep, settings.access_logs);
        (function, others, settings.integration_timeout)
    };
    assert_eq!(defaults(&set), defaults(&untouched));
}

#[test]
fn the_file_shows_every_key_that_there_is() {
    let folder = with_iris("flowers.onnx");
    done(folder.path(), "init");
    let shown: Value = toml::from_str(&all_set(folder.path())).unwrap();
    let schema = gwtf::config::schema::schema();
    let mut keys = 0;
    every_key(&schema, &schema, &shown, "", &mut keys);
    assert!(keys > 50, "{keys}");
}

/// Holds a value to have every property of a schema, and theirs.
fn every_key(root: &Value, schema: &Value, shown: &Value, path: &str, keys: &mut usize) {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    let schema = match reference {
        Some(reference) => root.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    if schema["type"] == "array" {
        assert_ne!(shown[0], Value::Null, "{path} is empty");
        every_key(root, &schema["items"], &shown[0], &format!("{path}[0]"), keys);
    }
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        assert_ne!(shown[key], Value::Null, "the template does not show {path}");
        *keys += 1;
        every_key(root, below, &shown[key], &path, keys);
    }
}

#[test]
fn sample_requests_are_taken_by_the_endpoint_of_every_fixture() {
    let mut seen = 0;
    for entry in fs_err::read_dir(fixture("models")).unwrap() {
        let path = entry.unwrap().path().join("model.onnx");
        if !path.is_file() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        done(folder.path(), &format!("init {}", path.display()));
        let signature = read_facts(&path).unwrap().signature;
        for (body, operation, protocol) in [
            ("first", Operation::TensorflowPredict, Protocol::Tensorflow),
            ("first", Operation::Predict, Protocol::Auto),
            ("open-inference", Operation::OpenInferenceInfer, Protocol::OpenInference),
            ("open-inference", Operation::Predict, Protocol::Auto),
        ] {
            let name = match (body, signature.is_batched()) {
                ("first", true) => "row",
                ("first", false) => "column",
                (name, _) => name,
            };
            let file = folder.path().join(format!("requests/{name}.json"));
            let body = fs_err::read(&file).unwrap();
            let parsed = payload::parse(protocol, &RequestHead::default(), &body, &signature);
            let tensors = parsed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(tensors.inputs.len(), signature.inputs.len());
            let contract = request_model(operation, &signature).unwrap();
            let document: Value = serde_json::from_slice(&body).unwrap();
            let valid = jsonschema::validator_for(&contract).unwrap().is_valid(&document);
            assert!(valid, "{}: {document} under {contract}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 9, "{seen}");
}

#[test]
fn what_is_written_can_be_deployed_and_asked() {
    let folder = with_iris("model.onnx");
    let said = done(folder.path(), "init --name iris --target local");
    let next = said.lines().find_map(|line| line.strip_prefix("next: gwtf ")).unwrap();
    done(folder.path(), next);
    for request in ["row", "open-inference"] {
        let line = format!("infer model.onnx --input requests/{request}.json");
        let reply: Value = serde_json::from_str(&done(folder.path(), &line)).unwrap();
        assert!(reply["predictions"].is_array() || reply["outputs"].is_array(), "{reply}");
    }
}

#[test]
fn the_same_model_gives_the_same_files() {
    let read = |folder: &Path| {
        let paths = tree(folder).into_iter().map(|path| folder.join(path));
        paths.filter(|path| path.is_file()).map(|path| fs_err::read(path).unwrap()).collect()
    };
    let made: Vec<Vec<Vec<u8>>> = (0..2)
        .map(|_| {
            let folder = with_iris("flowers.onnx");
            done(folder.path(), "init --ci github");
            read(folder.path())
        })
        .collect();
    assert_eq!(made[0], made[1]);
}

#[test]
fn files_in_the_way_are_all_named_and_nothing_is_written() {
    let folder = with_iris("flowers.onnx");
    let path = folder.path();
    fs_err::create_dir(path.join("requests")).unwrap();
    fs_err::write(path.join("gwtf.toml"), "mine").unwrap();
    fs_err::write(path.join("requests/row.json"), "mine too").unwrap();
    let before = tree(path);
    let talk = refused(path, "init --ci github");
    let error = "error: `gwtf.toml`, `requests/row.json`: already there; nothing was written\n";
    assert!(talk.starts_with(error) && talk.contains("\nhint: pass --force"), "{talk}");
    assert_eq!(tree(path), before);
    assert_eq!(fs_err::read_to_string(path.join("gwtf.toml")).unwrap(), "mine");

    let document = held_to_schema(&done(path, "init --force --json"));
    let replaced = |n: usize| document["files"][n]["replaced"].as_bool().unwrap();
    assert_eq!((replaced(0), replaced(1), replaced(2)), (true, true, false), "{document:#}");
    assert_eq!(settings(path).endpoint_name.as_deref(), Some("flowers"));
    // Nothing temporary is left.
    let files = ["flowers.onnx", "gwtf.toml", "requests"];
    let requests = ["requests/open-inference.json", "requests/row.json"];
    assert_eq!(tree(path), [&files[..], &requests[..]].concat());
}

#[test]
fn a_link_or_a_folder_is_not_replaced() {
    let folder = with_iris("flowers.onnx");
    let path = folder.path();
    let elsewhere = path.join("elsewhere");
    fs_err::write(&elsewhere, "kept").unwrap();
    fs_err::os::unix::fs::symlink(&elsewhere, path.join("gwtf.toml")).unwrap();
    let talk = refused(path, "init --force");
    assert!(talk.starts_with("error: `gwtf.toml`: no regular file"), "{talk}");
    assert_eq!(fs_err::read_to_string(&elsewhere).unwrap(), "kept");
    assert!(!path.join("requests").exists());
}

#[test]
fn a_model_has_to_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let talk = refused(path, "init");
    assert!(talk.starts_with("error: model: there is no *.onnx file in this folder\n"), "{talk}");
    assert!(talk.contains("\nhint: name the ONNX file: gwtf init MODEL"), "{talk}");
    fs_err::copy(model("iris"), path.join("b.onnx")).unwrap();
    fs_err::copy(model("iris"), path.join("a.ONNX")).unwrap();
    fs_err::create_dir(path.join("folder.onnx")).unwrap();
    let talk = refused(path, "init");
    assert!(talk.starts_with("error: model: 2 files could be it: `a.ONNX`, `b.onnx`\n"), "{talk}");
    assert!(talk.contains("\nhint: name one: gwtf init a.ONNX"), "{talk}");
    for (line, cause) in [
        ("init none.onnx", "none.onnx"),
        ("init b.onnx --name Iris", "small letters"),
        ("init b.onnx --config other.toml", "--config: init writes gwtf.toml in this folder"),
        ("init b.onnx --target local --ci github", "--ci: a workflow deploys to AWS"),
    ] {
        let talk = refused(path, line);
        assert!(talk.contains(cause), "{line}: {talk}");
    }
    assert_eq!(tree(path), ["a.ONNX", "b.onnx", "folder.onnx"]);
}
