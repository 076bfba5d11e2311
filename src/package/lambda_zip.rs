//! The Lambda zip: entries deflated in their order, with fixed times and modes.
//!
//! What seldom changes (the program, the libraries) is deflated once and kept in the cache as a zip
//! of one entry, under the digest of its bytes; the deflated stream is then copied as it is. On use
//! it is inflated again and held to its digest, so a damaged file is made anew and never trusted.
//!
//! # Invariants
//! Same entries, same bytes, with a cold or a warm cache or none: a kept stream and a new one take
//! the same way into the archive. Nothing is at the output path until the whole archive is on the
//! disk.

mod error;

pub use error::Error;

use super::{Entry, Part, Source};
use crate::model::Digest;
use crate::spec::limits::LAMBDA_UNZIPPED_BYTES_MAX;
use sha2::Digest as _;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Deflate's level for what is kept in the cache: the best, as it is done once.
const LEVEL_KEPT: i64 = 9;
/// Deflate's level for the model: weights hardly get smaller, and higher ones take seconds.
const LEVEL_MODEL: i64 = 6;
/// Names level and encoder (miniz_oxide); changes whenever its bytes do.
const ENCODER: &str = "deflate-9-1";
/// Bytes copied at a time.
const BUFFER_BYTES: usize = 1 << 17;
/// Largest zip that `CreateFunction` takes directly, 50 MB (Lambda developer guide, "Lambda
/// quotas"), bytes; a larger one goes through S3.
pub const DIRECT_UPLOAD_BYTES_MAX: u64 = 50 << 20;

/// How a zip is written.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// gwtf's cache folder; none, and nothing deflated is kept.
    pub cache_folder: Option<PathBuf>,
    /// Whether a file at the output path is replaced.
    pub force: bool,
}

/// A file in the zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZippedEntry {
    /// Its path.
    pub path: String,
    /// What it is for.
    pub part: Part,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: u64,
    /// Its bytes, deflated.
    pub stored_bytes: u64,
}

/// A zip that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipReport {
    /// Digest of the file: what `--code-sha256` is made of.
    pub digest: Digest,
    /// The file's bytes.
    pub bytes: u64,
    /// Its entries, in their order.
    pub entries: Vec<ZippedEntry>,
}

impl ZipReport {
    /// Bytes of all entries, unzipped.
    pub fn unzipped_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}

/// Writes the entries as a zip at `out`.
///
/// # Errors
/// The entries are larger than Lambda takes, one cannot be read, something is at `out` and is not
/// to be replaced, or the disk does not take it. Nothing is left behind then.
pub fn write(entries: &[Entry], options: &Options, out: &Path) -> Result<ZipReport, Error> {
    check_size(entries)?;
    check_output(out, options.force)?;
    let write_error = |source| Error::Write { path: out.to_owned(), source };
    let parent = match out.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(Error::OutputExists { path: out.to_owned() }),
    };
    let file =
        tempfile::Builder::new().prefix(".gwtf-zip-").tempfile_in(parent).map_err(write_error)?;
    let kept = Kept::new(options.cache_folder.as_deref());
    let buffered = io::BufWriter::with_capacity(BUFFER_BYTES, file);
    let mut archive = Archive { writer: ZipWriter::new(buffered), out, kept };
    let added = entries.iter().map(|entry| archive.add(entry)).collect::<Result<Vec<_>, _>>()?;
    let buffered = archive.writer.finish().map_err(|error| archive_error(out, error))?;
    let mut file = buffered.into_inner().map_err(|error| write_error(error.into_error()))?;
    let (digest, bytes) = hashed(file.as_file_mut()).map_err(write_error)?;
    let zipped = zipped(entries, added, &mut file, out)?;
    // A temporary file is its owner's alone.
    let mode = std::fs::Permissions::from_mode(0o644);
    file.as_file().set_permissions(mode).map_err(write_error)?;
    file.as_file().sync_all().map_err(write_error)?;
    let persisted = if options.force { file.persist(out) } else { file.persist_noclobber(out) };
    persisted.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => Error::OutputExists { path: out.to_owned() },
        _ => write_error(error.error),
    })?;
    Ok(ZipReport { digest, bytes, entries: zipped })
}

