//! Memory and CPU of sandboxes, held by Linux control groups, version 1 or 2.
//!
//! Each fleet has a folder below this program's own group, each sandbox one in it. CPU time is a
//! share of the memory: `quota = memory / 1769 MiB * period` (Lambda developer guide, "Configure
//! Lambda function memory").
//!
//! Differs: AWS is said to give more CPU during INIT; here it is the same share throughout.

mod place;

use place::Place;
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Memory that comes with one core, MiB.
const MEMORY_MIB_PER_CORE: u64 = 1_769;
/// Period of the CPU quota. Lambda's, as users have measured it, is 20 ms too.
const PERIOD_US: u64 = 20_000;
/// The kernel takes no smaller quota.
const QUOTA_US_MIN: u64 = 1_000;
/// How often and how long the removal of a group is tried: its processes are killed, but a group is
/// busy until the kernel has buried them.
const REMOVE_TRIES: u32 = 200;
const REMOVE_PAUSE: Duration = Duration::from_millis(5);

/// Tells fleets of one process apart.
static FLEETS: AtomicU32 = AtomicU32::new(0);

/// Whether a limit is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforced {
    /// Yes.
    Held,
    /// No, and why not.
    NotHeld(String),
}

/// Which of Lambda's limits this machine holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The function's memory, MiB.
    pub memory_mib: u32,
    /// Memory.
    pub memory: Enforced,
    /// CPU time.
    pub cpu: Enforced,
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Enforced::{Held, NotHeld};
        let mib = self.memory_mib;
        let cores = f64::from(mib) / MEMORY_MIB_PER_CORE as f64;
        match (&self.memory, &self.cpu) {
            (Held, Held) => write!(f, "each sandbox has {mib} MiB and {cores:.2} of a core"),
            (Held, NotHeld(why)) => {
                write!(f, "each sandbox has {mib} MiB, but CPU is not held: {why}")
            }
            (NotHeld(why), Held) => {
                write!(f, "each sandbox has {cores:.2} of a core, but memory is not held: {why}")
            }
            (NotHeld(why), NotHeld(other)) if why == other => {
                write!(f, "neither memory nor CPU of sandboxes is held: {why}")
            }
            (NotHeld(memory), NotHeld(cpu)) => {
                write!(f, "memory of sandboxes is not held: {memory}; nor is CPU: {cpu}")
            }
        }
    }
}

/// The folders of a fleet.
#[derive(Debug)]
pub(super) struct Groups {
    places: Vec<Place>,
    limits: Limits,
}

impl Groups {
    /// Makes the fleet's folders where this process may.
    pub(super) fn make(memory_mib: u32) -> Self {
        let number = FLEETS.fetch_add(1, Ordering::Relaxed);
        let name = format!("gwtf-{}-{number}", std::process::id());
        Self::make_at(Path::new("/proc/self"), &name, memory_mib)
    }

    fn make_at(proc: &Path, name: &str, memory_mib: u32) -> Self {
        let mut places: Vec<Place> = Vec::new();
        let mut enforce = |controller| {
            let made = Place::make(proc, controller, name).and_then(|place| {
                place.probe(memory_mib).inspect_err(|_| place.remove()).map(|()| place)
            });
            match made {
                Ok(place) => {
                    places.push(place);
                    Enforced::Held
                }
                Err(why) => Enforced::NotHeld(why),
            }
        };
        let (memory, cpu) = (enforce("memory"), enforce("cpu"));
        Self { places, limits: Limits { memory_mib, memory, cpu } }
    }

    /// No folders.
    pub(super) fn none(why: &str) -> Self {
        let not = || Enforced::NotHeld(why.to_owned());
        Self { places: Vec::new(), limits: Limits { memory_mib: 0, memory: not(), cpu: not() } }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn folders(&self) -> Vec<PathBuf> {
        self.places.iter().map(|place| place.folder.clone()).collect()
    }

    /// A sandbox's group; `None` where no limit is held.
    ///
    /// # Errors
    /// A limit that is said to be held cannot be: the machine has no room for another group.
    pub(super) fn create(&self, number: u64, memory_mib: u32) -> io::Result<Option<Group>> {
        let mut group = Group { places: Vec::new() };
        for place in &self.places {
            match place.create(&number.to_string(), memory_mib) {
                Ok(child) => group.places.push(child),
                Err(error) => {
                    group.remove();
                    return Err(error);
                }
            }
        }
        Ok((!group.places.is_empty()).then_some(group))
    }

    /// Removes the fleet's folders, once the sandboxes' are gone.
    pub(super) fn remove(&self) {
        self.places.iter().for_each(Place::remove);
    }
}

/// One sandbox's control group.
#[derive(Debug)]
pub(super) struct Group {
    places: Vec<Place>,
}

impl Group {
    /// Files that a process writes its id into to be in the group.
    pub(super) fn joining_files(&self) -> impl Iterator<Item = PathBuf> {
        self.places.iter().map(|place| place.folder.join("cgroup.procs"))
    }

    /// Kills what is in it.
    pub(super) fn kill(&self) {
        for place in &self.places {
            for pid in place.processes() {
                // It may have ended by itself.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// The most memory that its processes and what they read have taken, bytes.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        self.places.iter().find_map(Place::peak_bytes)
    }

    /// Whether the kernel has killed in it for want of memory.
    pub(super) fn has_run_out_of_memory(&self) -> bool {
        self.places.iter().any(Place::has_run_out_of_memory)
    }

    /// Removes it; its processes must be dead.
    pub(super) fn remove(&self) {
        for place in &self.places {
            for _ in 0..REMOVE_TRIES {
                self.kill();
                match fs_err::remove_dir(&place.folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        std::thread::sleep(REMOVE_PAUSE);
                    }
                    _ => break,
                }
            }
        }
    }
}

/// CPU time in a period, microseconds.
fn quota_us(memory_mib: u32) -> u64 {
    (u64::from(memory_mib) * PERIOD_US).div_ceil(MEMORY_MIB_PER_CORE).max(QUOTA_US_MIN)
}

/// Ids in a `cgroup.procs` file.
fn pids(text: &str) -> Vec<Pid> {
    text.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)).collect()
}

#[cfg(test)]
mod tests;
