//! A sandbox's process: started inside its control group, waited for, killed with all it started.
//!
//! A thread of its own starts the process and waits for it, so that neither the start nor a reap
//! depends on an async runtime that may be shutting down.
//!
//! # Invariants
//! - A signal never goes to a process id that another process may have got: ids are used only until
//!   the process is reaped.
//! - Of the host's environment a process gets nothing.

use super::cgroup::{Group, Groups};
use super::options::{Error, FunctionOptions};
use super::watcher::Watcher;
use crate::spec::artefact::BOOTSTRAP_FILE;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, PipeReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The shell joins the control groups it is named, takes Lambda's limit on open files ("Lambda
/// quotas"), writes no core dumps, and becomes the program. So nothing of it runs outside.
const LAUNCH: &str = r#"while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift
ulimit -c 0; ulimit -n 1024 2>/dev/null; exec "$@""#;
const STACK_BYTES: usize = 128 << 10;
/// How long the end of all processes is waited for when a fleet is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A process that runs, or has run.
#[derive(Debug)]
pub(super) struct Process {
    /// `None` once it is about to be reaped.
    pid: Mutex<Option<Pid>>,
    group: Option<Group>,
    peak_bytes: AtomicU64,
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exit {
    status: ExitStatus,
    /// The kernel killed for want of memory inside its control group.
    pub(super) out_of_memory: bool,
}

/// A process that was started.
pub(super) struct Started {
    pub(super) process: Arc<Process>,
    /// What it writes to stdout and stderr.
    pub(super) output: PipeReader,
}

impl Process {
    /// Kills it and everything in its process group and its control group.
    pub(super) fn kill(&self) {
        let pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *pid {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
            if let Some(group) = &self.group {
                group.kill();
            }
        }
    }

