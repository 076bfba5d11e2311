//! A kill, a second writer and a full disk at the worst moment: the old or the new state stands.

use super::{Folder, held_to_schema, stderr};
use crate::support::fixture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Length of the models deployed here, bytes: long enough for a kill to land while one is copied.
const MODEL_BYTES: usize = 1 << 20;
const KILLS: usize = 30;

/// The iris model with a `doc_string` of its own (field 6 of ModelProto), so that each is another
/// artefact of a megabyte.
fn large_model(n: usize) -> Vec<u8> {
    let mut bytes = fs_err::read(fixture("models/iris/model.onnx")).unwrap();
    let text = format!("{n:07} ").repeat(MODEL_BYTES / 8);
    bytes.push(6 << 3 | 2);
    let mut length = text.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(text.into_bytes());
    bytes
}

#[test]
#[expect(clippy::disallowed_methods, reason = "kills are spread over the length of a deploy")]
fn a_kill_at_any_moment_leaves_the_old_or_the_new_state() {
    let folder = Folder::new();
    folder.write("m.onnx", large_model(0));
    let start = Instant::now();
    folder.done("deploy m.onnx --version k0 --target local");
    let whole = start.elapsed();
    let mut rng = StdRng::seed_from_u64(3);
    let (mut live, mut killed) = ("k0".to_owned(), 0);
    for n in 1..=KILLS {
        folder.write("m.onnx", large_model(n));
        let version = format!("k{n}");
        let mut child = folder
            .command(&format!("deploy m.onnx --version {version} --target local"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(rng.random_range(0.0..1.3)) + Duration::from_micros(1));
        child.kill().unwrap();
        let finished = child.wait().unwrap().success();
        killed += usize::from(!finished);

        // `status` reads the ledger and every byte of every artefact.
        let status = folder.document("status");
        let now = status["live"].as_str().unwrap();
        assert!(now == live || now == version, "{now} is live after {live} and {version}");
        assert!(now == version || !finished, "{version} was deployed and {now} is live");
        now.clone_into(&mut live);
        folder.done("prune --keep 2");
    }
    assert!(killed > 0, "no kill landed");
    folder.done("deploy m.onnx --version last --target local");
    folder.done("prune --keep 1");
    let models: Vec<_> = fs_err::read_dir(folder.path().join(".gwtf/models")).unwrap().collect();
    assert_eq!(models.len(), 1, "a kill left something behind: {models:?}");
}

#[test]
fn of_two_deploys_at_once_none_is_lost_or_half_done() {
    let folder = Folder::new();
    folder.write("a.onnx", large_model(1));
    folder.write("b.onnx", large_model(2));
    let lines =
        ["a", "b"].map(|name| format!("deploy {name}.onnx --version {name} --target local"));
    let children = lines.each_ref().map(|line| {
        folder.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let outputs = children.map(|child| child.wait_with_output().unwrap());
    let done = outputs.iter().filter(|output| output.status.success()).count();
    assert!(done >= 1, "{outputs:?}");
    for (output, line) in outputs.iter().zip(&lines).filter(|(output, _)| !output.status.success())
    {
        assert_eq!(output.status.code(), Some(3));
        assert!(stderr(output).contains("another gwtf is writing"), "{}", stderr(output));
        folder.done(line);
    }
    assert_eq!(folder.document("status")["versions"].as_array().unwrap().len(), 2);
}

#[test]
fn the_second_writer_is_told_who_is_first() {
    let folder = Folder::new().with_models();
    folder.done("deploy iris.onnx --version v1 --target local");
    let lock = fs_err::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(folder.path().join(".gwtf/lock"))
        .unwrap();
    lock.lock().unwrap();
    let note = r#"{"pid":4711,"since":"2026-06-01T09:30:00Z"}"#;
    fs_err::write(folder.path().join(".gwtf/lock"), note).unwrap();
    for line in ["deploy iris-v2.onnx --version v2 --target local", "rollback", "prune --keep 1"] {
        let output = folder.run(line);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{line}: {text}");
        let first = "another gwtf is writing (process 4711 since 2026-06-01T09:30:00Z)";
        assert!(text.contains(first) && text.contains("hint: run this again"), "{text}");
    }
    assert_eq!(folder.live(), "v1", "readers do not wait");
    lock.unlock().unwrap();
    folder.done("deploy iris-v2.onnx --version v2 --target local");
}

#[test]
fn a_full_disk_leaves_the_old_state() {
    let folder = Folder::new();
    folder.write("a.onnx", large_model(1));
    folder.done("deploy a.onnx --version v1 --target local");
    folder.write("b.onnx", large_model(2));
    // No file may grow beyond this many KiB: none at all, then the ledger but not the model.
    for limit_kib in [0, 64] {
        let inner = folder.command("deploy b.onnx --version v2 --target local");
        let mut limited = Command::new("bash");
        limited
            .current_dir(folder.path())
            .arg("-c")
            .arg(format!("trap '' XFSZ; ulimit -f {limit_kib}; exec \"$0\" \"$@\""));
        limited.arg(inner.get_program()).args(inner.get_args());
        let output = limited.output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(
            text.starts_with("error: releases in `") && text.contains("File too large"),
            "{text}"
        );
        assert!(text.contains("hint: nothing was released; make room"), "{text}");
        let status = held_to_schema(&folder.done("status --json"));
        assert_eq!(status["versions"].as_array().unwrap().len(), 1);
        let models = fs_err::read_dir(folder.path().join(".gwtf/models")).unwrap().count();
        assert_eq!(models, 1, "the half copy is gone");
    }
    folder.done("deploy b.onnx --version v2 --target local");
}
