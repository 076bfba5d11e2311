//! What a Linux program or shared library needs, read from its ELF headers.
//!
//! A binary that its target cannot start shows only there, as a function that never comes up; so
//! the needs are read before anything is written. The bytes may be anything a person names: reads
//! are bounded by the slice, counts by the limits here.

use crate::spec::Architecture;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _};
use std::fmt;

/// Most libraries and most symbol versions that one binary may ask for.
const NEEDS_MAX: usize = 4_096;
/// Longest name of one, bytes.
const NAME_BYTES_MAX: usize = 255;

/// A program or a shared library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The instruction set; `None` when it is another than the two that Lambda has.
    pub architecture: Option<Architecture>,
    /// What loads it; `None` for shared libraries and static programs.
    pub interpreter: Option<String>,
    /// Shared libraries that it asks for (`libc.so.6`), in its order.
    pub libraries: Vec<String>,
    /// Symbol versions that it asks for, in its order.
    pub versions: Vec<SymbolVersion>,
}

/// A symbol version of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolVersion {
    /// The library (`libc.so.6`).
    pub library: String,
    /// The version (`GLIBC_2.28`).
    pub name: String,
}

/// Why bytes are no binary that could be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Another kind of file.
    #[error("it is no ELF file")]
    NotElf,
    /// ELF of another class or byte order than Lambda runs.
    #[error("it is not 64-bit little-endian ELF")]
    Class,
    /// Neither a program nor a shared library.
    #[error("it is neither a program nor a shared library")]
    Kind,
    /// Cut short or damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Reads what a binary needs.
///
/// # Errors
/// The bytes are not a 64-bit little-endian ELF program or shared library, or they are damaged.
pub(super) fn read(bytes: &[u8]) -> Result<Binary, ElfError> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(ElfError::NotElf);
    }
    if bytes.get(4) != Some(&elf::ELFCLASS64.0) || bytes.get(5) != Some(&elf::ELFDATA2LSB.0) {
        return Err(ElfError::Class);
    }
    let header = FileHeader64::<object::LittleEndian>::parse(bytes).map_err(damaged)?;
    let endian = object::LittleEndian;
    if ![elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type(endian)) {
        return Err(ElfError::Kind);
    }
    let architecture = match header.e_machine(endian) {
        elf::EM_X86_64 => Some(Architecture::X86_64),
        elf::EM_AARCH64 => Some(Architecture::Arm64),
        _ => None,
    };
    let segments = header.program_headers(endian, bytes).map_err(damaged)?;
    let mut interpreter = None;
    for segment in segments {
        if let Some(name) = segment.interpreter(endian, bytes).map_err(damaged)? {
            interpreter = Some(text(name)?);
        }
    }
    let is_dynamic = segments.iter().any(|segment| segment.p_type(endian) == elf::PT_DYNAMIC);
    let sections = header.sections(endian, bytes).map_err(damaged)?;
    let dynamic = sections.iter().find(|section| section.sh_type(endian) == elf::SHT_DYNAMIC);
    if is_dynamic && dynamic.is_none() {
        return Err(ElfError::Damaged("its section headers were taken away".to_owned()));
    }
    let mut binary =
        Binary { architecture, interpreter, libraries: Vec::new(), versions: Vec::new() };
    let table = sections.dynamic_table(endian, bytes).map_err(damaged)?;
    for entry in table.iter() {
        if entry.tag == elf::DT_NEEDED {
            let name = table.string(entry).map_err(damaged)?;
            push(&mut binary.libraries, text(name)?)?;
        }
    }
    if let Some((needs, link)) = sections.gnu_verneed(endian, bytes).map_err(damaged)? {
        let strings = sections.strings(endian, bytes, link).map_err(damaged)?;
        for need in needs {
            let (need, versions) = need.map_err(damaged)?;
            let library = text(need.file(endian, strings).map_err(damaged)?)?;
            for version in versions {
                let version = version.map_err(damaged)?;
                let name = text(version.name(endian, strings).map_err(damaged)?)?;
                push(&mut binary.versions, SymbolVersion { library: library.clone(), name })?;
            }
        }
    }
    Ok(binary)
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), ElfError> {
    if list.len() == NEEDS_MAX {
        return Err(ElfError::Damaged(format!("it asks for more than {NEEDS_MAX} libraries")));
    }
    list.push(item);
    Ok(())
}

fn text(name: &[u8]) -> Result<String, ElfError> {
    let is_name = name.len() <= NAME_BYTES_MAX && name.iter().all(|byte| byte.is_ascii_graphic());
    match std::str::from_utf8(name) {
        Ok(name) if is_name => Ok(name.to_owned()),
        _ => Err(ElfError::Damaged("a name in it is no name".to_owned())),
    }
}

fn damaged(error: object::read::Error) -> ElfError {
    ElfError::Damaged(error.to_string())
}

impl fmt::Display for SymbolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.library)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_program() -> Vec<u8> {
        fs_err::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_program_says_what_it_needs() {
        let binary = read(&this_program()).unwrap();
        let expected = match std::env::consts::ARCH {
            "aarch64" => Architecture::Arm64,
            _ => Architecture::X86_64,
        };
        assert_eq!(binary.architecture, Some(expected));
        assert!(binary.interpreter.unwrap().contains("ld-linux"));
        assert!(binary.libraries.contains(&"libc.so.6".to_owned()), "{:?}", binary.libraries);
        let glibc = |version: &SymbolVersion| {
            version.library == "libc.so.6" && version.name.starts_with("GLIBC_2.")
        };
        assert!(binary.versions.iter().any(glibc), "{:?}", binary.versions);
    }

    #[test]
    fn other_files_are_told_apart() {
        let mut class32 = this_program()[..64].to_vec();
        class32[4] = 1;
        let mut object_file = this_program();
        object_file[16] = 1;
        let cases: [(&[u8], ElfError); 5] = [
            (b"", ElfError::NotElf),
            (b"#!/bin/sh", ElfError::NotElf),
            (b"\x7fELF", ElfError::Class),
            (&class32, ElfError::Class),
            (&object_file, ElfError::Kind),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes), Err(expected));
        }
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let whole = this_program();
        // The section headers lie at the end: any cut takes them.
        for length in [5, 63, 64, 1_000, whole.len() / 2] {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        // Every byte of the headers, set to a few values; most still read, none may panic.
        let sections = u64::from_le_bytes(whole[40..48].try_into().unwrap());
        let tail = usize::try_from(sections).unwrap()..whole.len();
        let mut bytes = whole.clone();
        for at in (0..1_024).chain(tail) {
            for value in [0, 1, 0x7f, 0xff] {
                bytes[at] = value;
                let _ = read(&bytes);
            }
            bytes[at] = whole[at];
        }
    }
}
