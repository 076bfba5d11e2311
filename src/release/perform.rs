//! The commands on a store: lock, read, decide (the ledger's transitions), write.
//!
//! Each takes who does it and when as arguments and gives the ledger afterwards, so that the command
//! line only prints.

use super::error::{Error, Holder};
use super::ledger::Ledger;
use super::record::{Deploy, Stamp};
use super::refused::Refused;
use super::store::{ExtraFile, Store};
use super::version::Version;
use crate::model::onnx;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The ledger after a command, and whether the command changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The ledger that stands.
    pub ledger: Ledger,
    /// Whether there was anything to do.
    pub changed: bool,
}

/// A model to be deployed.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The endpoint's name, recorded with the release.
    pub endpoint: String,
    /// The tag.
    pub version: Version,
    /// The model file; external data lie beside it.
    pub model: PathBuf,
    /// The canary's share that the person asked for.
    pub canary_percent: Option<u8>,
    /// The share when the person asked for none and something is live.
    pub canary_percent_default: Option<u8>,
    /// Releases although the signature breaks the live one.
    pub allow_breaking: bool,
}

/// Stores a model and releases it.
///
/// # Errors
/// The model cannot be read or served, the ledger refuses it, or the disk cannot take it; then
/// nothing is released and nothing of it kept.
pub fn deploy(
    store: &Store,
    new: NewVersion,
    holder: Holder,
    stamp: Stamp,
) -> Result<Outcome, Error> {
    let facts = onnx::read_facts(&new.model).map_err(Error::Facts)?;
    onnx::check_runtime(&facts)
        .map_err(|source| Error::Unsupported { path: new.model.clone(), source })?;
    let signature = facts.signature;
    let locked = store.lock(holder)?;
    let ledger = store.read()?;
    let staged = locked.stage(&new.model, &external_files(&new.model, &facts.external_data))?;
    let live = ledger.live().and_then(|live| ledger.version(live));
    let request = Deploy {
        endpoint: new.endpoint,
        version: new.version,
        artefact: staged.artefact().clone(),
        breaking: live.map_or_else(Vec::new, |live| live.signature.breaking_changes(&signature)),
        signature,
        canary_percent: new
            .canary_percent
            .or(new.canary_percent_default.filter(|_| live.is_some())),
        allow_breaking: new.allow_breaking,
    };
    let next = ledger.deploy(request, stamp)?;
    // Kept even when nothing changes: the same bytes again repair a damaged artefact.
    locked.keep(staged)?;
    match next {
        None => Ok(Outcome { ledger, changed: false }),
        Some(ledger) => {
            locked.write(&ledger)?;
            Ok(Outcome { ledger, changed: true })
        }
    }
}

/// The files that a model's weights lie in, each once.
fn external_files(model: &Path, tensors: &[onnx::ExternalTensor]) -> Vec<ExtraFile> {
    let folder = model.parent().unwrap_or(Path::new(""));
    let locations: BTreeSet<&str> = tensors.iter().map(|tensor| tensor.location.as_str()).collect();
    let files = locations.into_iter().map(|location| {
        // `./weights.bin` and `weights.bin` are one file.
        let relative: Vec<&str> =
            location.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
        ExtraFile { source: folder.join(location), relative: relative.join("/") }
    });
    files.collect()
}

/// Makes the canary live.
///
/// # Errors
/// No canary is running, its artefact is damaged, or the disk cannot take the ledger.
pub fn promote(store: &Store, holder: Holder, stamp: Stamp) -> Result<Outcome, Error> {
    change(store, holder, |ledger| ledger.promote(stamp).map(Some))
}

/// Points back; see [`Ledger::rollback`].
///
/// # Errors
/// The ledger refuses it, the artefact to go back to is damaged, or the disk cannot take the ledger.
pub fn rollback(
    store: &Store,
    to: Option<&Version>,
    holder: Holder,
    stamp: Stamp,
) -> Result<Outcome, Error> {
    change(store, holder, |ledger| ledger.rollback(to, stamp))
}

/// Forgets old versions and removes their artefacts; says which versions went.
///
/// # Errors
/// The ledger refuses it, or the disk cannot take the ledger or give up an artefact.
pub fn prune(store: &Store, keep: usize, holder: Holder) -> Result<(Ledger, Vec<Version>), Error> {
    if !store.has_ledger() {
        return Err(Refused::NothingReleased.into());
    }
    let locked = store.lock(holder)?;
    let ledger = store.read()?;
    let (ledger, removed) = match ledger.prune(keep)? {
        None => (ledger, Vec::new()),
        Some((next, removed)) => {
            locked.write(&next)?;
            (next, removed)
        }
    };
    // Also when nothing went: a kill may have left artefacts that no ledger names.
    locked.remove_unnamed(&ledger)?;
    Ok((ledger, removed))
}

fn change(
    store: &Store,
    holder: Holder,
    transition: impl FnOnce(&Ledger) -> Result<Option<Ledger>, Refused>,
) -> Result<Outcome, Error> {
    // Asked before locking, which would make the folder.
    if !store.has_ledger() {
        return Err(Refused::NothingReleased.into());
    }
    let locked = store.lock(holder)?;
    let ledger = store.read()?;
    let Some(next) = transition(&ledger)? else {
        return Ok(Outcome { ledger, changed: false });
    };
    if next.live() != ledger.live()
        && let Some(kept) = next.live().and_then(|live| next.version(live))
    {
        store.verify(kept)?;
    }
    locked.write(&next)?;
    Ok(Outcome { ledger: next, changed: true })
}
