//! What Lambda's `provided.al2023` has, and whether binaries can run there.
//!
//! Facts and where they are from (read on 2026-11-24):
//! - glibc 2.34 and GCC 11: AL2023 user guide, "Improved toolchain: gcc, binutils, and glibc"
//!   (<https://docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html>).
//! - GCC 11's libstdc++ ends at GLIBCXX_3.4.29 and CXXABI_1.3.13, its libgcc at GCC_7.0.0: GCC's
//!   manual, "ABI Policy and Guidelines", and libgcc's version scripts; no name up to `GCC_11` is
//!   newer than it.
//! - `provided.al2023` is the minimal container image (AL2023 user guide, "Using AL2023 in AWS
//!   Lambda"), which carries microdnf. That libgcc and libstdc++ are in it follows from microdnf's
//!   libdnf, which is written in C++; AWS lists both for the base container image and not, where we
//!   could look, for the minimal one. Whoever knows better has `--bundle-libstdcxx`.

use super::elf::{Binary, SymbolVersion};
use crate::spec::Architecture;

/// Newest symbol versions by the front of their names.
const NEWEST: [(&str, &[u32]); 4] =
    [("GLIBC_", &[2, 34]), ("GLIBCXX_", &[3, 4, 29]), ("CXXABI_", &[1, 3, 13]), ("GCC_", &[11])];

/// Versions with other names that are there: long-lived ABI marks.
const NAMED: [&str; 3] = ["GLIBC_PRIVATE", "CXXABI_TM_1", "CXXABI_FLOAT128"];

/// Shared libraries that are there.
const LIBRARIES: [&str; 9] = [
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libgcc_s.so.1",
    "libstdc++.so.6",
];

/// The C++ libraries: the ones that a newer compiler's binaries may have to bring along.
pub const CXX_LIBRARIES: [&str; 2] = ["libgcc_s.so.1", "libstdc++.so.6"];

/// Something that a binary needs and the target does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// A loader.
    Interpreter(String),
    /// A shared library.
    Library(String),
    /// A symbol version.
    Version {
        /// What is needed.
        needed: SymbolVersion,
        /// The newest there is (`GLIBC_2.34`).
        newest: String,
    },
}

impl Lack {
    /// Whether libraries of [`CXX_LIBRARIES`] from a newer compiler would help.
    pub fn is_of_cxx(&self) -> bool {
        let library = match self {
            Self::Interpreter(_) => return false,
            Self::Library(library) => library,
            Self::Version { needed, .. } => &needed.library,
        };
        CXX_LIBRARIES.contains(&library.as_str())
    }
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interpreter(path) => write!(f, "it needs the loader {path}"),
            Self::Library(name) => write!(f, "it needs {name}"),
            Self::Version { needed, newest } => write!(f, "it needs {needed}, {newest} is there"),
        }
    }
}

/// Path of the loader.
fn interpreter(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "/lib64/ld-linux-x86-64.so.2",
        Architecture::Arm64 => "/lib/ld-linux-aarch64.so.1",
    }
}

/// What the binary needs and `provided.al2023` does not have, beside the `bundled` libraries, the
/// newest symbol version first.
pub fn lacks(binary: &Binary, architecture: Architecture, bundled: &[String]) -> Vec<Lack> {
    let loader = interpreter(architecture);
    let mut lacks = Vec::new();
    if let Some(path) = binary.interpreter.as_ref().filter(|path| *path != loader) {
        lacks.push(Lack::Interpreter(path.clone()));
    }
    let loader_name = loader.rsplit('/').next().unwrap_or(loader);
    let is_there = |name: &String| {
        LIBRARIES.contains(&name.as_str()) || name == loader_name || bundled.contains(name)
    };
    let missing = binary.libraries.iter().filter(|name| !is_there(name));
    lacks.extend(missing.cloned().map(Lack::Library));
    let mut versions: Vec<(Vec<u32>, Lack)> = binary
        .versions
        .iter()
        .filter(|version| !bundled.contains(&version.library))
        .filter_map(too_new)
        .collect();
    versions.sort_by(|a, b| b.0.cmp(&a.0));
    lacks.extend(versions.into_iter().map(|(_, lack)| lack));
    lacks
}

