//! The zip file: entries in the order given, one time, two modes, one level of compression.
//!
//! # Invariants
//! Same entries, same bytes, whether or not the cache had their compressed forms.

use super::cache::Cache;
use super::contents::unreadable;
use super::entry::{Entry, Part, Source};
use super::error::Error;
use super::image::measure::Copying;
use crate::model::Digest;
use std::cell::RefCell;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::rc::Rc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Of zlib's levels, the one that `zip` and `gzip` take by themselves: level 9 takes twice as
/// long for half a percent of ONNX Runtime's library.
pub(super) const DEFLATE_LEVEL: i64 = 6;
/// Files from this size on get the zip64 fields.
const ZIP64_BYTES: u64 = u32::MAX as u64;

/// A file of an artefact, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Path from the artefact's root.
    pub path: String,
    /// What it is for.
    pub part: Part,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub raw_bytes: u64,
    /// Its size as it is stored.
    pub stored_bytes: u64,
}

/// Writes the entries as a zip file into `file`, which is empty.
///
/// # Errors
/// A source cannot be read or changes meanwhile, or `file` cannot be written: then the inner result
/// is the writer's error, since only the caller knows the file's name.
pub fn write_zip(
    entries: &[Entry],
    mut file: impl Read + Write + Seek,
    cache: Option<&Cache>,
) -> Result<io::Result<Vec<Packed>>, Error> {
    let failure = Failure::default();
    let mut zip =
        ZipWriter::new(Guarded { inner: &mut file, position: 0, failure: failure.clone() });
    let mut packed = Vec::with_capacity(entries.len());
    for entry in entries {
        let (digest, raw_bytes) = match add(&mut zip, entry, cache) {
            Ok(added) => added,
            Err(Fault::Entry(error)) => return Err(error),
            Err(Fault::Zip(error)) => return Ok(Err(failure.take().unwrap_or(error))),
        };
        if let Some(error) = failure.take() {
            return Ok(Err(error));
        }
        let (path, part) = (entry.path.clone(), entry.part);
        packed.push(Packed { path, part, digest, raw_bytes, stored_bytes: 0 });
    }
    let finished = zip.finish().map(drop).map_err(io::Error::from);
    if let Some(error) = failure.take() {
        return Ok(Err(error));
    }
    Ok(finished.and_then(|()| with_stored_bytes(packed, &mut file)))
}

enum Fault {
    Entry(Error),
    Zip(io::Error),
}

fn add(
    zip: &mut ZipWriter<impl Write + Seek>,
    entry: &Entry,
    cache: Option<&Cache>,
) -> Result<(Digest, u64), Fault> {
    let zip_fault = |error: zip::result::ZipError| Fault::Zip(error.into());
    match &entry.source {
        Source::Bytes(bytes) => {
            let digest = Digest::of(bytes);
            let single = match cache.filter(|_| entry.part != Part::Model) {
                Some(cache) => cache.deflated(bytes, digest, entry.executable),
                None => deflate(bytes, entry.executable),
            };
            let mut archive = ZipArchive::new(Cursor::new(single)).map_err(zip_fault)?;
            let compressed = archive.by_index_raw(0).map_err(zip_fault)?;
            zip.raw_copy_file_rename(compressed, &entry.path).map_err(zip_fault)?;
            Ok((digest, bytes.len() as u64))
        }
        Source::File(path) => {
            let bytes = entry.raw_bytes().map_err(Fault::Entry)?;
            let options = options(entry.executable).large_file(bytes >= ZIP64_BYTES);
            zip.start_file(&entry.path, options).map_err(zip_fault)?;
            let file =
                fs_err::File::open(path).map_err(|error| Fault::Entry(unreadable(path, &error)))?;
            // One byte more than it said to have tells a file that grows.
            let (digest, read) = Digest::of_reader(Copying { from: file.take(bytes + 1), to: zip })
                .map_err(Fault::Zip)?;
            if read != bytes {
                return Err(Fault::Entry(Error::Changed { path: path.clone() }));
            }
            Ok((digest, bytes))
        }
    }
}

/// A zip file in memory with these bytes as its one entry.
pub(super) fn deflate(bytes: &[u8], executable: bool) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let large = bytes.len() as u64 >= ZIP64_BYTES;
    zip.start_file(SINGLE_NAME, options(executable).large_file(large))
        .and_then(|()| Ok(zip.write_all(bytes)?))
        .and_then(|()| zip.finish())
        .expect("memory takes what is written, and the options are of this file")
        .into_inner()
}

/// Name of the entry in [`deflate`]'s zip files.
const SINGLE_NAME: &str = "entry";

/// The first moment that a zip file can name, so that no clock gets in; modes 755 and 644.
fn options(executable: bool) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(DEFLATE_LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(if executable { 0o755 } else { 0o644 })
}

/// Reads the finished file's own directory.
fn with_stored_bytes(
    mut packed: Vec<Packed>,
    file: &mut (impl Read + Seek),
) -> io::Result<Vec<Packed>> {
    let mut archive = ZipArchive::new(file)?;
    for (at, packed) in packed.iter_mut().enumerate() {
        packed.stored_bytes = archive.by_index_raw(at)?.compressed_size();
    }
    Ok(packed)
}

/// The first error of a writer.
#[derive(Clone, Default)]
struct Failure(Rc<RefCell<Option<io::Error>>>);

impl Failure {
    fn take(&self) -> Option<io::Error> {
        self.0.borrow_mut().take()
    }
}

/// A writer that keeps its first error and takes everything after it: a `ZipWriter` that is dropped
/// finishes its file, and complains on stderr when that fails too.
struct Guarded<W> {
    inner: W,
    position: u64,
    failure: Failure,
}

impl<W> Guarded<W> {
    fn keep<T>(&self, result: io::Result<T>, otherwise: T) -> T {
        result.unwrap_or_else(|error| {
            self.failure.0.borrow_mut().get_or_insert(error);
            otherwise
        })
    }
}

impl<W: Write> Write for Guarded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match self.inner.write(bytes) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            other => other,
        };
        let count = self.keep(result, bytes.len());
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.keep(result, ());
        Ok(())
    }
}

impl<W: Seek> Seek for Guarded<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(_) => None,
        };
        let result = self.inner.seek(to);
        self.position = self.keep(result, wanted.unwrap_or(self.position));
        Ok(self.position)
    }
}
