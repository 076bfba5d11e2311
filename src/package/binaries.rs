//! The programs and libraries of an artefact: found, read whole, and checked for their target.
//!
//! # Invariants
//! What is packed is what was checked: a binary's bytes are read once.

use super::elf::{self, Binary};
use super::error::{Error, ONNXRUNTIME, PROGRAM, SYSTEM_LIBRARY};
use super::provided::{self, CXX_LIBRARIES, Lack};
use crate::spec::Architecture;
use bytes::Bytes;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Largest program or library that is read, bytes.
const BINARY_BYTES_MAX: u64 = 1 << 30;

/// Where to look for `gwtf-runtime`, first to last.
#[derive(Debug, Clone, Default)]
pub struct ProgramPlaces {
    /// `--runtime PATH`.
    pub flag: Option<PathBuf>,
    /// `GWTF_RUNTIME`.
    pub environment: Option<PathBuf>,
    /// `gwtf-runtime` beside gwtf itself.
    pub beside: Option<PathBuf>,
}

impl ProgramPlaces {
    /// The program to pack. A place that is named is not passed over.
    ///
    /// # Errors
    /// None is named and none lies beside gwtf.
    pub fn find(&self, architecture: Architecture) -> Result<PathBuf, Error> {
        if let Some(named) = self.flag.as_ref().or(self.environment.as_ref()) {
            return Ok(named.clone());
        }
        if let Some(beside) = self.beside.as_ref().filter(|path| path.is_file()) {
            return Ok(beside.clone());
        }
        let beside = self.beside.as_ref().map(|path| format!("for `{}`", path.display()));
        let not_given = ["--runtime and GWTF_RUNTIME: not given".to_owned()];
        Err(Error::NoProgram {
            looked: beside.into_iter().chain(not_given).collect(),
            architecture,
        })
    }
}

/// Whether libstdc++ and libgcc of this machine are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BundleLibstdcxx {
    /// Where the target's are too old.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// A binary, read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Where it was.
    pub path: PathBuf,
    /// All its bytes.
    pub bytes: Bytes,
    binary: Binary,
}

/// The binaries of an artefact.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// `gwtf-runtime`.
    pub program: Loaded,
    /// ONNX Runtime's library.
    pub onnxruntime: Loaded,
    /// Libraries of this machine and their names, in the order of the names.
    pub system: Vec<(String, Loaded)>,
}

impl Binaries {
    /// Reads the program and the library.
    ///
    /// # Errors
    /// One of them cannot be read, or is no program or library for the architecture.
    pub fn read(
        program: &Path,
        onnxruntime: &Path,
        architecture: Architecture,
    ) -> Result<Self, Error> {
        let loaded = load(PROGRAM, program, architecture)?;
        if loaded.binary.interpreter.is_none() && is_library(&loaded.binary, program) {
            return Err(Error::NotProgram { path: program.to_path_buf() });
        }
        let onnxruntime = load(ONNXRUNTIME, onnxruntime, architecture)?;
        Ok(Self { program: loaded, onnxruntime, system: Vec::new() })
    }

    /// Checks that all of them run on Lambda's `provided.al2023`, and adds libstdc++ and libgcc of
    /// this machine, looked for in `folders`, where `bundle` says so.
    ///
    /// # Errors
    /// Something is lacking there, or the libraries to add are missing here or too new themselves.
    pub fn fit_to_lambda(
        &mut self,
        architecture: Architecture,
        bundle: BundleLibstdcxx,
        folders: &[PathBuf],
    ) -> Result<(), Error> {
        let binaries = [(PROGRAM, &self.program), (ONNXRUNTIME, &self.onnxruntime)];
        let needs_newer = binaries.iter().any(|(_, loaded)| {
            provided::lacks(&loaded.binary, architecture, &[]).iter().any(Lack::is_of_cxx)
        });
        let is_bundled = match bundle {
            BundleLibstdcxx::Always => true,
            BundleLibstdcxx::Never => false,
            BundleLibstdcxx::Auto => needs_newer,
        };
        let system = if is_bundled { read_cxx(architecture, folders)? } else { Vec::new() };
        let names: Vec<String> = system.iter().map(|(name, _)| name.clone()).collect();
        let system_binaries = system.iter().map(|(_, loaded)| (SYSTEM_LIBRARY, loaded));
        for (what, loaded) in binaries.into_iter().chain(system_binaries) {
            let lacks = provided::lacks(&loaded.binary, architecture, &names);
            if !lacks.is_empty() {
                return Err(Error::Lacks { what, path: loaded.path.clone(), lacks });
            }
        }
        self.system = system;
        Ok(())
    }
}

