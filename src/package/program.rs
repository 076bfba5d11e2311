//! Which `gwtf-runtime` goes into an artefact.

use crate::error::{Exit, Explain};
use crate::spec::Architecture;
use std::path::{Path, PathBuf};

/// The program's name.
pub const PROGRAM: &str = "gwtf-runtime";

/// Where to look for the program, in this order.
#[derive(Debug, Clone)]
pub struct ProgramPlaces {
    /// `--runtime PATH`.
    pub flag: Option<PathBuf>,
    /// The value of `GWTF_RUNTIME`.
    pub environment: Option<PathBuf>,
    /// The folder of gwtf's own executable; only for its own architecture.
    pub own_folder: Option<PathBuf>,
}

/// There is no program to pack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The named file is none.
    #[error("`{PROGRAM}` `{path}` ({named_by}): there is no such file")]
    Named {
        /// The path.
        path: PathBuf,
        /// The flag or the variable.
        named_by: &'static str,
    },
    /// Nothing is named, and nothing lies beside gwtf.
    #[error("`{PROGRAM}` for {architecture}: none is named, and none lies {place}", place = place(.beside.as_deref()))]
    NotFound {
        /// The artefact's.
        architecture: Architecture,
        /// Where it was looked for; `None` when the artefact is for another architecture.
        beside: Option<PathBuf>,
    },
}

fn place(beside: Option<&Path>) -> String {
    match beside {
        Some(folder) => format!("in `{}`", folder.display()),
        None => "beside a gwtf of that architecture".to_owned(),
    }
}

impl Explain for ProgramError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        let architecture = match self {
            Self::Named { .. } => None,
            Self::NotFound { architecture, beside } => beside.is_none().then_some(*architecture),
        };
        Some(match architecture {
            None => format!(
                "build it with `cargo build --release --bin {PROGRAM}` and name it with --runtime \
                 PATH or GWTF_RUNTIME"
            ),
            Some(architecture) => format!(
                "build it with `cargo build --release --bin {PROGRAM} --target {}` (with that \
                 target's linker) or on such a machine, and name it with --runtime PATH",
                triple(architecture)
            ),
        })
    }
}

/// Rust's name of the platform.
fn triple(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    }
}

/// Finds the program for an artefact. What it is for is checked with the artefact's other binaries.
///
/// # Errors
/// The file that is named is none, or none is named and none lies beside gwtf.
pub fn find(places: &ProgramPlaces, architecture: Architecture) -> Result<PathBuf, ProgramError> {
    let named = [(&places.flag, "--runtime"), (&places.environment, "GWTF_RUNTIME")];
    for (path, named_by) in named {
        if let Some(path) = path {
            return if path.is_file() {
                Ok(path.clone())
            } else {
                Err(ProgramError::Named { path: path.clone(), named_by })
            };
        }
    }
    let is_own = std::env::consts::OS == "linux" && own_architecture() == Some(architecture);
    let beside = places.own_folder.clone().filter(|_| is_own);
    match &beside {
        Some(folder) if folder.join(PROGRAM).is_file() => Ok(folder.join(PROGRAM)),
        _ => Err(ProgramError::NotFound { architecture, beside }),
    }
}

/// The architecture that this program was built for, if Lambda has it.
pub fn own_architecture() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Arm64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_goes_before_what_lies_beside() {
        let folder = tempfile::tempdir().unwrap();
        let own = own_architecture().unwrap();
        let place = |name: &str| {
            let path = folder.path().join(name);
            fs_err::write(&path, "x").unwrap();
            path
        };
        let none = ProgramPlaces {
            flag: None,
            environment: None,
            own_folder: Some(folder.path().to_owned()),
        };
        let missing = find(&none, own).unwrap_err();
        assert!(missing.to_string().contains(&folder.path().display().to_string()), "{missing}");
        let beside = place(PROGRAM);
        assert_eq!(find(&none, own).unwrap(), beside);
        let environment = place("from-environment");
        let named = ProgramPlaces { environment: Some(environment.clone()), ..none.clone() };
        assert_eq!(find(&named, own).unwrap(), environment);
        let flag = place("from-flag");
        let named = ProgramPlaces { flag: Some(flag.clone()), ..named };
        assert_eq!(find(&named, own).unwrap(), flag);
        let gone = ProgramPlaces { flag: Some(folder.path().join("gone")), ..named };
        assert!(matches!(find(&gone, own), Err(ProgramError::Named { named_by: "--runtime", .. })));
    }

    #[test]
    fn for_another_architecture_the_hint_says_how_to_build_it() {
        let other = match own_architecture().unwrap() {
            Architecture::X86_64 => Architecture::Arm64,
            Architecture::Arm64 => Architecture::X86_64,
        };
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(PROGRAM), "x").unwrap();
        let places = ProgramPlaces {
            flag: None,
            environment: None,
            own_folder: Some(folder.path().to_owned()),
        };
        let error = find(&places, other).unwrap_err();
        assert_eq!(error, ProgramError::NotFound { architecture: other, beside: None });
        assert!(error.hint().unwrap().contains(triple(other)));
    }
}