/// Holds the files to Lambda's limit before anything is written.
fn check_size(entries: &[Entry]) -> Result<(), Error> {
    let mut largest: Option<(u64, &str)> = None;
    let mut all = 0u64;
    for entry in entries {
        let bytes = match &entry.source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File(path) => {
                let metadata = fs_err::metadata(path)
                    .map_err(|source| Error::Read { path: path.clone(), source })?;
                metadata.len()
            }
        };
        all = all.saturating_add(bytes);
        if largest.is_none_or(|(most, _)| bytes > most) {
            largest = Some((bytes, &entry.path));
        }
    }
    match largest {
        Some((largest_bytes, path)) if all > LAMBDA_UNZIPPED_BYTES_MAX => {
            Err(Error::TooLarge { bytes: all, largest: path.to_owned(), largest_bytes })
        }
        _ => Ok(()),
    }
}

fn check_output(out: &Path, force: bool) -> Result<(), Error> {
    match fs_err::symlink_metadata(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Write { path: out.to_owned(), source }),
        Ok(found) if force && found.is_file() => Ok(()),
        Ok(found) if found.is_dir() => Err(Error::OutputFolder { path: out.to_owned() }),
        Ok(_) => Err(Error::OutputExists { path: out.to_owned() }),
    }
}

/// An archive being written.
struct Archive<'a, W: Write + Seek> {
    writer: ZipWriter<W>,
    out: &'a Path,
    kept: Kept,
}

impl<W: Write + Seek> Archive<'_, W> {
    /// Adds an entry; the digest and size of its bytes.
    fn add(&mut self, entry: &Entry) -> Result<(Digest, u64), Error> {
        match (&entry.source, entry.part) {
            (Source::File(file), Part::SystemLibrary | Part::OnnxRuntime | Part::Runtime) => {
                self.add_kept(entry, file)
            }
            _ => self.add_new(entry),
        }
    }

    /// Deflates an entry into the archive.
    fn add_new(&mut self, entry: &Entry) -> Result<(Digest, u64), Error> {
        let options = file_options(entry.executable, LEVEL_MODEL);
        let started = self.writer.start_file(entry.path.as_str(), options);
        started.map_err(|error| archive_error(self.out, error))?;
        match &entry.source {
            Source::Bytes(bytes) => {
                let written = self.writer.write_all(bytes);
                written.map_err(|source| Error::Write { path: self.out.to_owned(), source })?;
                Ok((Digest::of(bytes), bytes.len() as u64))
            }
            Source::File(path) => copy_hashed(path, &mut self.writer, self.out),
        }
    }

    /// Copies the deflated bytes of an earlier time, or makes them.
    fn add_kept(&mut self, entry: &Entry, file: &Path) -> Result<(Digest, u64), Error> {
        let read_error = |source| Error::Read { path: file.to_owned(), source };
        let mut opened = fs_err::File::open(file).map_err(read_error)?;
        let (digest, bytes) = hashed(&mut opened).map_err(read_error)?;
        let one = match self.kept.read(digest, entry.executable) {
            Some(one) => one,
            None => {
                let one = deflated(file, digest, entry.executable)?;
                self.kept.keep(digest, entry.executable, &one);
                one
            }
        };
        let mut archive = ZipArchive::new(Cursor::new(one.as_slice()))
            .map_err(|error| archive_error(self.out, error))?;
        let copied = archive
            .by_index_raw(0)
            .and_then(|only| self.writer.raw_copy_file_rename(only, entry.path.as_str()));
        copied.map_err(|error| archive_error(self.out, error))?;
        Ok((digest, bytes))
    }
}

/// What stands in the finished archive of each entry.
fn zipped(
    entries: &[Entry],
    added: Vec<(Digest, u64)>,
    file: impl Read + Seek,
    out: &Path,
) -> Result<Vec<ZippedEntry>, Error> {
    let mut archive = ZipArchive::new(file).map_err(|error| archive_error(out, error))?;
    let mut zipped = Vec::with_capacity(entries.len());
    for (at, (entry, (digest, bytes))) in entries.iter().zip(added).enumerate() {
        let stored = archive.by_index_raw(at).map_err(|error| archive_error(out, error))?;
        zipped.push(ZippedEntry {
            path: entry.path.clone(),
            part: entry.part,
            digest,
            bytes,
            stored_bytes: stored.compressed_size(),
        });
    }
    Ok(zipped)
}

