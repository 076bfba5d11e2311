//! `.gwtf/` on a real disk: artefacts, the lock, damage, and a follower beside a writer.

use super::*;
use crate::error::Explain;
use crate::model::Signature;
use crate::plan::Stamp;
use crate::release::record::Deploy;
use crate::release::watch::Follower;
use crate::spec::timestamp::Timestamp;
use proptest::prelude::*;
use std::time::UNIX_EPOCH;

struct Folder {
    root: tempfile::TempDir,
    store: Store,
}

fn folder() -> Folder {
    let root = tempfile::tempdir().unwrap();
    let store = Store::new(root.path());
    Folder { root, store }
}

fn holder() -> Holder {
    Holder { pid: 4711, since: Timestamp::from(UNIX_EPOCH) }
}

fn stamp() -> Stamp {
    Stamp { at: Timestamp::from(UNIX_EPOCH), by: "ada".to_owned(), git_commit: None }
}

impl Folder {
    fn file(&self, name: &str, bytes: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Deploys a model of these bytes, as the command does.
    fn deploy(&self, version: &str, bytes: &str) -> Result<(), Error> {
        let model = self.file("given.onnx", bytes);
        self.deploy_files(version, &model, &[])
    }

    fn deploy_files(&self, version: &str, model: &Path, extra: &[ExtraFile]) -> Result<(), Error> {
        let locked = self.store.lock(holder())?;
        let staged = locked.stage(model, extra)?;
        let request = Deploy {
            endpoint: "iris".to_owned(),
            version: version.parse().unwrap(),
            artefact: staged.artefact().clone(),
            signature: Signature::default(),
            canary_percent: None,
            breaking: Vec::new(),
            allow_breaking: false,
        };
        let next = self.store.read()?.deploy(request, stamp())?;
        locked.keep(staged)?;
        next.map_or(Ok(()), |next| locked.write(&next))
    }

    fn kept(&self, version: &str) -> KeptVersion {
        self.store.read().unwrap().version(&version.parse().unwrap()).unwrap().clone()
    }

    /// Names under `.gwtf/models/`, and how many ledgers and scratch files lie beside it.
    fn models(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.store.models())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn what_is_deployed_is_kept_by_content() {
    let folder = folder();
    assert_eq!(folder.store.read().unwrap(), Ledger::default());
    folder.deploy("v1", "abc").unwrap();
    folder.deploy("v2", "abc").unwrap();
    let (v1, v2) = (folder.kept("v1"), folder.kept("v2"));
    assert_eq!(v1.artefact, v2.artefact);
    assert_eq!(fs::read_to_string(folder.store.model_path(&v1.artefact)).unwrap(), "abc");
    assert_eq!(folder.models(), [v1.artefact.digest.to_string()]);
    assert!(damage(&folder.store, &folder.store.read().unwrap()).is_empty());
    assert_eq!(fs::read_to_string(folder.store.folder.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn external_data_is_part_of_the_artefact() {
    let folder = folder();
    let model = folder.file("m.onnx", "graph");
    let weights = |bytes: &str| ExtraFile {
        source: folder.file("w.bin", bytes),
        relative: "data/w.bin".to_owned(),
    };
    folder.deploy_files("v1", &model, &[weights("one")]).unwrap();
    let refused = folder.deploy_files("v1", &model, &[weights("two")]).unwrap_err();
    assert!(refused.to_string().contains("already stands for other bytes"), "{refused}");
    let kept = folder.kept("v1");
    let beside = folder.store.model_path(&kept.artefact).with_file_name("data").join("w.bin");
    assert_eq!(fs::read_to_string(&beside).unwrap(), "one");
    fs::remove_file(&beside).unwrap();
    assert!(folder.store.verify(&kept).unwrap_err().to_string().contains("w.bin`: it is missing"));
    for outside in ["../w.bin", "/etc/passwd", "a//b", "", "model.onnx"] {
        let extra = ExtraFile { relative: outside.to_owned(), ..weights("one") };
        let refused = folder.deploy_files("v2", &model, &[extra]).unwrap_err();
        assert!(matches!(refused, Error::Model { .. }), "{outside}: {refused}");
    }
    assert_eq!(folder.models(), [kept.artefact.digest.to_string()]);
}

#[test]
fn what_is_no_model_file_is_refused_and_leaves_nothing() {
    let folder = folder();
    for (path, message) in [
        (folder.root.path().join("absent.onnx"), "absent.onnx`: there is no such file"),
        (folder.root.path().to_path_buf(), "it is a folder"),
        (PathBuf::from("/dev/zero"), "it is no regular file"),
    ] {
        let error = folder.deploy_files("v1", &path, &[]).unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::Refused);
        let text = crate::error::chain(&error);
        assert!(text.contains(message), "{text}");
        assert!(folder.models().is_empty());
    }
}

#[test]
fn a_damaged_artefact_is_named_and_put_back_by_the_same_bytes() {
    let folder = folder();
    folder.deploy("v1", "abc").unwrap();
    let kept = folder.kept("v1");
    let path = folder.store.model_path(&kept.artefact);
    let spoil: [(&str, &dyn Fn()); 4] = [
        ("it is missing", &|| fs::remove_file(&path).unwrap()),
        ("it is missing", &|| fs::remove_dir_all(path.parent().unwrap()).unwrap()),
        ("it has 2 bytes instead of 3", &|| fs::write(&path, "ab").unwrap()),
        ("the digest differs", &|| fs::write(&path, "abd").unwrap()),
    ];
    for (reason, spoil) in spoil {
        spoil();
        let error = folder.store.verify(&kept).unwrap_err();
        assert!(error.to_string().starts_with("artefact of `v1`: "), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.hint().unwrap().contains("--version v1"), "{error}");
        folder.deploy("v1", "abc").unwrap();
        folder.store.verify(&kept).unwrap();
        assert_eq!(folder.models(), [kept.artefact.digest.to_string()]);
    }
}

#[test]
fn the_second_writer_learns_who_is_first() {
    let folder = folder();
    let held = folder.store.lock(holder()).unwrap();
    let error = folder.store.lock(Holder { pid: 1, ..holder() }).unwrap_err();
    assert!(
        error.to_string().ends_with("is writing (process 4711 since 1970-01-01T00:00:00Z)"),
        "{error}"
    );
    drop(held);
    folder.store.lock(holder()).unwrap();
}

#[test]
fn a_ledger_that_is_no_file_or_too_large_is_damaged() {
    let folder = folder();
    fs::create_dir_all(folder.store.ledger_path()).unwrap();
    assert!(folder.store.read().unwrap_err().to_string().contains("it is no regular file"));
    fs::remove_dir(folder.store.ledger_path()).unwrap();
    let file = fs::File::create(folder.store.ledger_path()).unwrap();
    file.set_len(LEDGER_BYTES_MAX + 1).unwrap();
    assert!(folder.store.read().unwrap_err().to_string().contains("larger than 16 MiB"));
}

#[test]
fn a_kill_between_any_two_writes_leaves_a_store_that_works() {
    let folder = folder();
    folder.deploy("v1", "abc").unwrap();
    // Killed while staging, while replacing a damaged artefact, and while writing the ledger.
    for name in ["models/.new/model.onnx", "models/.replaced/model.onnx", "ledger.json.new"] {
        let path = folder.store.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "half").unwrap();
    }
    folder.deploy("v2", "abcd").unwrap();
    let ledger = folder.store.read().unwrap();
    assert_eq!(ledger.live().unwrap().as_str(), "v2");
    assert!(damage(&folder.store, &ledger).is_empty());
    folder.store.lock(holder()).unwrap().remove_unnamed(&ledger).unwrap();
    assert_eq!(folder.models().len(), 2);
}

#[test]
fn a_follower_sees_each_release_once() {
    let folder = folder();
    let mut follower = Follower::new(folder.store.clone()).unwrap();
    assert_eq!(follower.view().live, None);
    assert!(follower.poll().unwrap().is_none());
    for (version, bytes) in [("v1", "abc"), ("v2", "abd"), ("v1", "abc"), ("v2", "abd")] {
        folder.deploy(version, bytes).unwrap();
        let view = follower.poll().unwrap().unwrap();
        assert_eq!(view.live.as_ref().unwrap().as_str(), version);
        let live =
            view.versions.iter().find(|served| Some(&served.kept.version) == view.live.as_ref());
        assert_eq!(fs::read_to_string(&live.unwrap().model_path).unwrap(), bytes);
        assert!(follower.poll().unwrap().is_none());
    }
}

#[test]
fn a_follower_keeps_its_view_over_a_damaged_ledger() {
    let folder = folder();
    folder.deploy("v1", "abc").unwrap();
    let mut follower = Follower::new(folder.store.clone()).unwrap();
    let whole = fs::read(folder.store.ledger_path()).unwrap();
    fs::write(folder.store.ledger_path(), "garbage").unwrap();
    assert!(matches!(follower.poll(), Err(Error::LedgerDamaged { .. })));
    assert!(matches!(follower.poll(), Ok(None)), "said once");
    assert_eq!(follower.view().live.as_ref().unwrap().as_str(), "v1");
    fs::write(folder.store.ledger_path(), &whole).unwrap();
    assert!(matches!(follower.poll(), Ok(None)), "the same releases are no news");
    folder.deploy("v2", "abd").unwrap();
    assert_eq!(follower.poll().unwrap().unwrap().live.as_ref().unwrap().as_str(), "v2");
}

#[test]
fn a_follower_stops_reading_a_quiet_ledger() {
    let folder = folder();
    folder.deploy("v1", "abc").unwrap();
    let mut follower = Follower::new(folder.store.clone()).unwrap();
    for _ in 0..30 {
        assert!(follower.poll().unwrap().is_none());
    }
    // Other bytes under the same metadata go unseen, which shows that they are not read.
    let path = folder.store.ledger_path();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let text = fs::read_to_string(&path).unwrap().replace("ada", "bob");
    fs::write(&path, &text).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert!(follower.poll().unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn artefacts_of_kept_versions_are_whole(
        steps in prop::collection::vec((0..4u8, 0..3u8, 0..3u8), 1..12),
    ) {
        let folder = folder();
        for (action, version, bytes) in steps {
            let _ = folder.deploy(&format!("v{version}"), &format!("bytes {bytes}"));
            let ledger = folder.store.read().unwrap();
            let locked = folder.store.lock(holder()).unwrap();
            match action {
                0 => if let Ok(Some(next)) = ledger.rollback(None, stamp()) {
                    locked.write(&next).unwrap();
                },
                1 => if let Ok(Some((next, _))) = ledger.prune(1) {
                    locked.write(&next).unwrap();
                    locked.remove_unnamed(&next).unwrap();
                },
                _ => {}
            }
            let ledger = folder.store.read().unwrap();
            prop_assert!(damage(&folder.store, &ledger).is_empty());
        }
    }
}
