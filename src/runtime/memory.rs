//! Memory: what this process takes, and what it may take.

/// Limits of the process's control group as a container sees them, of both versions. Without a
/// limit they hold `max` or a number beyond any machine.
const GROUP_LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Bytes that this process may take: the least of its control group's limit and the machine's
/// memory. `None` where the system tells neither.
pub fn available_bytes() -> Option<u64> {
    let read = |path: &str| fs_err::read_to_string(path).ok();
    let group = GROUP_LIMITS.iter().filter_map(|path| read(path)?.trim().parse().ok());
    let machine = read("/proc/meminfo").and_then(|text| kib_line(&text, "MemTotal:"));
    group.chain(machine).min()
}

/// Bytes resident of this process's own, without the pages of files that it maps: a library's code
/// comes in as it is first used, and is there once however many sessions use it. `None` where the
/// system does not tell through a file.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    kib_line(&status, "RssAnon:")
}

/// Bytes of a line `<name> <n> kB`, as files in `/proc` have them.
fn kib_line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_process_may_take_no_more_than_there_is() {
        let available = super::available_bytes().unwrap();
        assert!(available >= super::resident_bytes().unwrap(), "{available}");
        let machine = super::kib_line("MemFree: 1 kB\nMemTotal:    2048 kB\n", "MemTotal:");
        assert_eq!(machine, Some(2 << 20));
    }

    #[test]
    fn memory_that_was_written_is_resident() {
        let before = super::resident_bytes().unwrap();
        let held = vec![1u8; 64 << 20];
        let after = super::resident_bytes().unwrap();
        assert!(after >= before + (60 << 20), "{before} {after} {}", held.len());
    }
}
