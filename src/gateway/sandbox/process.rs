//! The process of a sandbox: how it is started, what it sees of the machine, how it ends.
//!
//! # Invariants
//! - It has the variables that Lambda sets and those given, and none of this process's own.
//! - It leads a process group that is killed as a whole, and it is waited for: no zombie is left.

use super::cgroup::Groups;
use super::lock;
use crate::spec::artefact::BOOTSTRAP_FILE;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::process::{Child, Command};

/// Why there is no process, as Lambda says it.
#[derive(Debug)]
pub(super) struct NotStarted {
    pub(super) error_type: &'static str,
    pub(super) text: String,
}

/// A process group that ends with this value.
#[derive(Debug)]
pub(super) struct Group {
    /// The leader, until it has been waited for.
    leader: Mutex<Option<Pid>>,
    pid: Pid,
    /// The most memory seen to be used, MiB.
    used_mib: AtomicU64,
    groups: Groups,
}

/// Enters cgroups, whose files come before `--`, and becomes what comes after it.
const ENTER: &str =
    r#"while [ "$1" != -- ]; do echo $$ > "$1" || exit 126; shift; done; shift; exec "$@""#;
/// What runs [`ENTER`].
pub(super) const SHELL: &str = "/bin/sh";

/// Starts `bootstrap` with these variables, its Runtime API there, in these cgroups.
pub(super) fn start(
    task_root: &Path,
    environment: &[(OsString, OsString)],
    api: SocketAddr,
    groups: Groups,
) -> Result<(Child, Group), NotStarted> {
    let program = task_root.join(BOOTSTRAP_FILE);
    check(&program)?;
    let mut command = match groups.entries().next() {
        None => Command::new(&program),
        Some(_) => {
            let mut shell = Command::new(SHELL);
            shell.args(["-c", ENTER, "sh"]).args(groups.entries()).arg("--").arg(&program);
            shell
        }
    };
    command
        .current_dir(task_root)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let child = command.spawn().map_err(|error| NotStarted::exec(&error.to_string()))?;
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let pid = id.ok_or_else(|| NotStarted::exec("it ended at once"))?;
    Ok((child, Group { leader: Mutex::new(Some(pid)), pid, used_mib: AtomicU64::new(0), groups }))
}

/// What would make the start fail. Also a file that is neither a binary nor names its interpreter:
/// the C library would take it for a shell script, Lambda does not.
fn check(program: &Path) -> Result<(), NotStarted> {
    let missing = || NotStarted {
        error_type: "Runtime.InvalidEntrypoint",
        text: "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned(),
    };
    let found = fs_err::metadata(program).map_err(|_| missing())?;
    if !found.is_file() {
        return Err(missing());
    }
    if found.permissions().mode() & 0o111 == 0 {
        return Err(NotStarted::exec("permission denied"));
    }
    let mut magic = [0; 4];
    let read = fs_err::File::open(program)
        .and_then(|mut file| io::Read::read(&mut file, &mut magic))
        .unwrap_or(0);
    if read > 0 && magic != *b"\x7fELF" && !magic.starts_with(b"#!") || read == 0 {
        return Err(NotStarted::exec("exec format error"));
    }
    Ok(())
}

impl NotStarted {
    fn exec(why: &str) -> Self {
        Self {
            error_type: "Runtime.InvalidEntrypoint",
            text: format!("fork/exec /var/task/{BOOTSTRAP_FILE}: {why}"),
        }
    }
}

impl Group {
    /// The most memory that it has used so far, MiB.
    pub(super) fn sample(&self) -> u64 {
        let used_mib = self.groups.used_mib_max().or_else(|| used_mib_max(self.pid)).unwrap_or(0);
        self.used_mib.fetch_max(used_mib, Ordering::Relaxed).max(used_mib)
    }

    /// Whether a process of it was killed for using too much memory.
    pub(super) fn is_out_of_memory(&self) -> bool {
        self.groups.oom_kills() > 0
    }

    /// Kills all its processes.
    pub(super) fn kill(&self) {
        // There may be none left.
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.groups.kill();
    }

    /// The leader has been waited for.
    pub(super) fn reaped(&self) {
        *lock(&self.leader) = None;
    }

    /// Kills it and waits for the leader.
    pub(super) fn end(&self) {
        let leader = lock(&self.leader).take();
        if let Some(leader) = leader {
            self.kill();
            // Somebody else may have waited for it.
            while let Err(rustix::io::Errno::INTR) = waitpid(Some(leader), WaitOptions::empty()) {}
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// The most memory that a process has used so far, MiB, rounded up. `None` when it is no more.
fn used_mib_max(pid: Pid) -> Option<u64> {
    let status = fs_err::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.div_ceil(1024))
}
