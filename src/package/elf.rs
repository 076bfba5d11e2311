//! What a Linux program or shared library needs, read from its ELF headers.
//!
//! A binary that its target cannot start shows only there, as a function that never comes up; so
//! the needs are read before anything is written. They are read as the dynamic loader reads them,
//! through the segments: a stripped file need not have sections. The bytes may be anything a person
//! names: reads are bounded by the data, counts by the limits here.

use crate::spec::Architecture;
use object::elf::{self, FileHeader64, ProgramHeader64, Vernaux, Verneed};
use object::read::elf::{Dyn as _, Dynamic, FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, ReadCache, ReadRef, StringTable};
use std::fmt;
use std::path::Path;

/// Most libraries, symbol versions and entries of the dynamic section that one binary may have.
const NEEDS_MAX: usize = 4_096;
/// Longest name of one, bytes.
const NAME_BYTES_MAX: usize = 255;
/// Longest list of folders, and longest path, bytes: the kernel's limit of a path.
const PATHS_BYTES_MAX: usize = 4_096;

/// A program or a shared library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Binary {
    /// The instruction set's number (`e_machine`).
    pub machine: u16,
    /// What loads it; `None` for shared libraries and static programs.
    pub interpreter: Option<String>,
    /// Its own name as a library (`DT_SONAME`).
    pub soname: Option<String>,
    /// Shared libraries that it asks for (`libc.so.6`), in its order.
    pub libraries: Vec<String>,
    /// Folders that it has them looked for in (`DT_RUNPATH`).
    pub runpath: Vec<String>,
    /// The same in older binaries (`DT_RPATH`), which counts only without the other.
    pub rpath: Vec<String>,
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
    Damaged(&'static str),
    /// The file's bytes did not come.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
}

impl Binary {
    /// The instruction set; `None` when it is another than the two that Lambda has.
    pub fn architecture(&self) -> Option<Architecture> {
        [Architecture::X86_64, Architecture::Arm64]
            .into_iter()
            .find(|architecture| machine(*architecture) == self.machine)
    }
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
    let binary = Binary { machine, ..Binary::default() };
    match binary.architecture() {
        Some(architecture) => architecture.name().to_owned(),
        None => format!("machine {machine}"),
    }
}

/// The machine in an ELF header's first bytes; `None` when they are no 64-bit little-endian ELF.
pub(super) fn machine_of_header(bytes: &[u8]) -> Option<u16> {
    let is_elf64_le = bytes.starts_with(b"\x7fELF\x02\x01");
    let field = bytes.get(18..20).filter(|_| is_elf64_le)?;
    Some(u16::from_le_bytes([field[0], field[1]]))
}

/// Reads what a binary on the disk needs; only the parts that matter are held in memory.
///
/// # Errors
/// It cannot be opened or is no 64-bit little-endian ELF program or shared library.
pub(super) fn read_file(path: &Path) -> Result<Binary, ElfError> {
    let file = fs_err::File::open(path).map_err(|error| ElfError::Unreadable(error.kind()))?;
    read(&ReadCache::new(file))
}

/// Reads what a binary needs.
///
/// # Errors
/// The bytes are not a 64-bit little-endian ELF program or shared library, or they are damaged.
pub(super) fn read<'data, R: ReadRef<'data>>(data: R) -> Result<Binary, ElfError> {
    let start = data.read_bytes_at(0, 6).map_err(|()| ElfError::NotElf)?;
    if !start.starts_with(&elf::ELFMAG) {
        return Err(ElfError::NotElf);
    }
    if start[4..] != [elf::ELFCLASS64.0, elf::ELFDATA2LSB.0] {
        return Err(ElfError::Class);
    }
    let header = FileHeader64::<LittleEndian>::parse(data).map_err(|_| damaged("its header"))?;
    if ![elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type(LittleEndian)) {
        return Err(ElfError::Kind);
    }
    let segments = header.program_headers(LittleEndian, data);
    let segments = Segments { data, all: segments.map_err(|_| damaged("its program headers"))? };
    let mut binary = Binary { machine: header.e_machine(LittleEndian).0, ..Binary::default() };
    for segment in segments.all {
        let found = segment.interpreter(LittleEndian, data);
        if let Some(path) = found.map_err(|_| damaged("its loader's name"))? {
            binary.interpreter = Some(text(path, PATHS_BYTES_MAX)?);
        }
    }
    let entries = segments.dynamic()?;
    if entries.is_empty() {
        return Ok(binary);
    }
    let strings = segments.strings(&entries).ok_or(damaged("its strings"))?;
    for entry in &entries {
        if ![elf::DT_NEEDED, elf::DT_SONAME, elf::DT_RUNPATH, elf::DT_RPATH].contains(&entry.tag) {
            continue;
        }
        let value = entry.string(&strings).map_err(|_| damaged("a name in it"))?;
        match entry.tag {
            elf::DT_NEEDED => binary.libraries.push(name(value)?),
            elf::DT_SONAME => binary.soname = Some(name(value)?),
            elf::DT_RUNPATH => binary.runpath = folders(value)?,
            _ => binary.rpath = folders(value)?,
        }
    }
    if let Some(address) = value(&entries, elf::DT_VERNEED) {
        let offset = segments.offset(address).ok_or(damaged("its symbol versions"))?;
        binary.versions = versions(data, offset, &strings)?;
    }
    Ok(binary)
}

