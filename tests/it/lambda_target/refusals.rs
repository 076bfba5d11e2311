//! What `--package` and its flags refuse, and what is left behind.

use super::artefact;
use crate::support::served::Served;
use crate::support::{gwtf, model};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = gwtf(folder).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    text
}

#[test]
fn what_cannot_run_is_refused_by_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    artefact::make(here);
    fs_err::create_dir(here.join("empty")).unwrap();
    fs_err::write(here.join("nonsense.zip"), "no zip").unwrap();
    fs_err::write(here.join("starts.json"), "{}").unwrap();
    fs_err::write(here.join("lambda.toml"), "[endpoint]\ntarget = \"lambda\"\n").unwrap();
    fs_err::write(here.join("warm.toml"), "[function]\nprovisioned_concurrency = 2\n").unwrap();
    let iris = model("iris");
    for (arguments, error, hint) in [
        ("serve --package nowhere.zip", "nowhere.zip", ""),
        ("serve --package nonsense.zip", "nonsense.zip", "gwtf package"),
        ("serve --package empty", "it has no gwtf.json", "gwtf package"),
        ("serve --package artefact iris.onnx", "cannot be used with", ""),
        ("serve --package artefact --bare", "cannot be used with", ""),
        ("serve --package artefact --sessions 2", "--sessions", "--reserved-concurrency"),
        ("serve --package artefact --memory 127", "--memory", ""),
        ("serve --package artefact --memory 10241", "--memory", ""),
        ("serve --package artefact --function-timeout 1500ms", "whole seconds", ""),
        ("serve --package artefact --function-timeout 901s", "whole seconds", ""),
        ("serve --package artefact --cold-starts starts.json", "starts.json", "milliseconds"),
        ("serve --package artefact --config warm.toml", "provisioned", "--allow-unenforced"),
        ("serve IRIS --memory 512", "--memory", "--package"),
        ("serve IRIS --reserved-concurrency 5", "--reserved-concurrency", "--package"),
        ("serve IRIS --cold-starts starts.json", "--cold-starts", "--package"),
        ("loadtest IRIS --rps 1 --function-timeout 5s", "--function-timeout", "--package"),
        ("loadtest --url http://h/ --rps 1 --package artefact", "cannot be used with", ""),
        ("loadtest --config lambda.toml --rps 1", "region: none is named", "AWS_REGION"),
        ("serve --config lambda.toml", "nothing to serve", "MODEL"),
    ] {
        let arguments: Vec<&str> =
            arguments.split(' ').map(|word| if word == "IRIS" { &iris } else { word }).collect();
        let text = refused(here, &arguments);
        assert!(text.starts_with("error: ") && text.contains(error), "{arguments:?}: {text}");
        assert!(text.contains(hint), "{arguments:?}: {text}");
    }
}

/// A server of a zip in `folder`, and where it puts what it unpacks and starts.
fn served_zip(folder: &Path) -> (Served, PathBuf) {
    let artefact = artefact::make(folder);
    let path = folder.join("function.zip");
    let mut zip = zip::ZipWriter::new(fs_err::File::create(&path).unwrap());
    for (name, mode) in [("bootstrap", 0o755), ("gwtf.json", 0o644)] {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(mode);
        zip.start_file(name, options).unwrap();
        zip.write_all(&fs_err::read(artefact.join(name)).unwrap()).unwrap();
    }
    zip.finish().unwrap();
    fs_err::remove_dir_all(artefact).unwrap();
    let scratch = folder.join("scratch");
    fs_err::create_dir(&scratch).unwrap();
    let mut command = gwtf(folder);
    command.args(["serve", "--port", "0", "--json", "--package", "function.zip"]);
    command.env("TMPDIR", &scratch);
    (Served::spawn(command), scratch)
}

/// What is unpacked and what is started is gone when the server is.
#[test]
fn a_zip_is_served_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (served, scratch) = served_zip(folder.path());
    assert_eq!(served.announced["endpoint"], "iris");
    assert_eq!(served.announced["live"], "v7");
    assert_eq!(served.announced["versions"], serde_json::json!(["v7"]));
    let headers = [("content-type", "application/json"), ("x-do", "pid")];
    let reply = served.request("POST", "/prod/v7/predict", &headers, artefact::BODY.as_bytes());
    let pid: i32 = reply.text().parse().unwrap();
    // What was unpacked, and the private folders of sandboxes.
    assert_eq!(fs_err::read_dir(&scratch).unwrap().count(), 2);
    let (status, talk) = served.end();
    assert!(status.success(), "{talk}");
    assert_eq!(fs_err::read_dir(&scratch).unwrap().count(), 0, "{talk}");
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the sandbox goes on: {talk}");
}

/// A program that is killed cannot tidy up; its watcher does.
#[test]
fn what_was_unpacked_goes_with_a_killed_server() {
    let folder = tempfile::tempdir().unwrap();
    let (served, scratch) = served_zip(folder.path());
    let headers = [("content-type", "application/json"), ("x-do", "pid")];
    let reply = served.request("POST", "/prod/v7/predict", &headers, artefact::BODY.as_bytes());
    assert_eq!(reply.status, 200);
    assert_eq!(fs_err::read_dir(&scratch).unwrap().count(), 2);
    // Kills it.
    drop(served);
    while fs_err::read_dir(&scratch).unwrap().count() > 0 {
        std::thread::yield_now();
    }
}