/// The version's number and the lack, if it is not there.
fn too_new(version: &SymbolVersion) -> Option<(Vec<u32>, Lack)> {
    if NAMED.contains(&version.name.as_str()) {
        return None;
    }
    // A version of another family belongs to a library that is missing or bundled as a whole.
    let (family, newest) = NEWEST.iter().find(|(family, _)| version.name.starts_with(family))?;
    let number = &version.name[family.len()..];
    let numbers: Option<Vec<u32>> = number.split('.').map(|part| part.parse().ok()).collect();
    // A name that is no number is a mark of an ABI newer than the known ones.
    let numbers = numbers.unwrap_or_else(|| vec![u32::MAX]);
    let is_there = match *family {
        // GCC_7.0.0 and GCC_11: the major number tells the compiler's release.
        "GCC_" => numbers[0] <= newest[0],
        _ => numbers.as_slice() <= *newest,
    };
    let text: Vec<String> = newest.iter().map(u32::to_string).collect();
    let newest = format!("{family}{}", text.join("."));
    (!is_there).then(|| (numbers, Lack::Version { needed: version.clone(), newest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(libraries: &[&str], versions: &[(&str, &str)]) -> Binary {
        Binary {
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
            libraries: libraries.iter().map(|name| (*name).to_owned()).collect(),
            versions: versions
                .iter()
                .map(|(library, name)| SymbolVersion {
                    library: (*library).to_owned(),
                    name: (*name).to_owned(),
                })
                .collect(),
            ..Binary::default()
        }
    }

    #[test]
    fn symbol_versions_compare_as_numbers() {
        let cases = [
            ("libc.so.6", "GLIBC_2.34", true),
            ("libc.so.6", "GLIBC_2.9", true),
            ("libc.so.6", "GLIBC_2.2.5", true),
            ("libc.so.6", "GLIBC_2.35", false),
            ("libc.so.6", "GLIBC_3.0", false),
            ("libc.so.6", "GLIBC_ABI_DT_RELR", false),
            ("libc.so.6", "GLIBC_PRIVATE", true),
            ("libstdc++.so.6", "GLIBCXX_3.4", true),
            ("libstdc++.so.6", "GLIBCXX_3.4.29", true),
            ("libstdc++.so.6", "GLIBCXX_3.4.30", false),
            ("libstdc++.so.6", "CXXABI_1.3.13", true),
            ("libstdc++.so.6", "CXXABI_1.3.14", false),
            ("libgcc_s.so.1", "GCC_4.2.0", true),
            ("libgcc_s.so.1", "GCC_11.0", true),
            ("libgcc_s.so.1", "GCC_12.0.0", false),
            ("libz.so.1", "ZLIB_1.2.9", true),
        ];
        for (library, version, is_there) in cases {
            let lacks = lacks(&binary(&[], &[(library, version)]), Architecture::X86_64, &[]);
            assert_eq!(lacks.is_empty(), is_there, "{version}: {lacks:?}");
        }
    }

    #[test]
    fn what_is_bundled_is_there() {
        let needs = binary(
            &["libc.so.6", "libstdc++.so.6", "libz.so.1"],
            &[("libstdc++.so.6", "GLIBCXX_3.4.32"), ("libc.so.6", "GLIBC_2.38")],
        );
        let text = |bundled: &[&str]| {
            let bundled: Vec<String> = bundled.iter().map(|name| (*name).to_owned()).collect();
            let lacks = lacks(&needs, Architecture::X86_64, &bundled);
            lacks.iter().map(|lack| (lack.to_string(), lack.is_of_cxx())).collect::<Vec<_>>()
        };
        let glibc = ("it needs GLIBC_2.38 of libc.so.6, GLIBC_2.34 is there".to_owned(), false);
        let cxx =
            ("it needs GLIBCXX_3.4.32 of libstdc++.so.6, GLIBCXX_3.4.29 is there".to_owned(), true);
        assert_eq!(text(&[]), [("it needs libz.so.1".to_owned(), false), cxx, glibc.clone()]);
        assert_eq!(text(&["libz.so.1", "libstdc++.so.6"]), [glibc]);
    }

    #[test]
    fn another_loader_is_lacking() {
        let musl = Binary {
            interpreter: Some("/lib/ld-musl-x86_64.so.1".to_owned()),
            ..binary(&["ld-linux-x86-64.so.2"], &[])
        };
        let lack = Lack::Interpreter("/lib/ld-musl-x86_64.so.1".to_owned());
        assert_eq!(lacks(&musl, Architecture::X86_64, &[]), [lack]);
    }
}
