//! Sandboxes that lack what a machine has: `/sys`, a root to write to, room in `/tmp`, descriptors.

use super::container::Container;
use super::root::{Emulator, TaskRoot, emulator_path, event};
use std::path::Path;
use std::process::Command;

/// ONNX Runtime counts processors in `/sys/devices/system/cpu`, which Lambda's sandboxes may lack.
const NO_SYS: &str = "mount -t tmpfs none /sys";

/// A command in a mount namespace of its own, which `setup` has changed: what is pushed to it next
/// is the program and its arguments. `None`, said aloud, where the machine gives no namespace.
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn sandbox(setup: &str) -> Option<Command> {
    let probe =
        Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/sys"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: this user may not make a mount namespace");
        return None;
    }
    let limits = "prlimit --nofile=1024 --nproc=1024";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c"]).arg(format!("set -e; {setup}\nexec {limits} \"$0\" \"$@\""));
    command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    Some(command)
}

fn serves(command: Command) -> Container {
    let container = Container::start(command);
    let reply = container.post("/predict", b"{\"instances\":[[5.1,3.5,1.4,0.2]]}");
    assert_eq!(reply.status, 200);
    container
}

#[test]
fn processors_that_cannot_be_listed_do_no_harm() {
    let root = TaskRoot::new("iris");
    let Some(mut command) = sandbox(NO_SYS) else { return };
    command.arg(root.path().join("bootstrap"));
    let container = serves(command);
    let sys = format!("/proc/{}/root/sys", container.pid());
    assert_eq!(fs_err::read_dir(sys).unwrap().count(), 0);
    assert_eq!(container.end().0.code(), Some(0));
}

#[test]
fn processors_that_cannot_be_listed_do_no_harm_on_lambda() {
    let root = TaskRoot::new("iris");
    // Memory for one thread and for several.
    for memory_mib in [512, 10_240] {
        let Some(mut command) = sandbox(NO_SYS) else { return };
        command.arg(emulator_path());
        let emulator = Emulator::start_as(command, &root, 10, memory_mib);
        let body = b"{\"instances\":[[5.1,3.5,1.4,0.2]]}";
        let reply = emulator.invoke(&event("POST", "/predict", &[], body));
        assert_eq!(reply.status(), 200, "{memory_mib}: {}", emulator.read_log());
    }
}

#[test]
fn nothing_is_written_and_little_is_needed() {
    let root = TaskRoot::within(Path::new(env!("CARGO_TARGET_TMPDIR")), "iris");
    // The artefact where the new `/tmp` does not hide it. Every file system read-only; then a `/tmp`
    // as small as Lambda's, to see what is put there.
    let setup = "mount --bind \"$TASK\" /mnt\n\
                 awk '{print $5}' /proc/self/mountinfo | sort -u | while read -r at; do \
                   mount -o remount,bind,ro \"$at\" 2>/dev/null || true; done\n\
                 mount -t tmpfs -o size=512m none /tmp";
    let Some(mut command) = sandbox(setup) else { return };
    command.env("TASK", root.path()).arg("/mnt/bootstrap");
    let container = serves(command);
    let inside = format!("/proc/{}/root", container.pid());
    let probe = Path::new(&inside).join("mnt/probe");
    assert!(fs_err::write(&probe, b"x").is_err(), "the root is not read-only");
    assert_eq!(fs_err::read_dir(format!("{inside}/tmp")).unwrap().count(), 0);
    // Root is above the limit on processes, so what there is has to say that it is kept.
    let count = |folder: &str| {
        fs_err::read_dir(format!("/proc/{}/{folder}", container.pid())).unwrap().count()
    };
    assert!(count("task") < 100 && count("fd") < 100, "{} {}", count("task"), count("fd"));
    assert_eq!(container.end().0.code(), Some(0));
}

#[test]
fn onnx_runtime_keeps_nothing_of_this_machine() {
    let root = TaskRoot::new("iris");
    let home = tempfile::tempdir().unwrap();
    // CI and test environments silence its telemetry of themselves; a container has neither.
    let mut command = root.bootstrap();
    command.env("HOME", home.path());
    let container = serves(command);
    let variables = fs_err::read(format!("/proc/{}/environ", container.pid())).unwrap();
    let is_off = |variable: &[u8]| variable == b"ORT_DISABLE_TELEMETRY=1";
    assert!(variables.split(|byte| *byte == 0).any(is_off));
    assert_eq!(container.end().0.code(), Some(0));
    assert_eq!(fs_err::read_dir(home.path()).unwrap().count(), 0);
}
