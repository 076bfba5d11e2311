//! Layers: archives compressed into blobs, and a cache of those that seldom change.
//!
//! The cache holds gzip files under the digest of the archive inside them. On use the file is
//! inflated again and held to its name while it is copied, so a damaged or foreign file is made anew
//! and never trusted. The model's layer is not kept: it holds the version's manifest, so the same
//! one hardly comes twice, and it may be gigabytes.
//!
//! # Invariants
//! One archive has one blob: the compression level and every byte of gzip's header are fixed. A
//! cached file's name has the digest of the crates that made it, so that another encoder's bytes are
//! never taken for this one's.

use super::document::{BlobDigest, Descriptor};
use super::error::Error;
use super::measure::{Copying, Measured};
use super::tree::Tree;
use crate::package::cache;
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// gzip's level: the usual one; higher ones cost seconds for a hundredth of the size.
const LEVEL: u32 = 6;
/// The byte for "unknown operating system" (RFC 1952, 2.3.1).
const GZIP_OS_UNKNOWN: u8 = 255;
/// Bytes copied at a time.
const BUFFER_BYTES: usize = 1 << 17;

/// A blob that is a gzip layer, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blob {
    /// Digest of the compressed bytes.
    pub(super) digest: BlobDigest,
    /// Compressed bytes.
    pub(super) bytes: u64,
    /// Digest of the archive inside.
    pub(super) diff_id: BlobDigest,
    /// Bytes of the archive inside.
    pub(super) raw_bytes: u64,
}

/// A folder of blobs under their digests (`blobs/sha256` of a layout).
#[derive(Debug, Clone)]
pub(super) struct BlobFolder(pub(super) PathBuf);

impl BlobFolder {
    /// The blob's path.
    pub(super) fn path(&self, digest: BlobDigest) -> PathBuf {
        self.0.join(digest.0.to_string())
    }

    /// Whether the blob is there, with the bytes that its digest says.
    pub(super) fn holds(&self, descriptor: &Descriptor) -> bool {
        let Ok(file) = fs_err::File::open(self.path(descriptor.digest)) else { return false };
        let mut measured = Measured::new(file.take(descriptor.bytes.saturating_add(1)));
        let copied = io::copy(&mut measured, &mut io::sink());
        let (_, digest, bytes) = measured.finish();
        copied.is_ok() && digest == descriptor.digest && bytes == descriptor.bytes
    }

    fn write_error(&self) -> impl Fn(io::Error) -> Error {
        let path = self.0.clone();
        move |source| Error::Write { path: path.clone(), source }
    }

    /// A file in this folder without a name yet.
    pub(super) fn unnamed(&self) -> Result<tempfile::NamedTempFile, Error> {
        tempfile::NamedTempFile::new_in(&self.0).map_err(self.write_error())
    }

    /// Gives the file its digest for a name.
    pub(super) fn keep(
        &self,
        file: tempfile::NamedTempFile,
        digest: BlobDigest,
    ) -> Result<(), Error> {
        readable_by_all(file.as_file()).map_err(self.write_error())?;
        let kept = file.persist(self.path(digest));
        kept.map(drop).map_err(|error| self.write_error()(error.error))
    }

    /// Puts bytes.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<BlobDigest, Error> {
        let digest = BlobDigest(crate::model::Digest::of(bytes));
        let mut file = self.unnamed()?;
        file.write_all(bytes).map_err(self.write_error())?;
        self.keep(file, digest)?;
        Ok(digest)
    }

    /// Copies a gzip layer, measuring both sides of its compression; `accept` may still refuse it.
    pub(super) fn copy_layer<R: Read>(
        &self,
        from: R,
        raw_bytes_max: u64,
        accept: impl FnOnce(&Blob) -> bool,
    ) -> Result<Option<Blob>, Error> {
        let file = self.unnamed()?;
        let copying = Copying { from, to: io::BufWriter::with_capacity(BUFFER_BYTES, file) };
        let mut compressed = Measured::new(copying);
        let Ok(raw) = inflated(&mut compressed, raw_bytes_max) else { return Ok(None) };
        let (copying, digest, bytes) = compressed.finish();
        let blob = Blob { digest, bytes, diff_id: raw.0, raw_bytes: raw.1 };
        if !accept(&blob) {
            return Ok(None);
        }
        let file =
            copying.to.into_inner().map_err(|error| self.write_error()(error.into_error()))?;
        self.keep(file, digest)?;
        Ok(Some(blob))
    }

    /// Compresses an archive into a blob.
    pub(super) fn compress(&self, tree: &Tree) -> Result<Blob, Error> {
        let file = self.unnamed()?;
        let buffered = io::BufWriter::with_capacity(BUFFER_BYTES, file);
        let encoder = GzBuilder::new()
            .mtime(0)
            .operating_system(GZIP_OS_UNKNOWN)
            .write(Measured::new(buffered), Compression::new(LEVEL));
        let raw = tree.write_tar(Measured::new(encoder))?;
        let (encoder, diff_id, raw_bytes) = raw.finish();
        let compressed = encoder.finish().map_err(self.write_error())?;
        let (buffered, digest, bytes) = compressed.finish();
        let file = buffered.into_inner().map_err(|error| self.write_error()(error.into_error()))?;
        self.keep(file, digest)?;
        Ok(Blob { digest, bytes, diff_id, raw_bytes })
    }
}

