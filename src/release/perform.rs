//! The commands on a store: lock, read, decide (the ledger's transitions), write.
//!
//! Each takes who does it and when as arguments and gives the ledger afterwards, so that the command
//! line only prints.

use super::error::{Error, Holder};
use super::ledger::Ledger;
use super::record::Deploy;
use super::refused::Refused;
use super::staging::Staged;
use super::store::{ExtraFile, Locked, Store};
use crate::model::{Signature, onnx};
use crate::plan::Stamp;
use crate::spec::version::Version;
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

/// Stores a model and releases it. `check` is given the copy that is to be kept, whatever happens
/// to the person's file meanwhile.
///
/// # Errors
/// The model cannot be read or served, `check` or the ledger refuses it, or the disk cannot take
/// it; then nothing is released and nothing of it kept.
pub fn deploy<E: From<Error>>(
    store: &Store,
    new: NewVersion,
    holder: Holder,
    stamp: Stamp,
    check: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<Outcome, E> {
    // Before the lock, so that a file that is no model leaves no trace.
    let external = external_files(&new.model, &read_facts(&new.model, &new.model)?);
    let locked = store.lock(holder)?;
    let ledger = store.read()?;
    let (staged, signature) = stage(&locked, &new.model, &external)?;
    check(&staged.model_path())?;
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
    let next = ledger.deploy(request, stamp).map_err(Error::from)?;
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

/// Copies the model and reads the signature of the copy: another process may replace the model at
/// any moment, and the ledger's signature has to be that of the bytes that it names.
fn stage(
    locked: &Locked<'_>,
    model: &Path,
    external: &[ExtraFile],
) -> Result<(Staged, Signature), Error> {
    let staged = locked.stage(model, external)?;
    let changed = || Error::ModelChanged { path: model.to_path_buf() };
    let facts = match read_facts(&staged.model_path(), model) {
        // Every file of the list was copied: the copy names another one.
        Err(Error::Facts(onnx::Error::ExternalMissing { .. })) => return Err(changed()),
        facts => facts?,
    };
    if external_files(model, &facts) != external {
        return Err(changed());
    }
    Ok((staged, facts.signature))
}

/// Reads a model that is served; errors are about the file `named` by the person.
fn read_facts(model: &Path, named: &Path) -> Result<onnx::Facts, Error> {
    let facts = onnx::read_facts(model).map_err(|error| Error::Facts(error.about(named)))?;
    onnx::check_runtime(&facts)
        .map_err(|source| Error::Unsupported { path: named.to_path_buf(), source })?;
    Ok(facts)
}

/// The files that a model's weights lie in, each once.
fn external_files(model: &Path, facts: &onnx::Facts) -> Vec<ExtraFile> {
    let folder = model.parent().unwrap_or(Path::new(""));
    let locations: BTreeSet<&str> =
        facts.external_data.iter().map(|tensor| tensor.location.as_str()).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;
    use crate::spec::timestamp::Timestamp;
    use std::time::UNIX_EPOCH;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models").join(name)
    }

    /// Stages a model that becomes `after` once its external data are known.
    fn stage_replaced(
        before: &str,
        after: impl AsRef<[u8]>,
    ) -> (PathBuf, Result<Signature, Error>) {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("given.onnx");
        fs_err::copy(fixture(before).join("model.onnx"), &model).unwrap();
        let weights = fixture("external-data").join("weights.bin");
        fs_err::copy(weights, folder.path().join("weights.bin")).unwrap();
        let external = external_files(&model, &read_facts(&model, &model).unwrap());
        fs_err::write(&model, after).unwrap();
        let store = Store::new(folder.path());
        let holder = Holder { pid: 4711, since: Timestamp::from(UNIX_EPOCH) };
        let locked = store.lock(holder).unwrap();
        let signature = stage(&locked, &model, &external).map(|(_, signature)| signature);
        (model, signature)
    }

    fn bytes(name: &str) -> Vec<u8> {
        fs_err::read(fixture(name).join("model.onnx")).unwrap()
    }

    #[test]
    fn the_signature_is_that_of_the_bytes_copied() {
        let (_, signature) = stage_replaced("iris", bytes("iris-breaking"));
        let copied = onnx::facts_from_bytes(&bytes("iris-breaking")).unwrap().signature;
        assert_eq!(signature.unwrap(), copied);
    }

    #[test]
    fn a_model_replaced_all_the_time_is_released_as_what_was_copied() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("given.onnx");
        let replace = |name: &str| {
            let scratch = folder.path().join("scratch");
            fs_err::write(&scratch, bytes(name)).unwrap();
            fs_err::rename(&scratch, &model).unwrap();
        };
        replace("iris");
        let deploy = |n: usize| {
            let store = Store::new(&folder.path().join(n.to_string()));
            let at = Timestamp::from(UNIX_EPOCH);
            let stamp = Stamp { at, by: "ada".to_owned(), git_commit: None };
            let new = NewVersion {
                endpoint: "iris".to_owned(),
                version: "v1".parse().unwrap(),
                model: model.clone(),
                canary_percent: None,
                canary_percent_default: None,
                allow_breaking: false,
            };
            let loads = |_: &Path| Ok::<(), Error>(());
            // A file that changes while it is copied may be refused.
            let released =
                deploy(&store, new, Holder { pid: 4711, since: at }, stamp, loads).ok()?;
            let kept = released.ledger.versions()[0].clone();
            let facts = onnx::read_facts(&store.model_path(&kept.artefact)).unwrap();
            Some((kept.signature, facts.signature))
        };
        let released: Vec<(Signature, Signature)> = std::thread::scope(|scope| {
            let deploys = scope.spawn(|| (0..20).filter_map(deploy).collect());
            while !deploys.is_finished() {
                replace("iris-breaking");
                replace("iris");
            }
            deploys.join().unwrap()
        });
        assert!(!released.is_empty());
        for (recorded, copied) in released {
            assert_eq!(recorded, copied);
        }
    }

    #[test]
    fn other_external_data_after_the_copy_are_refused() {
        for (before, after) in [("iris", "external-data"), ("external-data", "iris")] {
            let (model, refused) = stage_replaced(before, bytes(after));
            let failure = Failure::from(refused.unwrap_err());
            let start = format!("model `{}`: it changed while it was copied", model.display());
            assert!(failure.message.starts_with(&start), "{}", failure.message);
        }
    }

    #[test]
    fn what_is_wrong_with_the_copy_is_said_of_the_model() {
        let newer = {
            // `ir_version`, the first field, from 8 to a version of the future.
            let mut model = bytes("iris");
            model[1] = 127;
            model
        };
        let cut = bytes("iris")[..200].to_vec();
        for (after, cause) in
            [(b"text\n".to_vec(), "a text file"), (cut, "cut short"), (newer, "IR")]
        {
            let (model, refused) = stage_replaced("iris", after);
            let message = Failure::from(refused.unwrap_err()).message;
            assert!(message.contains(&model.display().to_string()), "{message}");
            assert!(message.contains(cause) && !message.contains(".gwtf"), "{message}");
        }
    }
}
