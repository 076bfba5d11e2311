//! A Lambda zip into a folder.

use super::Error;
use super::write::{ENTRIES_MAX, Target};
use crate::spec::limits::LAMBDA_UNZIPPED_BYTES_MAX;
use ::zip::ZipArchive;
use ::zip::result::ZipError;
use std::path::Path;

/// Largest zip file, bytes: deflate makes nothing much larger than it was, and an archive has no
/// use for more than that beside its entries.
const FILE_BYTES_MAX: u64 = LAMBDA_UNZIPPED_BYTES_MAX + (16 << 20);

/// Unpacks `artefact` into the empty `folder`.
pub(super) fn unpack(artefact: &Path, folder: &Path) -> Result<(), Error> {
    let refuse =
        |error: ZipError| Error::Zip { artefact: artefact.to_owned(), message: error.to_string() };
    let too_large = |limit: String| Error::TooLarge { artefact: artefact.to_owned(), limit };
    let file = fs_err::File::open(artefact).map_err(|source| Error::Read { source })?;
    let metadata = file.metadata().map_err(|source| Error::Read { source })?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(too_large(format!("{LAMBDA_UNZIPPED_BYTES_MAX} bytes")));
    }
    let mut archive = ZipArchive::new(file).map_err(refuse)?;
    if archive.len() > ENTRIES_MAX {
        return Err(too_large(format!("{ENTRIES_MAX} entries")));
    }
    let mut target = Target::new(artefact, folder);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(refuse)?;
        let name = entry.name().map_err(refuse)?.into_owned();
        if entry.is_symlink() {
            return Err(target.refuse(&name, "is a link"));
        }
        if let Some(folder) = name.strip_suffix('/') {
            target.folder(folder)?;
        } else {
            let mode = entry.unix_mode();
            target.file(&name, mode, &mut entry)?;
        }
    }
    Ok(())
}