    /// The most memory it has used, bytes, as far as is known.
    pub(super) fn peak_bytes(&self) -> u64 {
        let found = match &self.group {
            Some(group) => group.peak_bytes(),
            None => None,
        };
        let found = found.or_else(|| resident_bytes(*self.lock())).unwrap_or(0);
        self.peak_bytes.fetch_max(found, Ordering::Relaxed).max(found)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.pid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `VmHWM` of a process.
fn resident_bytes(pid: Option<Pid>) -> Option<u64> {
    let path = format!("/proc/{}/status", pid?.as_raw_pid());
    let status = fs_err::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

impl Exit {
    /// Lambda's words for it: those of Go's `os/exec`.
    pub(super) fn cause(self) -> String {
        let ended = match (self.status.code(), self.status.signal()) {
            (Some(0), _) => return "Runtime exited without providing a reason".to_owned(),
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => match signal_name(signal) {
                Some(name) => format!("signal: {name}"),
                None => format!("signal: signal {signal}"),
            },
            (None, None) => "unknown".to_owned(),
        };
        format!("Runtime exited with error: {ended}")
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    const NAMES: [(Signal, &str); 15] = [
        (Signal::HUP, "hangup"),
        (Signal::INT, "interrupt"),
        (Signal::QUIT, "quit"),
        (Signal::ILL, "illegal instruction"),
        (Signal::TRAP, "trace/breakpoint trap"),
        (Signal::ABORT, "aborted"),
        (Signal::BUS, "bus error"),
        (Signal::FPE, "floating point exception"),
        (Signal::KILL, "killed"),
        (Signal::USR1, "user defined signal 1"),
        (Signal::SEGV, "segmentation fault"),
        (Signal::USR2, "user defined signal 2"),
        (Signal::PIPE, "broken pipe"),
        (Signal::ALARM, "alarm clock"),
        (Signal::TERM, "terminated"),
    ];
    NAMES.iter().find(|(known, _)| known.as_raw() == signal).map(|(_, name)| *name)
}

/// The processes of a fleet.
pub(super) struct Processes {
    state: Mutex<Registry>,
    changed: Condvar,
    pub(super) groups: Groups,
    watcher: Watcher,
    scratch: TempDir,
}

#[derive(Default)]
struct Registry {
    /// No process is started any more.
    closed: bool,
    number: u64,
    running: HashMap<u64, Arc<Process>>,
    /// Threads that have still to tidy up after a process.
    threads: usize,
}

impl Processes {
    /// Prepares control groups, the watcher and a private folder.
    pub(super) fn new(options: &FunctionOptions) -> Result<Self, Error> {
        let machine = |source| Error::Machine { source };
        let scratch = tempfile::Builder::new()
            .prefix("gwtf-sandboxes-")
            .tempdir_in(&options.scratch)
            .map_err(machine)?;
        let groups = match options.control_groups {
            true => Groups::make(options.memory_mib),
            false => Groups::none("they are switched off"),
        };
        let task_root = options.task_root_is_private.then_some(options.task_root.as_path());
        let watcher =
            Watcher::start(groups.folders(), scratch.path(), task_root).map_err(machine)?;
        let state = Mutex::new(Registry::default());
        Ok(Self { state, changed: Condvar::new(), groups, watcher, scratch })
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process that speaks to the Runtime API at `address`.
    ///
    /// # Errors
    /// The cause in words, as Lambda has them for a `bootstrap` that cannot be executed.
    pub(super) async fn start(
        self: &Arc<Self>,
        options: &FunctionOptions,
        address: SocketAddr,
    ) -> Result<(Started, oneshot::Receiver<Exit>), String> {
        let command = executable(&options.task_root.join(BOOTSTRAP_FILE))
            .map_err(|cause| format!("fork/exec {BOOTSTRAP_FILE}: {cause}"))
            .map(|()| command(options, address))?;
        let (started_sender, started) = oneshot::channel();
        let (exit_sender, exit) = oneshot::channel();
        let processes = Arc::clone(self);
        processes.lock().threads += 1;
        let memory_mib = options.memory_mib;
        let thread =
            std::thread::Builder::new().name("gwtf-sandbox".into()).stack_size(STACK_BYTES);
        let spawned = thread.spawn(move || {
            processes.run(command, memory_mib, started_sender, exit_sender);
            processes.lock().threads -= 1;
            processes.changed.notify_all();
        });
        if let Err(error) = spawned {
            self.lock().threads -= 1;
            return Err(error.to_string());
        }
        match started.await {
            Ok(started) => started.map(|started| (started, exit)),
            Err(_) => Err("the sandbox's thread ended".to_owned()),
        }
    }

    /// The thread's work: start, wait, tidy up.
    fn run(
        &self,
        mut command: Command,
        memory_mib: u32,
        started: oneshot::Sender<Result<Started, String>>,
        exited: oneshot::Sender<Exit>,
    ) {
        let number = {
            let mut state = self.lock();
            state.number += 1;
            state.number
        };
        let folder = self.scratch.path().join(number.to_string());
        let group = match self.groups.create(number, memory_mib) {
            Ok(group) => group,
            Err(error) => {
                let _ = started.send(Err(error.to_string()));
                return;
            }
        };
        let (mut child, output) = match spawn(&mut command, &folder, group.as_ref()) {
            Ok(spawned) => spawned,
            Err(error) => {
                if let Some(group) = group {
                    group.remove();
                }
                let _ = fs_err::remove_dir_all(&folder);
                let _ = started.send(Err(error.to_string()));
                return;
            }
        };
        let pid = Pid::from_child(&child);
        self.watcher.add(pid);
        let process =
            Arc::new(Process { pid: Mutex::new(Some(pid)), group, peak_bytes: AtomicU64::new(0) });
        {
            let mut state = self.lock();
            state.running.insert(number, Arc::clone(&process));
            if state.closed {
                process.kill();
            }
        }
        let handed_over =
            started.send(Ok(Started { process: Arc::clone(&process), output })).is_ok();
        if !handed_over {
            process.kill();
        }
        let exit = wait(&process, &mut child);
        self.watcher.remove(pid);
        self.lock().running.remove(&number);
        if let Some(exit) = exit {
            let _ = exited.send(exit);
        }
        if let Some(group) = &process.group {
            group.remove();
        }
        // What a killed process leaves in its folder is nobody's.
        let _ = fs_err::remove_dir_all(&folder);
    }

    /// Kills every process, lets none start any more, and waits until all are reaped.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for process in state.running.values() {
            process.kill();
        }
        let waited =
            self.changed.wait_timeout_while(state, CLOSE_TIMEOUT, |state| state.threads > 0);
        drop(waited);
        self.groups.remove();
    }

    /// The processes that run, for tests and numbers.
    pub(super) fn running(&self) -> usize {
        self.lock().running.len()
    }
}

/// Waits until the process has ended, ends what it left behind, and reaps it.
fn wait(process: &Process, child: &mut Child) -> Option<Exit> {
    let pid = Pid::from_child(child);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(error) = waitid(WaitId::Pid(pid), options) {
        if error != rustix::io::Errno::INTR {
            break;
        }
    }
    process.peak_bytes();
    // Not reaped yet, so the id is still its own.
    process.kill();
    *process.lock() = None;
    let status = child.wait().ok()?;
    let out_of_memory = process.group.as_ref().is_some_and(Group::has_run_out_of_memory);
    Some(Exit { status, out_of_memory })
}

fn spawn(
    command: &mut Command,
    folder: &Path,
    group: Option<&Group>,
) -> io::Result<(Child, PipeReader)> {
    fs_err::create_dir(folder)?;
    let (output, writer) = io::pipe()?;
    // The arguments are `-c LAUNCH sh`, the groups' files, `--` and the program.
    let mut launch = Command::new("/bin/sh");
    launch.args(["-c", LAUNCH, "sh"]);
    if let Some(group) = group {
        launch.args(group.joining_files());
    }
    launch.arg("--").arg(command.get_program());
    launch.env_clear();
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    launch.envs(set).env("TMPDIR", folder);
    if let Some(working) = command.get_current_dir() {
        launch.current_dir(working);
    }
    launch.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let child = launch.spawn()?;
    Ok((child, output))
}

/// The program and what it finds in its environment (developer guide, "Defined runtime environment
/// variables"). Credentials are not there: the twin has none to give.
fn command(options: &FunctionOptions, address: SocketAddr) -> Command {
    let root = &options.task_root;
    let mut command = Command::new(root.join(BOOTSTRAP_FILE));
    command.current_dir(root);
    let libraries = {
        let mut libraries = OsString::from("/lib64:/usr/lib64:");
        libraries.push(root);
        libraries.push(":");
        libraries.push(root.join("lib"));
        libraries
    };
    command
        .env("LAMBDA_TASK_ROOT", root)
        .env("LD_LIBRARY_PATH", libraries)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", options.memory_mib.to_string());
    let log_group = format!("/aws/lambda/{}", options.name);
    for (name, value) in [
        ("_HANDLER", options.handler.as_str()),
        ("AWS_REGION", &options.region),
        ("AWS_DEFAULT_REGION", &options.region),
        ("AWS_LAMBDA_FUNCTION_NAME", &options.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", &options.version),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
    ] {
        command.env(name, value);
    }
    command.envs(&options.environment);
    command
}

/// Whether the kernel would execute a file, in its own words if not.
fn executable(path: &Path) -> Result<(), &'static str> {
    let metadata = fs_err::metadata(path).map_err(|_| "no such file or directory")?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err("permission denied");
    }
    let mut head = [0; 20];
    let mut file = fs_err::File::open(path).map_err(|_| "permission denied")?;
    let read = file.read(&mut head).unwrap_or(0);
    // A shell, which does the executing, would take anything else for a script.
    let machine: Option<u8> = match std::env::consts::ARCH {
        "x86_64" => Some(0x3e),
        "aarch64" => Some(0xb7),
        _ => None,
    };
    let is_native =
        head.starts_with(b"\x7fELF") && machine.is_none_or(|machine| head[18] == machine);
    match read >= 4 && (is_native || head.starts_with(b"#!")) {
        true => Ok(()),
        false => Err("exec format error"),
    }
}
