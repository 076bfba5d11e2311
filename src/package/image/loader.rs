//! Where the dynamic loader of this machine finds a library: `/etc/ld.so.cache` and its own folders.
//!
//! The cache's format is glibc's (`sysdeps/generic/dl-cache.h`, magic `glibc-ld.so.cache1.1`): a
//! header of 48 bytes, entries of 24, then names and paths. Entries for CPUs with more than the
//! architecture's base are passed over, since the image may run on another CPU.

use crate::spec::Architecture;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest cache read, bytes; a desktop's has a few hundred KB.
const CACHE_BYTES_MAX: u64 = 16 << 20;
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;

/// The folders that glibc's loader looks into without being told, here and in the image: Debian's
/// first, then those of the other distributions.
pub(super) fn default_folders(architecture: Architecture) -> Vec<PathBuf> {
    let triplet = match architecture {
        Architecture::X86_64 => "x86_64-linux-gnu",
        Architecture::Arm64 => "aarch64-linux-gnu",
    };
    let folders = [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")];
    let others = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(str::to_owned);
    folders.into_iter().chain(others).map(PathBuf::from).collect()
}

/// The libraries that the loader's cache names, by name; the first entry of a name counts.
pub(super) fn read_cache(path: &Path, architecture: Architecture) -> HashMap<String, PathBuf> {
    let mut bytes = Vec::new();
    let read = fs_err::File::open(path)
        .and_then(|file| file.take(CACHE_BYTES_MAX).read_to_end(&mut bytes));
    // A machine without a cache has its libraries in the default folders.
    if read.is_err() { HashMap::new() } else { parse_cache(&bytes, architecture) }
}

fn parse_cache(bytes: &[u8], architecture: Architecture) -> HashMap<String, PathBuf> {
    let mut libraries = HashMap::new();
    let Some(start) = start_of_new_format(bytes) else { return libraries };
    let bytes = &bytes[start..];
    let flags_wanted = match architecture {
        Architecture::X86_64 => 0x0303,
        Architecture::Arm64 => 0x0a03,
    };
    let count = u32_at(bytes, MAGIC.len()).unwrap_or(0) as usize;
    for at in 0..count {
        let Some(entry) = HEADER_BYTES.checked_add(at * ENTRY_BYTES) else { break };
        let fields = [0, 4, 8, 16, 20].map(|offset| u32_at(bytes, entry + offset));
        let [Some(flags), Some(key), Some(value), Some(low), Some(high)] = fields else { break };
        if flags != flags_wanted || low != 0 || high != 0 {
            continue;
        }
        if let (Some(name), Some(path)) = (text_at(bytes, key), text_at(bytes, value)) {
            libraries.entry(name).or_insert_with(|| PathBuf::from(path));
        }
    }
    libraries
}

/// Older glibc put the new format behind the old one, aligned to 8 bytes.
fn start_of_new_format(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(MAGIC) {
        return Some(0);
    }
    if !bytes.starts_with(OLD_MAGIC) {
        return None;
    }
    let old_entries = u32_at(bytes, 12)? as usize;
    let start = old_entries.checked_mul(12)?.checked_add(16)?.next_multiple_of(8);
    bytes.get(start..)?.starts_with(MAGIC).then_some(start)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

fn text_at(bytes: &[u8], at: u32) -> Option<String> {
    let rest = bytes.get(at as usize..)?;
    let end = memchr::memchr(0, &rest[..rest.len().min(4096)])?;
    std::str::from_utf8(&rest[..end]).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache as glibc writes it: entries are (flags, hwcap, name, path).
    fn cache(entries: &[(u32, u64, &str, &str)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.resize(HEADER_BYTES, 0);
        let mut at = HEADER_BYTES + entries.len() * ENTRY_BYTES;
        let mut strings = Vec::new();
        for (flags, hwcap, name, path) in entries {
            bytes.extend(flags.to_le_bytes());
            for text in [name, path] {
                bytes.extend(u32::try_from(at).unwrap().to_le_bytes());
                strings.extend(text.as_bytes());
                strings.push(0);
                at += text.len() + 1;
            }
            bytes.extend([0; 4]);
            bytes.extend(hwcap.to_le_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn takes_the_first_entry_for_any_cpu_of_the_architecture() {
        let bytes = cache(&[
            (0x0303, 1 << 62, "libm.so.6", "/lib/glibc-hwcaps/x86-64-v3/libm.so.6"),
            (0x0003, 0, "libm.so.6", "/lib32/libm.so.6"),
            (0x0303, 0, "libm.so.6", "/lib/x86_64-linux-gnu/libm.so.6"),
            (0x0303, 0, "libm.so.6", "/opt/libm.so.6"),
            (0x0a03, 0, "libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"),
        ]);
        let found = parse_cache(&bytes, Architecture::X86_64);
        assert_eq!(found["libm.so.6"], Path::new("/lib/x86_64-linux-gnu/libm.so.6"));
        assert_eq!(found.len(), 1);
        assert!(parse_cache(&bytes, Architecture::Arm64).contains_key("libc.so.6"));
        let mut old = OLD_MAGIC.to_vec();
        old.resize(12, 0);
        old.extend(1u32.to_le_bytes());
        old.resize(32, 0);
        old.extend(&bytes);
        assert_eq!(parse_cache(&old, Architecture::X86_64), found);
    }

    #[test]
    fn damaged_caches_only_hide_libraries() {
        let bytes = cache(&[(0x0303, 0, "a", "/a"), (0x0303, 0, "b", "/b")]);
        for end in 0..bytes.len() {
            parse_cache(&bytes[..end], Architecture::X86_64);
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] = 0xff;
            parse_cache(&damaged, Architecture::X86_64);
        }
    }
}
