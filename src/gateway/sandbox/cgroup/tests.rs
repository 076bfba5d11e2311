//! Where groups are found, on recorded files, and what is written, in a plain folder.

use super::place::{Version, find};
use super::*;

const V1: &str = "24 23 0:21 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
31 24 0:27 /docker/1d /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";
const V1_OWN: &str = "4:memory:/docker/1d/inner\n2:cpu,cpuacct:/user\n1:name=systemd:/\n0::/\n";
const V2: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

#[test]
fn groups_are_found_where_the_kernel_says() {
    let at = |mounts: &str, own: &str, controller: &str| {
        find(mounts, own, controller).map(|(version, path)| (version, path.display().to_string()))
    };
    let v1 = |path: &str| Some((Version::V1, path.to_owned()));
    let v2 = |path: &str| Some((Version::V2, path.to_owned()));
    assert_eq!(at(V1, V1_OWN, "cpu"), v1("/sys/fs/cgroup/cpu,cpuacct/user"));
    assert_eq!(at(V1, V1_OWN, "memory"), v1("/sys/fs/cgroup/memory/inner"));
    assert_eq!(at(V2, "0::/user.slice/a:b\n", "cpu"), v2("/sys/fs/cgroup/user.slice/a:b"));
    for (mounts, own) in [("", V1_OWN), (V2, V1_OWN), (V1, ""), (V2, "nonsense"), ("x - y", "0::/")]
    {
        assert_eq!(at(mounts, own, "cpu"), None, "{mounts} {own}");
    }
    // The group lies outside what the container sees.
    assert_eq!(at(V1, "4:memory:/elsewhere\n", "memory"), None);
}

#[test]
fn the_share_of_a_core_follows_memory() {
    for (memory_mib, quota) in [(128, 1_448), (512, 5_789), (1_769, 20_000), (10_240, 115_772)] {
        assert_eq!(quota_us(memory_mib), quota, "{memory_mib}");
    }
}

/// A version 2 tree made of plain files: what is written is what the kernel would be told.
#[test]
fn version_2_limits_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (proc, own) = (root.join("proc"), root.join("tree/own"));
    for made in [&proc, &own] {
        fs_err::create_dir_all(made).unwrap();
    }
    let tree = root.join("tree");
    let mount = format!("29 23 0:26 / {} rw - cgroup2 cgroup2 rw\n", tree.display());
    fs_err::write(proc.join("mountinfo"), mount).unwrap();
    fs_err::write(proc.join("cgroup"), "0::/own\n").unwrap();
    let not_held = Groups::make_at(&proc, "fleet", 512);
    let why = "has no `memory` controller";
    assert!(not_held.limits().to_string().contains(why), "{}", not_held.limits());
    assert!(not_held.create(1, 512).unwrap().is_none());
    fs_err::write(own.join("cgroup.controllers"), "cpu memory\n").unwrap();
    fs_err::write(own.join("cgroup.procs"), "1\n").unwrap();
    fs_err::write(own.join("cgroup.subtree_control"), "cpu memory\n").unwrap();
    // A plain folder has no control files, and none are made.
    let refused = Groups::make_at(&proc, "fleet", 512);
    assert!(matches!(refused.limits().memory, Enforced::NotHeld(_)), "{}", refused.limits());
}

/// A sandbox with half of its limits would be measured as if it had them all.
#[test]
fn a_group_is_made_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let place = |controller, name: &str| Place {
        version: Version::V1,
        controller,
        folder: folder.path().join(name),
    };
    fs_err::create_dir_all(folder.path().join("held/1")).unwrap();
    fs_err::write(folder.path().join("held/1/memory.limit_in_bytes"), "").unwrap();
    let limits = Limits { memory_mib: 512, memory: Enforced::Held, cpu: Enforced::Held };
    let places = vec![place("memory", "held"), place("cpu", "gone")];
    assert!(Groups { places, limits }.create(1, 512).is_err());
}

#[test]
fn what_is_held_is_said_in_a_line() {
    let not = |why: &str| Enforced::NotHeld(why.to_owned());
    let line = |memory, cpu| Limits { memory_mib: 512, memory, cpu }.to_string();
    assert_eq!(line(Enforced::Held, Enforced::Held), "each sandbox has 512 MiB and 0.29 of a core");
    assert_eq!(line(Enforced::Held, not("x")), "each sandbox has 512 MiB, but CPU is not held: x");
    assert_eq!(line(not("x"), not("x")), "neither memory nor CPU of sandboxes is held: x");
}