/// Folders in which Linux distributions keep the libraries of a processor.
pub fn system_folders(architecture: Architecture) -> Vec<PathBuf> {
    let name = match architecture {
        Architecture::X86_64 => "x86_64-linux-gnu",
        Architecture::Arm64 => "aarch64-linux-gnu",
    };
    [
        format!("/usr/lib/{name}"),
        format!("/lib/{name}"),
        "/usr/lib64".to_owned(),
        "/lib64".to_owned(),
        "/usr/lib".to_owned(),
        format!("/usr/{name}/lib"),
    ]
    .map(PathBuf::from)
    .to_vec()
}

fn read_cxx(
    architecture: Architecture,
    folders: &[PathBuf],
) -> Result<Vec<(String, Loaded)>, Error> {
    let mut found = Vec::new();
    for name in CXX_LIBRARIES {
        // A folder may hold the library of another processor.
        let loaded = folders
            .iter()
            .map(|folder| folder.join(name))
            .filter(|path| path.is_file())
            .find_map(|path| load(SYSTEM_LIBRARY, &path, architecture).ok());
        let loaded = loaded.ok_or(Error::NoSystemLibrary { name, architecture })?;
        found.push((name.to_owned(), loaded));
    }
    Ok(found)
}

/// A static program has no interpreter either; what tells a library is its name.
fn is_library(binary: &Binary, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !binary.libraries.is_empty() || name.contains(".so")
}

fn load(what: &'static str, path: &Path, architecture: Architecture) -> Result<Loaded, Error> {
    let bytes = read_binary(what, path)?;
    let named = || path.to_path_buf();
    let binary =
        elf::read(&bytes[..]).map_err(|source| Error::Binary { what, path: named(), source })?;
    if binary.architecture() != Some(architecture) {
        let (path, found) = (named(), binary.architecture());
        return Err(Error::Architecture { what, path, found, wanted: architecture });
    }
    Ok(Loaded { path: named(), bytes, binary })
}

fn read_binary(what: &'static str, path: &Path) -> Result<Bytes, Error> {
    let refuse = |source: std::io::Error| Error::Read {
        what,
        path: path.to_path_buf(),
        // The path is said once.
        source: source.kind().into(),
    };
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = fs_err::metadata(path).map_err(refuse)?;
    if metadata.is_dir() {
        return Err(refuse(std::io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        let source = std::io::Error::other("it is no regular file");
        return Err(Error::Read { what, path: path.to_path_buf(), source });
    }
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path).map_err(refuse)?;
    file.take(BINARY_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(refuse)?;
    if bytes.len() as u64 > BINARY_BYTES_MAX {
        return Err(Error::TooLarge { what, path: path.to_path_buf(), bytes: metadata.len() });
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_program_is_taken_and_else_the_one_beside() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join("gwtf-runtime");
        let mut places = ProgramPlaces { beside: Some(beside.clone()), ..Default::default() };
        let error = places.find(Architecture::Arm64).unwrap_err();
        assert!(error.to_string().contains(beside.to_str().unwrap()), "{error}");
        let hint = crate::error::Explain::hint(&error).unwrap();
        assert!(hint.contains("cargo build --release --bin gwtf-runtime"), "{hint}");
        fs_err::write(&beside, "").unwrap();
        assert_eq!(places.find(Architecture::Arm64).unwrap(), beside);
        places.environment = Some("/e".into());
        assert_eq!(places.find(Architecture::Arm64).unwrap(), Path::new("/e"));
        places.flag = Some("/f".into());
        assert_eq!(places.find(Architecture::Arm64).unwrap(), Path::new("/f"));
    }
}
