//! The files of one layer, and the tar archive of them.
//!
//! # Invariants
//! One tree has one archive: paths are sorted, each has its parent folders before it, and owner,
//! time and mode do not come from the disk.

use super::error::Error;
use crate::package::{Packed, Part, Source};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// Longest path in an image, bytes: the kernel's own limit.
const PATH_BYTES_MAX: usize = 4096;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A folder and its mode.
    Folder(u32),
    /// A file.
    File {
        /// Its bytes.
        source: Source,
        /// Mode 755, else 644.
        executable: bool,
    },
}

/// The files of a layer by their path from `/`, without a slash before it.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Puts a node and, where they are not there yet, its parent folders.
    ///
    /// # Errors
    /// The path leaves the root or is malformed, or something else is there already.
    pub(super) fn put(&mut self, path: &str, node: Node) -> Result<(), Error> {
        let path = path.trim_start_matches('/');
        let is_plain = |segment: &str| !matches!(segment, "" | "." | "..");
        let refuse = |reason| Error::BadPath { path: super::document::shortened(path), reason };
        if path.len() > PATH_BYTES_MAX || path.contains('\0') || !path.split('/').all(is_plain) {
            return Err(refuse("it is no plain path below the root"));
        }
        for (at, _) in path.match_indices('/') {
            let parent = self.0.entry(path[..at].to_owned()).or_insert(Node::Folder(0o755));
            if !matches!(parent, Node::Folder(_)) {
                return Err(refuse("one of its parents is a file"));
            }
        }
        match self.0.insert(path.to_owned(), node.clone()) {
            Some(Node::Folder(_)) if matches!(node, Node::Folder(_)) => Ok(()),
            Some(_) => Err(refuse("two files have it")),
            None => Ok(()),
        }
    }

    /// Its programs and libraries as they are, which leaves out files of accounts.
    ///
    /// # Errors
    /// One cannot be read.
    pub(super) fn packed_executables(&self, part: Part) -> Result<Vec<Packed>, Error> {
        let files = self.0.iter().filter_map(|(path, node)| match node {
            Node::File { source, executable: true } => Some((path, source)),
            _ => None,
        });
        let packed = files.map(|(path, source)| {
            let (digest, raw_bytes) = source
                .digest()
                .map_err(|source| Error::Read { path: std::path::PathBuf::from(path), source })?;
            Ok(Packed { path: path.clone(), part, digest, raw_bytes, stored_bytes: 0 })
        });
        packed.collect()
    }

    /// Puts a small file.
    pub(super) fn put_text(&mut self, path: &str, text: String) -> Result<(), Error> {
        let source = Source::Bytes(Bytes::from(text));
        self.put(path, Node::File { source, executable: false })
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// A file cannot be read or changes its size meanwhile, or `out` does not take the bytes.
    pub(super) fn write_tar<W: Write>(&self, out: W) -> Result<W, Error> {
        let mut builder = tar::Builder::new(out);
        for (path, node) in &self.0 {
            match node {
                Node::Folder(mode) => {
                    let mut header = header(tar::EntryType::Directory, *mode, 0);
                    let written = builder.append_data(&mut header, path, io::empty());
                    written.map_err(Error::archive)?;
                }
                Node::File { source, executable } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    append_file(&mut builder, path, source, mode)?;
                }
            }
        }
        builder.into_inner().map_err(Error::archive)
    }
}

/// A header that says nothing of this machine: owner 0:0, time 0.
fn header(kind: tar::EntryType, mode: u32, bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes);
    header
}

fn append_file<W: Write>(
    builder: &mut tar::Builder<W>,
    path: &str,
    source: &Source,
    mode: u32,
) -> Result<(), Error> {
    match source {
        Source::Bytes(bytes) => {
            let mut header = header(tar::EntryType::Regular, mode, bytes.len() as u64);
            builder.append_data(&mut header, path, &bytes[..]).map_err(Error::archive)
        }
        Source::File(file_path) => {
            let read = |source| Error::Read { path: file_path.clone(), source };
            let file = fs_err::File::open(file_path).map_err(read)?;
            let metadata = file.metadata().map_err(read)?;
            if !metadata.is_file() {
                return Err(read(io::Error::other("it is no regular file")));
            }
            let mut header = header(tar::EntryType::Regular, mode, metadata.len());
            let mut exact = Exact { inner: file, left: metadata.len() };
            builder.append_data(&mut header, path, &mut exact).map_err(Error::archive)
        }
    }
}

/// A reader that gives exactly the bytes that a header promised, so that a file that changes while
/// it is read is an error and never a broken archive.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.inner.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::Error::other("a file became shorter while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &'static str) -> Node {
        let source = Source::Bytes(Bytes::from_static(text.as_bytes()));
        Node::File { source, executable: false }
    }

    #[test]
    fn the_order_of_putting_does_not_show() {
        let (mut a, mut b) = (Tree::default(), Tree::default());
        for (path, text) in [("var/task/a", "1"), ("tmp-x", "2"), ("var/b", "3")] {
            a.put(path, file(text)).unwrap();
        }
        for (path, text) in [("/var/b", "3"), ("var/task/a", "1"), ("tmp-x", "2")] {
            b.put(path, file(text)).unwrap();
        }
        let bytes = a.write_tar(Vec::new()).unwrap();
        assert_eq!(bytes, b.write_tar(Vec::new()).unwrap());
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries: Vec<_> = archive.entries().unwrap().map(Result::unwrap).collect();
        let paths: Vec<_> =
            entries.iter().map(|entry| entry.path().unwrap().display().to_string()).collect();
        assert_eq!(paths, ["tmp-x", "var", "var/b", "var/task", "var/task/a"]);
        assert!(entries.iter().all(|entry| entry.header().mtime().unwrap() == 0));
        assert!(entries.iter().all(|entry| entry.header().uid().unwrap() == 0));
    }

    #[test]
    fn no_path_leaves_the_root_or_hides_another() {
        let mut tree = Tree::default();
        tree.put("a/b", file("")).unwrap();
        for bad in ["", "..", "a/../b", "a//b", "./a", "a/b/", "a/b", "a/b/c", "x\0y"] {
            assert!(tree.put(bad, file("")).is_err(), "{bad:?}");
        }
        tree.put("a", Node::Folder(0o755)).unwrap();
        assert!(tree.put("a", file("")).is_err());
        assert!(tree.put(&"x/".repeat(3000), file("")).is_err());
    }
}
