//! Control groups: how much CPU and memory a sandbox's processes get, where the machine allows it.
//!
//! ```text
//! CPU      quota = memory / 1,769 MiB of a core in each period of 20 ms
//! memory   limit = the function's memory, without swap
//! ```
//! One group for each life of a sandbox's process, named after this process: in the group that this
//! process is in (version 1), or beside it in one that is delegated (version 2). The process starts
//! inside: a shell enters the group, then becomes the program.
//!
//! Source: Lambda developer guide, "Configure Lambda function memory"; kernel documentation,
//! `admin-guide/cgroup-v1/memory.rst`, `scheduler/sched-bwc.rst`, `admin-guide/cgroup-v2.rst`.
//!
//! # Invariants
//! - A controller is used only if a group with the function's limits could be made at the start.
//! - A group is removed with the last of its processes; what a killed process left is swept up by
//!   the next one that starts.

use super::process::SHELL;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory that comes with one core, MiB.
const MEMORY_MIB_PER_CORE: u64 = 1_769;
/// Period of the CPU quota: a function with little memory stands still for some of each.
const PERIOD_US: u64 = 20_000;
/// The kernel's least quota.
const QUOTA_US_MIN: u64 = 1_000;
/// Begins the name of every group made here; the process's id and a number follow.
const PREFIX: &str = "gwtf-";
/// How often the removal of a group is tried: its last process may be on its way out.
const REMOVALS_MAX: u32 = 50;
/// Where hierarchies are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// What of a function's limits is enforced here.
#[derive(Debug)]
pub(super) struct Cgroups {
    memory_mib: u32,
    cpu: Result<Hierarchy, String>,
    memory: Result<Hierarchy, String>,
    made: AtomicU64,
}

/// Where groups of a controller are made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Controller {
    Cpu,
    Memory,
}

/// The groups of one process. Dropping it kills what is in them and removes them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    folders: Vec<PathBuf>,
    memory: Option<(PathBuf, Version)>,
}

impl Cgroups {
    /// Finds out what can be enforced for a function of this size.
    pub(super) fn detect(memory_mib: u32) -> Self {
        if !Path::new(SHELL).exists() {
            return Self::none(memory_mib, "there is no /bin/sh");
        }
        let own = fs_err::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::detect_in(Path::new(MOUNT), &own, memory_mib)
    }

    /// Bounds nothing, for this reason.
    pub(super) fn none(memory_mib: u32, why: &str) -> Self {
        let why = why.to_owned();
        Self { memory_mib, cpu: Err(why.clone()), memory: Err(why), made: AtomicU64::new(0) }
    }

    /// `own` is what `/proc/self/cgroup` says.
    fn detect_in(mount: &Path, own: &str, memory_mib: u32) -> Self {
        let find = |controller: Controller| {
            let hierarchy = hierarchy(mount, own, controller)?;
            sweep(&hierarchy.folder);
            let probe = hierarchy.folder.join(format!("{PREFIX}{}-probe", std::process::id()));
            let made = make(&probe, controller, hierarchy.version, memory_mib);
            remove(&probe);
            made.map(|()| hierarchy).map_err(|error| error.to_string())
        };
        let (cpu, memory) = (find(Controller::Cpu), find(Controller::Memory));
        Self { memory_mib, cpu, memory, made: AtomicU64::new(0) }
    }

    /// What is enforced and what is not and why, in a line.
    pub(super) fn describe(&self) -> String {
        let cores = f64::from(self.memory_mib) / MEMORY_MIB_PER_CORE as f64;
        let cpu = format!("CPU ({cores:.2} of a core)");
        let memory = format!("memory ({} MiB)", self.memory_mib);
        match (&self.cpu, &self.memory) {
            (Ok(_), Ok(_)) => format!("sandboxes: {cpu} and {memory} are bounded by cgroups"),
            (Ok(_), Err(why)) => {
                format!("sandboxes: {cpu} is bounded by cgroups, {memory} is not: {why}")
            }
            (Err(why), Ok(_)) => {
                format!("sandboxes: {memory} is bounded by cgroups, {cpu} is not: {why}")
            }
            (Err(why), Err(_)) => format!("sandboxes: {cpu} and {memory} are not bounded: {why}"),
        }
    }

    /// Groups for a process that is about to start.
    pub(super) fn make(&self) -> io::Result<Groups> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number:x}", std::process::id());
        let mut groups = Groups::default();
        for (controller, found) in
            [(Controller::Cpu, &self.cpu), (Controller::Memory, &self.memory)]
        {
            let Ok(hierarchy) = found else { continue };
            let folder = hierarchy.folder.join(&name);
            // Entered first, so that it is removed if a limit cannot be set.
            if !groups.folders.contains(&folder) {
                groups.folders.push(folder.clone());
            }
            make(&folder, controller, hierarchy.version, self.memory_mib)?;
            if controller == Controller::Memory {
                groups.memory = Some((folder, hierarchy.version));
            }
        }
        Ok(groups)
    }
}

