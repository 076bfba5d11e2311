//! Streams that count and hash what goes through them.

use super::document::BlobDigest;
use crate::model::Digest;
use sha2::Digest as _;
use std::io::{self, Read, Write};

/// A reader or writer whose bytes are counted and hashed.
pub(in crate::package) struct Measured<T> {
    inner: T,
    hasher: sha2::Sha256,
    bytes: u64,
}

impl<T> Measured<T> {
    pub(in crate::package) fn new(inner: T) -> Self {
        Self { inner, hasher: sha2::Sha256::new(), bytes: 0 }
    }

    /// The count so far.
    pub(super) fn count(&self) -> u64 {
        self.bytes
    }

    /// What is measured, the digest and the count of its bytes.
    pub(in crate::package) fn finish(self) -> (T, BlobDigest, u64) {
        (self.inner, BlobDigest(Digest::from_hasher(self.hasher)), self.bytes)
    }

    fn take_in(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.take_in(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.take_in(&buffer[..count]);
        Ok(count)
    }
}

/// A reader whose bytes are also written to a second place.
pub(in crate::package) struct Copying<R, W> {
    pub(in crate::package) from: R,
    pub(in crate::package) to: W,
}

impl<R: Read, W: Write> Read for Copying<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.to.write_all(&buffer[..count])?;
        Ok(count)
    }
}