/// Reads a gzip stream to the end of its bytes; the digest and size of what is inside.
fn inflated(from: &mut impl Read, raw_bytes_max: u64) -> io::Result<(BlobDigest, u64)> {
    let mut decoder = MultiGzDecoder::new(io::BufReader::with_capacity(BUFFER_BYTES, &mut *from));
    let mut raw = Measured::new(io::sink());
    let limited = &mut (&mut decoder).take(raw_bytes_max + 1);
    if io::copy(limited, &mut raw)? > raw_bytes_max {
        return Err(io::Error::other("the layer is too large"));
    }
    let (_, diff_id, bytes) = raw.finish();
    Ok((diff_id, bytes))
}

/// Blobs are shared, as files that a person writes are; a temporary file is its owner's alone.
fn readable_by_all(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Compressed layers of earlier images.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// A cache in this folder; none, and nothing is kept.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(|folder| folder.join("layers")) }
    }

    /// The layer of a tree in `blobs`, and whether it came from the cache.
    ///
    /// # Errors
    /// A file cannot be read, or the layout not written. A cache that cannot be written is no error:
    /// the image is made all the same.
    pub(super) fn layer(&self, tree: &Tree, blobs: &BlobFolder) -> Result<(Blob, bool), Error> {
        let Some(folder) = &self.folder else { return Ok((blobs.compress(tree)?, false)) };
        let (_, diff_id, raw_bytes) = tree.write_tar(Measured::new(io::sink()))?.finish();
        let path = folder.join(format!("{}-gzip{LEVEL}-{}.tar.gz", diff_id.0, cache::made_by()));
        if let Ok(file) = fs_err::File::open(&path) {
            let is_it = |blob: &Blob| blob.diff_id == diff_id && blob.raw_bytes == raw_bytes;
            if let Some(blob) = blobs.copy_layer(file, raw_bytes, is_it)? {
                return Ok((blob, true));
            }
        }
        let blob = blobs.compress(tree)?;
        if blob.diff_id != diff_id {
            let changed = io::Error::other("a file changed while it was read");
            return Err(Error::archive(changed));
        }
        // The cache only saves time.
        let _ = keep_copy(&blobs.path(blob.digest), folder, &path);
        Ok((blob, false))
    }
}

fn keep_copy(from: &Path, folder: &Path, path: &Path) -> io::Result<()> {
    fs_err::create_dir_all(folder)?;
    cache::make_room(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::copy(&mut fs_err::File::open(from)?, &mut file)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobFolder(folder.path().join("blobs"));
        fs_err::create_dir(&blobs.0).unwrap();
        let kept = Cache::new(Some(folder.path()));
        // What an earlier version left is not its own to remove.
        fs_err::create_dir_all(folder.path().join("layers/other")).unwrap();
        for number in 0..cache::FORMS_MAX + 3 {
            let mut tree = Tree::default();
            tree.put_text("file", number.to_string()).unwrap();
            assert!(!kept.layer(&tree, &blobs).unwrap().1, "{number}");
            assert!(kept.layer(&tree, &blobs).unwrap().1, "{number}");
        }
        let layers = fs_err::read_dir(folder.path().join("layers")).unwrap();
        assert_eq!(layers.count(), cache::FORMS_MAX + 1);
    }
}
