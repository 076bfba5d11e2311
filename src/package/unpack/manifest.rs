//! The artefact's own account of itself, held to its form.

use super::Error;
use crate::spec::artefact::{
    Architecture, ArtefactManifest, MANIFEST_BYTES_MAX, MANIFEST_FILE, SCHEMA,
};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

/// Longest endpoint name and version tag, characters; both stand in paths and headers.
const NAME_CHARS_MAX: usize = 64;

/// Reads the manifest of the artefact unpacked in `folder`.
pub(super) fn read(artefact: &Path, folder: &Path) -> Result<ArtefactManifest, Error> {
    let refuse = |message: String| Error::Manifest { artefact: artefact.to_owned(), message };
    let file = match fs_err::File::open(folder.join(MANIFEST_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::NoManifest { artefact: artefact.to_owned() });
        }
        Err(source) => return Err(Error::Read { source }),
    };
    let mut bytes = Vec::new();
    file.take(MANIFEST_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Read { source })?;
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(refuse(format!("it is longer than {MANIFEST_BYTES_MAX} bytes")));
    }
    let manifest: ArtefactManifest =
        serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    if manifest.schema != SCHEMA {
        return Err(refuse(format!("its schema is not `{SCHEMA}`")));
    }
    for (what, name) in [("endpoint", &manifest.endpoint), ("version", &manifest.version)] {
        if !is_name(name) {
            return Err(refuse(format!("its {what} is no name")));
        }
    }
    if Architecture::host() != Some(manifest.architecture) {
        let (artefact, architecture) = (artefact.to_owned(), manifest.architecture);
        let machine = std::env::consts::ARCH;
        return Err(Error::Architecture { artefact, architecture, machine });
    }
    Ok(manifest)
}

fn is_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(inside)
}
