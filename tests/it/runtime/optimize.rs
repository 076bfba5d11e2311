//! Graph optimisation ahead of time: fixtures, a published model, and models made for the purpose.

#![expect(clippy::unwrap_used, reason = "a test's helpers end the test")]

use crate::support::{engine, fixture, python, silero};
use gwtf::error::Explain;
use gwtf::model::{Digest, onnx};
use gwtf::runtime::{
    OptimizeError, Outcome, Refusal, Session, SessionOptions, Tolerance, optimize,
};
use std::path::{Path, PathBuf};
use std::process::Command;

const SEED: u64 = 7;
const EXACTLY: Tolerance = Tolerance { atol: 0.0, rtol: 0.0 };

/// Makes the models that `make.py` beside this file describes.
fn made(folder: &Path, name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/runtime/make_models.py");
    let path = folder.join(format!("{name}.onnx"));
    let status = Command::new(python()).arg(script).arg(name).arg(&path).status().unwrap();
    assert!(status.success(), "{name}: {status}");
    path
}

fn run(model: &Path, out: &Path, tolerance: Tolerance) -> Outcome {
    optimize(&engine(), model, out, tolerance, SEED).unwrap()
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. })
}

fn open(path: &Path) -> Session {
    let options = SessionOptions { optimize: false, ..SessionOptions::default() };
    Session::open(&engine(), path, &options).unwrap()
}

/// Names in a folder, to see that nothing is left behind.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_fixture_is_optimised_and_keeps_its_signature() {
    let names = [
        "all-dtypes",
        "external-data",
        "iris",
        "iris-breaking",
        "iris-v2",
        "scalar-input",
        "slow",
        "two-inputs",
    ];
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let (model, out) =
            (fixture("models").join(name).join("model.onnx"), folder.path().join("out.onnx"));
        let outcome = run(&model, &out, Tolerance::default());
        let Outcome::Done { bytes, .. } = outcome else { panic!("{name}: {outcome:?}") };
        assert_eq!(bytes, fs_err::metadata(&out).unwrap().len(), "{name}");
        assert_eq!(open(&out).signature(), open(&model).signature(), "{name}");
        assert_eq!(onnx::read_facts(&out).unwrap().external_data, [], "{name}");
        assert_eq!(self::names(folder.path()), ["out.onnx"], "{name}");
    }
}

#[test]
fn fusions_are_done_and_the_bytes_do_not_tell_where() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let deeper = b.path().join("a").join("folder with spaces");
    fs_err::create_dir_all(&deeper).unwrap();
    for model in [made(a.path(), "convolution"), silero()] {
        let copy = deeper.join("another-name.onnx");
        fs_err::copy(&model, &copy).unwrap();
        let (first, second) = (a.path().join("out.onnx"), deeper.join("second.onnx"));
        let outcome = run(&model, &first, Tolerance::default());
        assert!(is_done(&outcome), "{outcome:?}");
        assert_eq!(run(&copy, &second, Tolerance::default()), outcome);
        let read = |path: &Path| Digest::of(&fs_err::read(path).unwrap());
        assert_eq!(read(&first), read(&second));
        let nodes = |path: &Path| onnx::read_facts(path).unwrap().nodes.count;
        assert!(nodes(&first) < nodes(&model), "{} of {}", nodes(&first), nodes(&model));
    }
}

#[test]
fn outputs_beyond_the_tolerance_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (model, out) = (made(folder.path(), "convolution"), folder.path().join("out.onnx"));
    let outcome = run(&model, &out, EXACTLY);
    let Outcome::Refused(refusal @ Refusal::Differs(_)) = outcome else { panic!("{outcome:?}") };
    assert!(refusal.to_string().contains("output `y`"), "{refusal}");
    assert_eq!(names(folder.path()), ["convolution.onnx"]);
}

#[test]
fn models_that_prove_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.onnx");
    let random = run(&made(folder.path(), "random"), &out, Tolerance::default());
    assert!(matches!(random, Outcome::Refused(Refusal::NotRepeatable(_))), "{random:?}");
    let picky = run(&made(folder.path(), "picky"), &out, Tolerance::default());
    assert!(matches!(picky, Outcome::Refused(Refusal::NotRun { .. })), "{picky:?}");
    let huge = run(&made(folder.path(), "huge_input"), &out, Tolerance::default());
    assert!(matches!(huge, Outcome::Refused(Refusal::NoSample(_))), "{huge:?}");
    for name in ["never_a_number", "never_anything"] {
        let nothing = run(&made(folder.path(), name), &out, Tolerance::default());
        let wanted = Outcome::Refused(Refusal::NothingCompared { output: "y".to_owned() });
        assert_eq!(nothing, wanted, "{name}");
    }
    assert!(!out.exists());
}

#[test]
fn a_model_that_folded_constants_make_far_larger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (model, out) = (made(folder.path(), "swelling"), folder.path().join("out.onnx"));
    let given = fs_err::metadata(&model).unwrap().len();
    let outcome = run(&model, &out, Tolerance::default());
    let Outcome::Refused(Refusal::Grown { bytes, given_bytes }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(given_bytes, given);
    assert!(bytes > 40_000_000, "{bytes}");
    assert_eq!(names(folder.path()), ["swelling.onnx"]);
}

#[test]
fn what_is_no_model_and_what_cannot_be_written_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let text = folder.path().join("text.onnx");
    fs_err::write(&text, "no model").unwrap();
    let out = folder.path().join("out.onnx");
    let error = optimize(&engine, &text, &out, Tolerance::default(), SEED).unwrap_err();
    assert!(matches!(error, OptimizeError::Model(_)), "{error}");
    let iris = fixture("models/iris/model.onnx");
    let nowhere = folder.path().join("missing").join("out.onnx");
    let error = optimize(&engine, &iris, &nowhere, Tolerance::default(), SEED).unwrap_err();
    assert!(matches!(error, OptimizeError::Write { .. }), "{error}");
    assert_eq!(error.exit(), gwtf::error::Exit::Machine);
    assert_eq!(names(folder.path()), ["text.onnx"]);
}