/// No time is newer than the format's first, and modes are those that Lambda needs: its programs do
/// not run as the owner of their files.
fn file_options(executable: bool, level: i64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .last_modified_time(DateTime::default())
        .unix_permissions(if executable { 0o755 } else { 0o644 })
}

/// A zip of this one file, in memory.
fn deflated(file: &Path, digest: Digest, executable: bool) -> Result<Vec<u8>, Error> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file(digest.to_string(), file_options(executable, LEVEL_KEPT))
        .map_err(|error| archive_error(file, error))?;
    let (copied, _) = copy_hashed(file, &mut writer, file)?;
    if copied != digest {
        let source = io::Error::other("it changed while it was read");
        return Err(Error::Read { path: file.to_owned(), source });
    }
    let finished = writer.finish().map_err(|error| archive_error(file, error))?;
    Ok(finished.into_inner())
}

/// Deflated files of earlier times.
struct Kept {
    folder: Option<PathBuf>,
}

impl Kept {
    fn new(cache_folder: Option<&Path>) -> Self {
        Self { folder: cache_folder.map(|folder| folder.join("deflated").join(ENCODER)) }
    }

    fn path(&self, digest: Digest, executable: bool) -> Option<PathBuf> {
        let mode = if executable { "755" } else { "644" };
        self.folder.as_ref().map(|folder| folder.join(format!("{digest}-{mode}.zip")))
    }

    /// The zip of one entry whose bytes have this digest; nothing when it is missing or damaged.
    fn read(&self, digest: Digest, executable: bool) -> Option<Vec<u8>> {
        let file = fs_err::File::open(self.path(digest, executable)?).ok()?;
        let mut bytes = Vec::new();
        file.take(LAMBDA_UNZIPPED_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let mut archive = ZipArchive::new(Cursor::new(bytes.as_slice())).ok()?;
        let mut only = archive.by_index(0).ok()?;
        let mode = if executable { 0o755 } else { 0o644 };
        if only.unix_mode().is_none_or(|found| found & 0o777 != mode) {
            return None;
        }
        let mut hasher = Hasher::default();
        io::copy(&mut (&mut only).take(LAMBDA_UNZIPPED_BYTES_MAX), &mut hasher).ok()?;
        let is_it = hasher.digest() == digest;
        drop(only);
        is_it.then_some(bytes)
    }

    /// Keeps it. A cache that cannot be written costs the next run its time, and is no error.
    fn keep(&self, digest: Digest, executable: bool, bytes: &[u8]) {
        let (Some(folder), Some(path)) = (&self.folder, self.path(digest, executable)) else {
            return;
        };
        let write = || -> io::Result<()> {
            fs_err::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(bytes)?;
            file.persist(&path).map(drop).map_err(|error| error.error)
        };
        let _ = write();
    }
}

/// A writer that only hashes.
#[derive(Default)]
struct Hasher(sha2::Sha256);

impl Hasher {
    fn digest(self) -> Digest {
        Digest::from_hasher(self.0)
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Digest and size of a file, read from its start.
fn hashed(file: &mut (impl Read + Seek)) -> io::Result<(Digest, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Hasher::default();
    let bytes = io::copy(&mut io::BufReader::with_capacity(BUFFER_BYTES, file), &mut hasher)?;
    Ok((hasher.digest(), bytes))
}

/// Copies a file; the digest and size of what was copied. Errors of `to` are about `out`.
fn copy_hashed(path: &Path, to: &mut impl Write, out: &Path) -> Result<(Digest, u64), Error> {
    let read_error = |source| Error::Read { path: path.to_owned(), source };
    let mut file = fs_err::File::open(path).map_err(read_error)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut all = 0u64;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok((hasher.digest(), all)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read_error(error)),
        };
        hasher.0.update(&buffer[..count]);
        let written = to.write_all(&buffer[..count]);
        written.map_err(|source| Error::Write { path: out.to_owned(), source })?;
        all += count as u64;
    }
}

fn archive_error(path: &Path, error: zip::result::ZipError) -> Error {
    let source = match error {
        zip::result::ZipError::Io(source) => source,
        other => io::Error::other(other),
    };
    Error::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
