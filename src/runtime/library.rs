//! A shared library on disk: whether it is one, for which platform, and of which version.

use super::target::Target;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A library of ONNX Runtime, not loaded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its version, as far as the file tells.
    pub version: Option<String>,
    /// How it was found.
    pub origin: Origin,
}

/// How a library was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Named by `--onnxruntime`.
    Flag,
    /// Named by `ORT_DYLIB_PATH`.
    Environment,
    /// Found in the cache.
    Cache,
    /// Fetched into the cache by this very call.
    Fetched,
    /// Beside the model, in an artefact.
    Artefact,
}

impl Origin {
    /// One word for documents: `flag`, `environment`, `cache`, `fetched`, `artefact`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::Cache => "cache",
            Self::Fetched => "fetched",
            Self::Artefact => "artefact",
        }
    }
}

/// Bytes that tell what a file is: through the machine of an ELF header.
const HEADER_BYTES: usize = 20;

/// What the first bytes of a file say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A shared library for one of the platforms.
    Library(Target),
    /// A shared library for several or for other platforms.
    OtherLibrary,
    /// Something else.
    Other,
}

/// Checks that a file is a shared library, and for this platform if one is given.
///
/// # Errors
/// What is wrong with it, without its path.
pub(super) fn check(path: &Path, target: Option<Target>) -> Result<(), String> {
    let metadata = fs_err::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    })?;
    if metadata.is_dir() {
        return Err("it is a folder, not a library".to_owned());
    }
    let mut header = Vec::new();
    let read = fs_err::File::open(path)
        .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut header));
    if let Err(error) = read {
        return Err(error.kind().to_string());
    }
    match (kind(&header), target) {
        (Kind::Other, _) => Err("it is no shared library".to_owned()),
        (Kind::Library(found), Some(wanted)) if found != wanted => {
            Err(format!("it is a library for {found}, not for {wanted}"))
        }
        (Kind::Library(_) | Kind::OtherLibrary, _) => Ok(()),
    }
}

/// ELF: `e_ident`, `e_type` (16..18, 3 = shared object), `e_machine` (18..20); the System V ABI.
/// Mach-O: magic, `cputype` (4..8), `filetype` (12..16, 6 = dylib); `mach-o/loader.h`.
fn kind(header: &[u8]) -> Kind {
    let Ok(header) = <&[u8; HEADER_BYTES]>::try_from(header) else { return Kind::Other };
    match header {
        [0x7f, b'E', b'L', b'F', 2, 1, .., 3, 0, 62, 0] => Kind::Library(Target::LinuxX86_64),
        [0x7f, b'E', b'L', b'F', 2, 1, .., 3, 0, 183, 0] => Kind::Library(Target::LinuxAarch64),
        [0x7f, b'E', b'L', b'F', .., 3, 0, _, _] => Kind::OtherLibrary,
        [0xcf, 0xfa, 0xed, 0xfe, cpu @ ..] => match (&cpu[..4], cpu[8]) {
            ([0x0c, 0, 0, 1], 6) => Kind::Library(Target::MacosArm64),
            (_, 6) => Kind::OtherLibrary,
            _ => Kind::Other,
        },
        // A universal binary: its slices are the loader's business.
        [0xca, 0xfe, 0xba, 0xbe, ..] => Kind::OtherLibrary,
        _ => Kind::Other,
    }
}

/// Library bytes searched for a version.
const SEARCH_BYTES_MAX: u64 = 256 << 20;

/// Version strings are no longer than this: `1.32.0`.
const VERSION_BYTES_MAX: usize = 16;

/// The version of a library of ONNX Runtime, from its file.
///
/// ONNX Runtime has no call for it that `ort` offers. Its builds for Linux name it in the symbol
/// version (`VERS_1.32.0`), others in the file name.
pub(super) fn version(path: &Path) -> Option<String> {
    version_in_name(path).or_else(|| version_in_symbols(path))
}

/// `libonnxruntime.so.1.32.0` or `libonnxruntime.1.32.0.dylib`, links followed.
fn version_in_name(path: &Path) -> Option<String> {
    let real = fs_err::canonicalize(path).ok()?;
    let name = real.file_name()?.to_str()?;
    let rest = name.strip_prefix("libonnxruntime.")?;
    let rest = rest.strip_prefix("so.").unwrap_or(rest);
    leading_version(rest.as_bytes())
}

fn version_in_symbols(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs_err::File::open(path).ok()?.take(SEARCH_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let mark = b"VERS_";
    memchr::memmem::find_iter(&bytes, mark)
        .find_map(|at| leading_version(&bytes[at + mark.len()..]))
}

/// The `a.b.c` that the bytes begin with.
fn leading_version(bytes: &[u8]) -> Option<String> {
    let bytes = &bytes[..bytes.len().min(VERSION_BYTES_MAX)];
    let length = bytes.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let text = std::str::from_utf8(&bytes[..length]).ok()?.trim_end_matches('.');
    let parts: Vec<&str> = text.split('.').collect();
    (parts.len() == 3 && parts.iter().all(|part| !part.is_empty())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(class: u8, kind: u8, machine: u8) -> Vec<u8> {
        let mut header = vec![0x7f, b'E', b'L', b'F', class, 1, 1];
        header.resize(16, 0);
        header.extend([kind, 0, machine, 0]);
        header
    }

    #[test]
    fn the_first_bytes_tell_the_platform() {
        let mut macho = vec![0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1, 0, 0, 0, 0, 6, 0, 0, 0];
        macho.extend([0; 4]);
        let mut macho_program = macho.clone();
        macho_program[12] = 2;
        let cases = [
            (elf(2, 3, 62), Kind::Library(Target::LinuxX86_64)),
            (elf(2, 3, 183), Kind::Library(Target::LinuxAarch64)),
            (elf(1, 3, 3), Kind::OtherLibrary),
            (elf(2, 2, 62), Kind::Other),
            (macho, Kind::Library(Target::MacosArm64)),
            (macho_program, Kind::Other),
            (b"GROUP ( libonnxruntime.so.1 )".to_vec(), Kind::Other),
            (elf(2, 3, 62)[..19].to_vec(), Kind::Other),
            (Vec::new(), Kind::Other),
        ];
        for (header, expected) in cases {
            let header = &header[..header.len().min(HEADER_BYTES)];
            assert_eq!(kind(header), expected, "{header:?}");
        }
    }

    #[test]
    fn the_version_is_read_from_name_or_symbols() {
        let folder = tempfile::tempdir().unwrap();
        let cases: [(&str, &[u8], Option<&str>); 6] = [
            ("libonnxruntime.so.1.32.0", b"", Some("1.32.0")),
            ("libonnxruntime.1.31.2.dylib", b"", Some("1.31.2")),
            ("libonnxruntime.so", b"\0VERS_1.17.3\0", Some("1.17.3")),
            ("libort.so", b"VERS_1.1\0 VERS_x VERS_1.20.0\0", Some("1.20.0")),
            ("libonnxruntime.so.1", b"nothing", None),
            ("empty.so", b"", None),
        ];
        for (name, bytes, expected) in cases {
            let path = folder.path().join(name);
            fs_err::write(&path, bytes).unwrap();
            assert_eq!(version(&path).as_deref(), expected, "{name}");
        }
    }
}
