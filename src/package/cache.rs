//! Compressed forms of the large files that every artefact has, kept between runs.
//!
//! Deflating ONNX Runtime's library takes longer than everything else together, and gives the same
//! bytes each time. The cache is a help and nothing else: what is missing, damaged or not writable
//! there is made anew.
//!
//! # Invariants
//! A form is used only if it inflates to the very bytes asked for. It was made by the same versions
//! of the crates that would make it anew, since the folder's name has their digest.

use super::archive::{DEFLATE_LEVEL, deflate};
use super::sbom::LOCK;
use crate::model::Digest;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use zip::ZipArchive;

/// Most forms kept: two architectures, a few versions of the runtime.
pub(super) const FORMS_MAX: usize = 16;
/// Bytes that a form may have beyond those of its file.
const FORM_EXTRA_BYTES_MAX: u64 = 1 << 20;

/// The folder of the compressed forms.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache inside gwtf's cache folder.
    pub fn new(cache_folder: &Path) -> Self {
        Self { folder: cache_folder.join("package") }
    }

    /// A zip file in memory with these bytes as its one entry, of this mode.
    pub(super) fn deflated(&self, bytes: &[u8], digest: Digest, executable: bool) -> Vec<u8> {
        let mode = if executable { "755" } else { "644" };
        let made_by = made_by();
        let name = format!("{digest}-{mode}-deflate{DEFLATE_LEVEL}-{made_by}.zip");
        let path = self.folder.join(name);
        if let Some(form) = read(&path, bytes) {
            return form;
        }
        let form = deflate(bytes, executable);
        // Without room in the cache the next run compresses again.
        let _ = self.keep(&path, &form);
        form
    }

    fn keep(&self, path: &Path, form: &[u8]) -> std::io::Result<()> {
        fs_err::create_dir_all(&self.folder)?;
        make_room(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        file.write_all(form)?;
        file.persist(path)?;
        Ok(())
    }
}

/// Removes the oldest forms of a cache's folder, so that one more fits.
pub(super) fn make_room(folder: &Path) -> std::io::Result<()> {
    let mut forms: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            forms.push((metadata.modified()?, entry.path()));
        }
    }
    forms.sort();
    let surplus = (forms.len() + 1).saturating_sub(FORMS_MAX);
    forms.iter().take(surplus).try_for_each(|(_, path)| fs_err::remove_file(path))
}

/// Names the build that makes forms: with other crates the same input may have other bytes.
pub(super) fn made_by() -> String {
    Digest::of(LOCK.as_bytes()).short()
}

/// The form at `path` if it is one of these bytes.
fn read(path: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
    let form_bytes_max = bytes.len() as u64 + FORM_EXTRA_BYTES_MAX;
    let mut form = Vec::new();
    fs_err::File::open(path).ok()?.take(form_bytes_max).read_to_end(&mut form).ok()?;
    let mut archive = ZipArchive::new(Cursor::new(&form)).ok()?;
    let mut entry = archive.by_index(0).ok()?;
    let mut buffer = vec![0; 1 << 16];
    let mut rest = bytes;
    loop {
        let count = entry.read(&mut buffer).ok()?;
        if count == 0 {
            break;
        }
        rest = rest.strip_prefix(&buffer[..count])?;
    }
    drop(entry);
    rest.is_empty().then_some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_kept_and_a_damaged_one_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let digest = Digest::of(&bytes);
        let fresh = deflate(&bytes, true);
        assert_eq!(cache.deflated(&bytes, digest, true), fresh);
        let forms = || -> Vec<PathBuf> {
            let entries = fs_err::read_dir(&cache.folder).unwrap();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        assert_eq!(forms().len(), 1);
        let path = forms().remove(0);
        let other = deflate(b"other bytes", true);
        let flipped: Vec<u8> =
            fresh.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 500)).collect();
        for damaged in [&b""[..], b"PK", &fresh[..fresh.len() / 2], &other, &flipped] {
            fs_err::write(&path, damaged).unwrap();
            assert_eq!(cache.deflated(&bytes, digest, true), fresh);
            assert_eq!(fs_err::read(&path).unwrap(), fresh, "it was made anew");
        }
    }

    #[test]
    fn the_cache_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        for i in 0..FORMS_MAX + 5 {
            let bytes = i.to_le_bytes();
            cache.deflated(&bytes, Digest::of(&bytes), false);
        }
        assert_eq!(fs_err::read_dir(&cache.folder).unwrap().count(), FORMS_MAX);
    }

    #[test]
    fn no_cache_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs_err::write(&file, "").unwrap();
        let form = Cache::new(&file).deflated(b"bytes", Digest::of(b"bytes"), false);
        assert_eq!(form, deflate(b"bytes", false));
    }
}
