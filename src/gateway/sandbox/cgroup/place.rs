//! One controller's folder: where it is, and the files of either version.

use super::{PERIOD_US, pids, quota_us};
use rustix::process::Pid;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// A folder in one controller's tree.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) version: Version,
    pub(super) controller: &'static str,
    pub(super) folder: PathBuf,
}

impl Place {
    /// Makes a fleet's folder below this process's own group; the reason if it cannot.
    pub(super) fn make(proc: &Path, controller: &'static str, name: &str) -> Result<Self, String> {
        let read = |file: &str| {
            fs_err::read_to_string(proc.join(file)).map_err(|_| "no control groups here".to_owned())
        };
        let (mounts, own) = (read("mountinfo")?, read("cgroup")?);
        let (version, base) = find(&mounts, &own, controller)
            .ok_or_else(|| format!("no control groups of the `{controller}` controller"))?;
        if version == Version::V2 {
            delegate(&base, controller)?;
        }
        let folder = base.join(name);
        match fs_err::create_dir(&folder) {
            // Version 2 has one folder for both controllers.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(|error| in_words(&error, &base))?,
        }
        let place = Self { version, controller, folder };
        if version == Version::V2 {
            place
                .write("cgroup.subtree_control", &format!("+{controller}"))
                .map_err(|error| in_words(&error, &place.folder))
                .inspect_err(|_| place.remove())?;
        }
        Ok(place)
    }

    /// Makes a group with limits and removes it.
    pub(super) fn probe(&self, memory_mib: u32) -> Result<(), String> {
        let probe =
            self.create("probe", memory_mib).map_err(|error| in_words(&error, &self.folder))?;
        probe.remove();
        Ok(())
    }

    /// Makes a sandbox's group in a fleet's folder.
    pub(super) fn create(&self, name: &str, memory_mib: u32) -> io::Result<Self> {
        let child = Self { folder: self.folder.join(name), ..self.clone() };
        match fs_err::create_dir(&child.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        child.limit(memory_mib).inspect_err(|_| child.remove())?;
        Ok(child)
    }

    fn limit(&self, memory_mib: u32) -> io::Result<()> {
        let bytes = (u64::from(memory_mib) << 20).to_string();
        let quota_us = quota_us(memory_mib);
        match (self.version, self.controller) {
            (Version::V1, "cpu") => {
                self.write("cpu.cfs_period_us", &PERIOD_US.to_string())?;
                self.write("cpu.cfs_quota_us", &quota_us.to_string())
            }
            (Version::V2, "cpu") => self.write("cpu.max", &format!("{quota_us} {PERIOD_US}")),
            (Version::V1, _) => {
                self.write("memory.limit_in_bytes", &bytes)?;
                // Not every kernel counts swap, and many machines have none.
                let _ = self.write("memory.memsw.limit_in_bytes", &bytes);
                Ok(())
            }
            (Version::V2, _) => {
                self.write("memory.max", &bytes)?;
                let _ = self.write("memory.swap.max", "0");
                // A sandbox without memory is gone as a whole.
                let _ = self.write("memory.oom.group", "1");
                Ok(())
            }
        }
    }

    pub(super) fn processes(&self) -> Vec<Pid> {
        self.read("cgroup.procs").map_or_else(Vec::new, |text| pids(&text))
    }

    pub(super) fn peak_bytes(&self) -> Option<u64> {
        let file = match (self.controller, self.version) {
            ("memory", Version::V1) => "memory.max_usage_in_bytes",
            ("memory", Version::V2) => "memory.peak",
            _ => return None,
        };
        self.read(file)?.trim().parse().ok()
    }

    pub(super) fn has_run_out_of_memory(&self) -> bool {
        let file = match (self.controller, self.version) {
            ("memory", Version::V1) => "memory.oom_control",
            ("memory", Version::V2) => "memory.events",
            _ => return false,
        };
        let text = self.read(file).unwrap_or_default();
        let killed = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        killed.is_some_and(|count| count.trim() != "0")
    }

    pub(super) fn remove(&self) {
        // Another controller may have removed it, or a process may still be in it; the next start
        // of a fleet does not depend on it.
        let _ = fs_err::remove_dir(&self.folder);
    }

    fn read(&self, file: &str) -> Option<String> {
        fs_err::read_to_string(self.folder.join(file)).ok()
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        write(&self.folder.join(file), text)
    }
}

/// Control files exist; one that does not is not made.
fn write(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    fs_err::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

fn in_words(error: &io::Error, folder: &Path) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("control group `{}` belongs to somebody else", folder.display())
        }
        _ => error.to_string(),
    }
}

/// Lets children of a version 2 group use a controller. A group that holds processes cannot, so
/// this process, if it is alone there, moves into a child first.
fn delegate(base: &Path, controller: &str) -> Result<(), String> {
    let listed = |file: &str| {
        let text = fs_err::read_to_string(base.join(file)).unwrap_or_default();
        text.split_whitespace().any(|found| found == controller)
    };
    if listed("cgroup.subtree_control") {
        return Ok(());
    }
    if !listed("cgroup.controllers") {
        return Err(format!("control group `{}` has no `{controller}` controller", base.display()));
    }
    let enable = || write(&base.join("cgroup.subtree_control"), &format!("+{controller}"));
    match enable() {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::ResourceBusy => {
            return Err(in_words(&error, base));
        }
        Err(_) => {}
    }
    let inside = fs_err::read_to_string(base.join("cgroup.procs")).unwrap_or_default();
    let own = std::process::id().to_string();
    if inside.lines().any(|pid| pid != own) {
        return Err(format!(
            "control group `{}` holds other processes; start gwtf in one of its own, for instance \
             with `systemd-run --user --scope -p Delegate=yes`",
            base.display()
        ));
    }
    let child = base.join("gwtf");
    let moved = match fs_err::create_dir(&child) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => write(&child.join("cgroup.procs"), &own).and_then(|()| enable()),
    };
    moved.map_err(|error| in_words(&error, base))
}

/// The folder of this process's own group for a controller (`cgroups(7)`, `proc(5)`).
pub(super) fn find(mounts: &str, own: &str, controller: &str) -> Option<(Version, PathBuf)> {
    let group = |wanted: &dyn Fn(&str, &str) -> bool| {
        own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            wanted(number, controllers).then_some(path)
        })
    };
    let has = |list: &str| list.split(',').any(|found| found == controller);
    let (version, kind, path) = match group(&|_, controllers| has(controllers)) {
        Some(path) => (Version::V1, "cgroup", path),
        None => (Version::V2, "cgroup2", group(&|number, list| number == "0" && list.is_empty())?),
    };
    mounts.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let mut source = source.split(' ');
        let (found, options) = (source.next()?, source.nth(1)?);
        if found != kind || (version == Version::V1 && !has(options)) {
            return None;
        }
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        // A container sees its own group as the root of the mount.
        let inside = Path::new(path).strip_prefix(root).ok()?;
        Some((version, Path::new(point).join(inside)))
    })
}