/// The parts of a file that the loader maps.
struct Segments<'data, R> {
    data: R,
    all: &'data [ProgramHeader64<LittleEndian>],
}

impl<'data, R: ReadRef<'data>> Segments<'data, R> {
    /// The entries of the dynamic section; none in a static program.
    fn dynamic(&self) -> Result<Vec<Dynamic>, ElfError> {
        let found = self
            .all
            .iter()
            .find_map(|segment| segment.dynamic(LittleEndian, self.data).transpose());
        let Some(entries) = found else { return Ok(Vec::new()) };
        let entries = entries.map_err(|_| damaged("its dynamic section"))?.iter();
        let entries = entries
            .map(|entry| Dynamic { tag: entry.d_tag(LittleEndian), val: entry.d_val(LittleEndian) })
            .take_while(|entry| entry.tag != elf::DT_NULL);
        let entries: Vec<Dynamic> = entries.take(NEEDS_MAX + 1).collect();
        if entries.len() > NEEDS_MAX {
            return Err(damaged("its dynamic section is too long"));
        }
        Ok(entries)
    }

    /// Where in the file an address is.
    fn offset(&self, address: u64) -> Option<u64> {
        let loaded = self.all.iter().filter(|s| s.p_type(LittleEndian) == elf::PT_LOAD);
        loaded.into_iter().find_map(|segment| {
            let inside = address.checked_sub(segment.p_vaddr(LittleEndian))?;
            let offset = segment.p_offset(LittleEndian).checked_add(inside)?;
            (inside < segment.p_filesz(LittleEndian)).then_some(offset)
        })
    }

    fn strings(&self, entries: &[Dynamic]) -> Option<StringTable<'data, R>> {
        let start = self.offset(value(entries, elf::DT_STRTAB)?)?;
        let end = start.checked_add(value(entries, elf::DT_STRSZ)?)?;
        Some(StringTable::new(self.data, start, end))
    }
}

fn value(entries: &[Dynamic], tag: elf::DynamicTag) -> Option<u64> {
    entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.val)
}

/// The symbol versions, a list of lists in which each item says how far the next one is.
fn versions<'data, R: ReadRef<'data>>(
    data: R,
    start: u64,
    strings: &StringTable<'data, R>,
) -> Result<Vec<SymbolVersion>, ElfError> {
    let bad = || damaged("its symbol versions");
    let string = |at: u32| strings.get(at).map_err(|()| bad()).and_then(name);
    let step = |at: u64, by: u32| at.checked_add(u64::from(by)).ok_or_else(bad);
    let mut versions = Vec::new();
    let mut need_at = start;
    for _ in 0..NEEDS_MAX {
        let need: &Verneed<LittleEndian> = data.read_at(need_at).map_err(|()| bad())?;
        let library = string(need.vn_file.get(LittleEndian))?;
        let mut version_at = step(need_at, need.vn_aux.get(LittleEndian))?;
        for _ in 0..need.vn_cnt.get(LittleEndian) {
            let version: &Vernaux<LittleEndian> = data.read_at(version_at).map_err(|()| bad())?;
            if versions.len() == NEEDS_MAX {
                return Err(bad());
            }
            let name = string(version.vna_name.get(LittleEndian))?;
            versions.push(SymbolVersion { library: library.clone(), name });
            version_at = step(version_at, version.vna_next.get(LittleEndian))?;
        }
        match need.vn_next.get(LittleEndian) {
            0 => return Ok(versions),
            next => need_at = step(need_at, next)?,
        }
    }
    Err(bad())
}

fn name(bytes: &[u8]) -> Result<String, ElfError> {
    let is_name = bytes.iter().all(u8::is_ascii_graphic);
    if is_name { text(bytes, NAME_BYTES_MAX) } else { Err(damaged("a name in it is no name")) }
}

fn text(bytes: &[u8], bytes_max: usize) -> Result<String, ElfError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= bytes_max && !text.contains(char::is_control) => {
            Ok(text.to_owned())
        }
        _ => Err(damaged("a name in it is no name")),
    }
}

fn folders(bytes: &[u8]) -> Result<Vec<String>, ElfError> {
    let text = text(bytes, PATHS_BYTES_MAX)?;
    Ok(text.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned).collect())
}

fn damaged(what: &'static str) -> ElfError {
    ElfError::Damaged(what)
}

impl fmt::Display for SymbolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.library)
    }
}

#[cfg(test)]
mod tests;
