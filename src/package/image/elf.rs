//! What the dynamic loader reads of an ELF file: its interpreter and the libraries it needs.

use super::error::Error;
use crate::spec::Architecture;
use object::elf::{self, FileHeader64};
use object::read::StringTable;
use object::read::elf::{Dyn as _, Dynamic, FileHeader, ProgramHeader};
use object::{Endianness, ReadCache, ReadRef};
use std::path::Path;

/// Most entries of a dynamic section looked at; real ones have a few dozen.
const DYNAMIC_MAX: usize = 4096;
/// Longest name or path taken, bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// A 64-bit little-endian ELF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// `e_machine`.
    pub(super) machine: u16,
    /// The program interpreter's path.
    pub(super) interpreter: Option<String>,
    /// `DT_NEEDED`, in order.
    pub(super) needed: Vec<String>,
    /// `DT_SONAME`.
    pub(super) soname: Option<String>,
    /// `DT_RUNPATH`'s folders.
    pub(super) runpath: Vec<String>,
    /// `DT_RPATH`'s folders, which count only without a `DT_RUNPATH`.
    pub(super) rpath: Vec<String>,
}

/// `e_machine` of an architecture.
pub(super) fn machine(architecture: Architecture) -> u16 {
    match architecture {
        Architecture::X86_64 => elf::EM_X86_64.0,
        Architecture::Arm64 => elf::EM_AARCH64.0,
    }
}

/// The name of an `e_machine`, for messages.
pub(super) fn machine_name(machine: u16) -> String {
    for architecture in [Architecture::X86_64, Architecture::Arm64] {
        if self::machine(architecture) == machine {
            return architecture.name().to_owned();
        }
    }
    format!("machine {machine}")
}

/// The machine in an ELF header's first bytes; `None` when they are no 64-bit little-endian ELF.
pub(super) fn machine_of_header(bytes: &[u8]) -> Option<u16> {
    let is_elf64_le = bytes.starts_with(b"\x7fELF\x02\x01");
    let field = bytes.get(18..20).filter(|_| is_elf64_le)?;
    Some(u16::from_le_bytes([field[0], field[1]]))
}

/// Reads a file; only the parts that matter are held in memory.
///
/// # Errors
/// It cannot be read or is no 64-bit little-endian ELF file.
pub(super) fn read(path: &Path) -> Result<Elf, Error> {
    let file =
        fs_err::File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let cache = ReadCache::new(file);
    parse(&cache)
        .map_err(|reason| Error::BadElf { path: path.to_owned(), reason: reason.to_owned() })
}

/// Reads an ELF file's bytes.
pub(super) fn parse<'data, R: ReadRef<'data>>(data: R) -> Result<Elf, &'static str> {
    const NOT_ELF: &str = "it is no 64-bit ELF file";
    const DAMAGED: &str = "its ELF headers are damaged";
    let header = FileHeader64::<Endianness>::parse(data).map_err(|_| NOT_ELF)?;
    let endian = header.endian().map_err(|_| NOT_ELF)?;
    if endian != Endianness::Little {
        return Err("it is a big-endian ELF file");
    }
    let segments = header.program_headers(endian, data).map_err(|_| DAMAGED)?;
    let mut found = Elf { machine: header.e_machine(endian).0, ..Elf::default() };
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data).map_err(|_| DAMAGED)? {
            found.interpreter = Some(text(path).ok_or(DAMAGED)?);
        }
    }
    // Through the segments, as the loader goes: a stripped file may have no sections.
    let Some(entries) =
        segments.iter().find_map(|segment| segment.dynamic(endian, data).transpose())
    else {
        return Ok(found);
    };
    let entries: Vec<Dynamic> = entries
        .map_err(|_| DAMAGED)?
        .iter()
        .take(DYNAMIC_MAX)
        .map(|entry| Dynamic { tag: entry.d_tag(endian), val: entry.d_val(endian) })
        .take_while(|entry| entry.tag != elf::DT_NULL)
        .collect();
    let strings = string_table(segments, endian, data, &entries).ok_or(DAMAGED)?;
    for entry in &entries {
        if ![elf::DT_NEEDED, elf::DT_SONAME, elf::DT_RUNPATH, elf::DT_RPATH].contains(&entry.tag) {
            continue;
        }
        let value = u32::try_from(entry.val).ok().and_then(|at| strings.get(at).ok());
        let value = value.and_then(text).ok_or(DAMAGED)?;
        let folders = || value.split(':').filter(|f| !f.is_empty()).map(str::to_owned).collect();
        match entry.tag {
            elf::DT_NEEDED => found.needed.push(value),
            elf::DT_SONAME => found.soname = Some(value),
            elf::DT_RUNPATH => found.runpath = folders(),
            _ => found.rpath = folders(),
        }
    }
    Ok(found)
}

/// The dynamic section's strings: `DT_STRTAB` is an address, which a segment maps to the file.
fn string_table<'data, R: ReadRef<'data>>(
    segments: &[elf::ProgramHeader64<Endianness>],
    endian: Endianness,
    data: R,
    entries: &[Dynamic],
) -> Option<StringTable<'data, R>> {
    let value = |tag| entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.val);
    let (address, bytes) = (value(elf::DT_STRTAB)?, value(elf::DT_STRSZ)?);
    let start =
        segments.iter().filter(|s| s.p_type(endian) == elf::PT_LOAD).find_map(|segment| {
            let inside = address.checked_sub(segment.p_vaddr(endian))?;
            let offset = segment.p_offset(endian).checked_add(inside)?;
            (inside < segment.p_filesz(endian)).then_some(offset)
        })?;
    Some(StringTable::new(data, start, start.checked_add(bytes)?))
}

fn text(bytes: &[u8]) -> Option<String> {
    if bytes.len() > TEXT_BYTES_MAX {
        return None;
    }
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "/usr/bin/env";

    #[test]
    fn reads_what_the_loader_reads() {
        let found = read(Path::new(PROGRAM)).unwrap();
        assert!(found.needed.contains(&"libc.so.6".to_owned()), "{found:?}");
        assert!(found.interpreter.unwrap().contains("/ld-linux"));
        let bytes = fs_err::read(PROGRAM).unwrap();
        assert_eq!(machine_of_header(&bytes[..64]), Some(found.machine));
        assert_eq!(machine_of_header(&bytes[1..64]), None);
        assert_eq!(machine_of_header(&bytes[..19]), None);
    }

    #[test]
    fn damaged_files_are_refused_or_read_and_never_a_panic() {
        let bytes = fs_err::read(PROGRAM).unwrap();
        for end in (0..bytes.len()).step_by(61) {
            let _ = parse(&bytes[..end]);
        }
        // The headers and the dynamic section are where it hurts.
        for at in (0..1024).chain((1024..bytes.len()).step_by(7)) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            let _ = parse(&damaged[..]);
        }
        for other in [&b""[..], b"\x7fELF", b"#!/bin/sh\n"] {
            assert_eq!(parse(other), Err("it is no 64-bit ELF file"));
        }
    }
}
