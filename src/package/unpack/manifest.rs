//! The artefact's own account of itself, for this machine.

use super::Error;
use crate::spec::artefact::{Architecture, ArtefactManifest, MANIFEST_BYTES_MAX, MANIFEST_FILE};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

/// Reads the manifest of the artefact unpacked in `folder`.
pub(super) fn read(artefact: &Path, folder: &Path) -> Result<ArtefactManifest, Error> {
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
    let manifest = ArtefactManifest::parse(&bytes)
        .map_err(|source| Error::Manifest { artefact: artefact.to_owned(), source })?;
    if Architecture::host() != Some(manifest.architecture) {
        let (artefact, architecture) = (artefact.to_owned(), manifest.architecture);
        let machine = std::env::consts::ARCH;
        return Err(Error::Architecture { artefact, architecture, machine });
    }
    Ok(manifest)
}
