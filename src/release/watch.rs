//! How a running `serve` notices a new release: cheaply, and without missing one.
//!
//! The caller polls (every 100 ms, say). A poll asks the file system for the ledger's identity,
//! modification time and length, and reads the ledger only when one of them changed. Two releases
//! within one tick of the file system's clock could look alike, so a changed ledger is read again at
//! the next few polls too, and compared by its digest.

use super::error::Error;
use super::store::Store;
use super::{View, view};
use crate::model::Digest;
use std::os::unix::fs::MetadataExt;

/// Polls after a change that read the ledger whatever its metadata say: two seconds at 100 ms,
/// longer than the coarsest modification time in use (FAT's).
const SETTLE_POLLS: u8 = 21;

/// What the file system says of the ledger without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    inode: u64,
    modified_s: i64,
    modified_ns: i64,
    size_bytes: u64,
}

/// Follows one ledger.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    fingerprint: Option<Fingerprint>,
    settle_polls: u8,
    digest: Option<Digest>,
    unreadable: bool,
    view: View,
}

impl Follower {
    /// Follows the ledger of this store from what it is when asked.
    ///
    /// # Errors
    /// The ledger is damaged or cannot be read.
    pub fn new(store: Store) -> Result<Self, Error> {
        let fingerprint = fingerprint(&store);
        let bytes = store.read_bytes()?;
        let ledger = bytes.as_deref().map(|bytes| store.parse(bytes)).transpose()?;
        Ok(Self {
            view: view(&ledger.unwrap_or_default(), &store),
            digest: bytes.as_deref().map(Digest::of),
            fingerprint,
            unreadable: false,
            settle_polls: SETTLE_POLLS,
            store,
        })
    }

    /// The view of the latest poll.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The new view, if releases changed since the poll before.
    ///
    /// # Errors
    /// The ledger changed into something damaged or unreadable: said once, and the view before
    /// stands until the ledger changes again.
    pub fn poll(&mut self) -> Result<Option<&View>, Error> {
        let fingerprint = fingerprint(&self.store);
        if fingerprint != self.fingerprint {
            self.fingerprint = fingerprint;
            self.settle_polls = SETTLE_POLLS;
        } else if self.settle_polls == 0 {
            return Ok(None);
        } else {
            self.settle_polls -= 1;
        }
        let bytes = match self.store.read_bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                // The change must not be missed once the trouble is over.
                self.settle_polls = SETTLE_POLLS;
                let was_said = std::mem::replace(&mut self.unreadable, true);
                return if was_said { Ok(None) } else { Err(error) };
            }
        };
        self.unreadable = false;
        let digest = bytes.as_deref().map(Digest::of);
        if digest == self.digest {
            return Ok(None);
        }
        self.digest = digest;
        let ledger = bytes.as_deref().map(|bytes| self.store.parse(bytes)).transpose()?;
        let next = view(&ledger.unwrap_or_default(), &self.store);
        if next == self.view {
            return Ok(None);
        }
        self.view = next;
        Ok(Some(&self.view))
    }
}

fn fingerprint(store: &Store) -> Option<Fingerprint> {
    let metadata = fs_err::metadata(store.ledger_path()).ok()?;
    Some(Fingerprint {
        inode: metadata.ino(),
        modified_s: metadata.mtime(),
        modified_ns: metadata.mtime_nsec(),
        size_bytes: metadata.len(),
    })
}