impl Groups {
    /// The files into which a process writes its id to be inside.
    pub(super) fn entries(&self) -> impl Iterator<Item = PathBuf> {
        self.folders.iter().map(|folder| folder.join("cgroup.procs"))
    }

    /// The most memory used at once so far, MiB, rounded up.
    pub(super) fn used_mib_max(&self) -> Option<u64> {
        let (folder, version) = self.memory.as_ref()?;
        let file = match version {
            Version::One => "memory.max_usage_in_bytes",
            Version::Two => "memory.peak",
        };
        let bytes = read_number(&folder.join(file))?;
        Some(bytes.div_ceil(1 << 20))
    }

    /// Processes that were killed for using too much memory.
    pub(super) fn oom_kills(&self) -> u64 {
        let Some((folder, version)) = &self.memory else { return 0 };
        let file = match version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs_err::read_to_string(folder.join(file)).unwrap_or_default();
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
    }

    /// Kills every process inside, also one that has left its process group.
    pub(super) fn kill(&self) {
        for folder in &self.folders {
            kill(folder);
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for folder in &self.folders {
            remove(folder);
        }
    }
}

/// Where groups can be made.
fn hierarchy(mount: &Path, own: &str, controller: Controller) -> Result<Hierarchy, String> {
    let name = controller.name();
    let root = mount.join(name);
    if root.join("cgroup.procs").exists() {
        // `4:cpu,cpuacct:/path`; in a container the path may be the host's.
        let of = |line: &str| -> Option<PathBuf> {
            let (controllers, path) = line.split_once(':')?.1.split_once(":/")?;
            let is_it = controllers.split(',').any(|found| found == name);
            is_it.then(|| root.join(path)).filter(|folder| folder.join("cgroup.procs").exists())
        };
        let folder = own.lines().find_map(of).unwrap_or(root);
        return Ok(Hierarchy { folder, version: Version::One });
    }
    // Version 2 has one hierarchy, and `0::` is the line of it.
    if !mount.join("cgroup.controllers").exists() {
        return Err(format!("there is no cgroup hierarchy with `{name}`"));
    }
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let own = mount.join(own);
    // A group that has processes hands no controllers on, so theirs is beside it.
    let parent = if own == mount { mount } else { own.parent().unwrap_or(mount) };
    let handed_on = parent.join("cgroup.subtree_control");
    let has = |file: &Path| {
        let text = fs_err::read_to_string(file).unwrap_or_default();
        text.split_whitespace().any(|found| found == name)
    };
    if !has(&handed_on) {
        // Not ours to change unless it was delegated, which the write finds out.
        let written = fs_err::write(&handed_on, format!("+{name}"));
        if !has(&handed_on) {
            let why = written.err().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(format!("`{name}` is not delegated to {}{why}", parent.display()));
        }
    }
    Ok(Hierarchy { folder: parent.to_owned(), version: Version::Two })
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// Makes a group, if it is not there, and sets a controller's limit.
fn make(
    folder: &Path,
    controller: Controller,
    version: Version,
    memory_mib: u32,
) -> io::Result<()> {
    match std::fs::DirBuilder::new().create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let text = format!("cannot make {}: {error}", folder.display());
            return Err(io::Error::new(error.kind(), text));
        }
        _ => {}
    }
    let bytes = u64::from(memory_mib) << 20;
    let quota_us = quota_us(memory_mib);
    match (controller, version) {
        (Controller::Cpu, Version::One) => {
            write(folder, "cpu.cfs_period_us", &PERIOD_US.to_string())?;
            write(folder, "cpu.cfs_quota_us", &quota_us.to_string())
        }
        (Controller::Cpu, Version::Two) => {
            write(folder, "cpu.max", &format!("{quota_us} {PERIOD_US}"))
        }
        (Controller::Memory, Version::One) => {
            write(folder, "memory.limit_in_bytes", &bytes.to_string())?;
            // Absent where swap is not counted.
            let _ = write(folder, "memory.memsw.limit_in_bytes", &bytes.to_string());
            Ok(())
        }
        (Controller::Memory, Version::Two) => {
            write(folder, "memory.max", &bytes.to_string())?;
            let _ = write(folder, "memory.swap.max", "0");
            let _ = write(folder, "memory.oom.group", "1");
            Ok(())
        }
    }
}

fn quota_us(memory_mib: u32) -> u64 {
    (u64::from(memory_mib) * PERIOD_US / MEMORY_MIB_PER_CORE).max(QUOTA_US_MIN)
}

fn write(folder: &Path, file: &str, value: &str) -> io::Result<()> {
    fs_err::write(folder.join(file), value)
}

fn read_number(file: &Path) -> Option<u64> {
    fs_err::read_to_string(file).ok()?.trim().parse().ok()
}

fn kill(folder: &Path) {
    if fs_err::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let inside = fs_err::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in inside.lines().filter_map(|line| line.parse().ok()) {
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Kills what is inside and removes the group.
fn remove(folder: &Path) {
    for _ in 0..REMOVALS_MAX {
        match fs_err::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => kill(folder),
            _ => return,
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Removes what was left by processes that are no more.
fn sweep(parent: &Path) {
    let Ok(entries) = fs_err::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests;
