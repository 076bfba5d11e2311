use super::*;
use crate::error::{Exit, Explain as _};
use crate::model::Digest;
use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::fs::Permissions;
use std::io::Write as _;
use tempfile::TempDir;

fn manifest() -> String {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    json!({
        "schema": "gwtf.artefact/v1", "endpoint": "iris", "version": "v1",
        "architecture": architecture, "model": "model/model.onnx",
        "model_digest": Digest::of(b"").to_string(), "optimized": false,
        "onnxruntime": "lib/libonnxruntime.so", "onnxruntime_version": "1.0.0",
        "signature": { "inputs": [], "outputs": [] },
    })
    .to_string()
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A zip of these names, modes and bytes.
fn zip_of(folder: &Path, entries: &[(&str, u32, &[u8])]) -> PathBuf {
    let path = folder.join("function.zip");
    let mut zip = ZipWriter::new(fs_err::File::create(&path).unwrap());
    for (name, mode, bytes) in entries {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        if name.ends_with('/') {
            zip.add_directory(*name, options).unwrap();
        } else {
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
    }
    zip.finish().unwrap();
    path
}

fn mode(root: &TaskRoot, name: &str) -> u32 {
    fs_err::metadata(root.folder().join(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_zip_becomes_a_private_folder_that_goes_with_the_value() {
    let scratch = scratch();
    let manifest = manifest();
    let entries: [(&str, u32, &[u8]); 4] = [
        ("bootstrap", 0o755, b"#!/bin/sh\n"),
        ("gwtf.json", 0o644, manifest.as_bytes()),
        ("model/", 0o755, b""),
        ("model/deep/er.onnx", 0o600, b"model"),
    ];
    let root = TaskRoot::open(&zip_of(scratch.path(), &entries), scratch.path()).unwrap();
    assert_eq!(root.manifest().endpoint, "iris");
    assert_eq!((mode(&root, "bootstrap"), mode(&root, "model/deep/er.onnx")), (0o755, 0o600));
    assert_eq!(mode(&root, ""), 0o700);
    assert_eq!(fs_err::read(root.folder().join("model/deep/er.onnx")).unwrap(), b"model");
    let folder = root.folder().to_owned();
    drop(root);
    assert!(!folder.exists());
}

#[test]
fn a_folder_is_used_as_it_is() {
    let folder = scratch();
    fs_err::write(folder.path().join("gwtf.json"), manifest()).unwrap();
    let bootstrap = folder.path().join("bootstrap");
    fs_err::write(&bootstrap, "#!/bin/sh\n").unwrap();
    for (mode, opens) in [(0o755, true), (0o700, false), (0o644, false), (0o555, true)] {
        fs_err::set_permissions(&bootstrap, Permissions::from_mode(mode)).unwrap();
        let opened = TaskRoot::open(folder.path(), folder.path());
        assert_eq!(opened.is_ok(), opens, "{mode:o}");
    }
    let root = TaskRoot::open(folder.path(), folder.path()).unwrap();
    drop(root);
    assert!(bootstrap.exists());
}

#[test]
fn entries_that_lead_out_or_are_links_are_refused() {
    for name in ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "a\\b", "a/./b"] {
        let scratch = scratch();
        // The writer mends names, so an honest one of the same length is overwritten.
        let honest = "x".repeat(name.len());
        let path = zip_of(scratch.path(), &[(&honest, 0o644, b"")]);
        let bytes = fs_err::read(&path).unwrap();
        let mut changed = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some(at) = memchr::memmem::find(rest, honest.as_bytes()) {
            changed.extend_from_slice(&rest[..at]);
            changed.extend_from_slice(name.as_bytes());
            rest = &rest[at + honest.len()..];
        }
        changed.extend_from_slice(rest);
        fs_err::write(&path, changed).unwrap();
        let error = TaskRoot::open(&path, scratch.path()).unwrap_err();
        assert!(matches!(error, Error::Entry { .. }), "{name}: {error}");
        assert!(!scratch.path().join("evil").exists() && !Path::new("/etc/evil").exists());
    }
    let scratch = scratch();
    let path = scratch.path().join("function.zip");
    let mut zip = ZipWriter::new(fs_err::File::create(&path).unwrap());
    zip.add_symlink("bootstrap", "/bin/sh", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    let error = TaskRoot::open(&path, scratch.path()).unwrap_err();
    assert!(error.to_string().ends_with("entry `bootstrap` is a link"), "{error}");
}

#[test]
fn more_than_lambda_takes_is_refused_while_unpacking() {
    let scratch = scratch();
    let path = scratch.path().join("function.zip");
    let mut zip = ZipWriter::new(fs_err::File::create(&path).unwrap());
    let zeros = vec![0; 1 << 20];
    for name in ["a", "b"] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        for _ in 0..126 {
            zip.write_all(&zeros).unwrap();
        }
    }
    zip.finish().unwrap();
    let error = TaskRoot::open(&path, scratch.path()).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert_eq!(fs_err::read_dir(scratch.path()).unwrap().count(), 1, "only the zip is left");
}

#[test]
fn what_is_no_artefact_is_refused_by_what_is_missing() {
    let good = manifest();
    let other_schema = good.replace("artefact/v1", "artefact/v2");
    let other_machine = good.replace("x86_64", "arm64").replace("aarch64", "x86_64");
    let no_name = good.replace("\"iris\"", "\"../iris\"");
    type Case<'a> = (&'a str, Vec<(&'a str, u32, &'a [u8])>);
    let cases: Vec<Case<'_>> = vec![
        ("it has no gwtf.json", vec![("bootstrap", 0o755, b"")]),
        ("it has no bootstrap", vec![("gwtf.json", 0o644, good.as_bytes())]),
        ("its gwtf.json is not usable", vec![("gwtf.json", 0o644, b"{}")]),
        ("its schema is not", vec![("gwtf.json", 0o644, other_schema.as_bytes())]),
        ("this machine is", vec![("gwtf.json", 0o644, other_machine.as_bytes())]),
        ("its endpoint is no name", vec![("gwtf.json", 0o644, no_name.as_bytes())]),
        (
            "bootstrap has mode 644",
            vec![("gwtf.json", 0o644, good.as_bytes()), ("bootstrap", 0o644, b"")],
        ),
    ];
    for (expected, entries) in cases {
        let scratch = scratch();
        let error = TaskRoot::open(&zip_of(scratch.path(), &entries), scratch.path()).unwrap_err();
        let text = crate::error::chain(&error);
        assert!(text.contains(expected), "{text}");
        assert_eq!(error.exit(), Exit::Refused);
        assert!(fs_err::read_dir(scratch.path()).unwrap().count() == 1, "{expected}: cleaned up");
    }
    let scratch = scratch();
    let nonsense = scratch.path().join("nonsense.zip");
    fs_err::write(&nonsense, "no zip").unwrap();
    for (path, expected) in [(nonsense, "nonsense.zip"), ("/nowhere/x.zip".into(), "artefact")] {
        let error = TaskRoot::open(&path, scratch.path()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn entries_become_a_folder_without_an_archive_between() {
    let scratch = scratch();
    let file = scratch.path().join("program");
    fs_err::write(&file, "#!/bin/sh\n").unwrap();
    let entry = |path: &str, executable, source| Entry {
        path: path.to_owned(),
        executable,
        part: crate::package::Part::Model,
        source,
    };
    let entries = [
        entry("bootstrap", true, Source::File(file.clone())),
        entry("gwtf.json", false, Source::Bytes(manifest().into())),
        entry("model/weights/a.bin", false, Source::Bytes("weights".into())),
    ];
    let root = TaskRoot::of_entries(&file, &entries, 10_000, scratch.path()).unwrap();
    assert_eq!((mode(&root, "bootstrap"), mode(&root, "model/weights/a.bin")), (0o755, 0o644));
    assert_eq!(root.manifest().version, "v1");
    let error = TaskRoot::of_entries(&file, &entries, 300, scratch.path()).unwrap_err();
    assert!(error.to_string().ends_with("it holds more than 300 bytes"), "{error}");
}

/// A layout of one image whose layers are these archives.
struct LayoutMaker {
    folder: TempDir,
    ports: bool,
}

impl LayoutMaker {
    fn blob(&self, bytes: &[u8]) -> String {
        let digest = Digest::of(bytes).to_string();
        let blobs = self.folder.path().join("blobs/sha256");
        fs_err::create_dir_all(&blobs).unwrap();
        fs_err::write(blobs.join(&digest), bytes).unwrap();
        format!("sha256:{digest}")
    }

    fn write(&self, archives: &[Vec<u8>]) {
        let layers: Vec<Vec<u8>> = archives
            .iter()
            .map(|tar| {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(tar).unwrap();
                gzip.finish().unwrap()
            })
            .collect();
        self.write_layers(&layers);
    }

    fn write_layers(&self, layers: &[Vec<u8>]) {
        let ports = if self.ports { json!({ "8080/tcp": {} }) } else { json!(null) };
        let config = json!({ "config": { "ExposedPorts": ports } }).to_string();
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| {
                let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
                json!({ "mediaType": media_type, "digest": self.blob(layer) })
            })
            .collect();
        let config = json!({ "mediaType": "c", "digest": self.blob(config.as_bytes()) });
        let manifest = json!({ "config": config, "layers": layers }).to_string();
        let manifest = json!({ "mediaType": "m", "digest": self.blob(manifest.as_bytes()) });
        let path = |name: &str| self.folder.path().join(name);
        fs_err::write(path("index.json"), json!({ "manifests": [manifest] }).to_string()).unwrap();
        fs_err::write(path("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    }
}

fn tar_of(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, mode, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn a_layout_gives_the_task_root_of_its_layers() {
    let manifest = manifest();
    let maker = LayoutMaker { folder: scratch(), ports: false };
    let below: [(&str, u32, &[u8]); 5] = [
        ("etc/passwd", 0o644, b"root"),
        ("var/task/old", 0o644, b"old"),
        ("var/task/gone", 0o644, b"gone"),
        ("var/task/gwtf.json", 0o644, manifest.as_bytes()),
        ("var/taskforce", 0o644, b"elsewhere"),
    ];
    let above: [(&str, u32, &[u8]); 3] = [
        ("var/task/bootstrap", 0o755, b"#!/bin/sh\n"),
        ("var/task/old", 0o600, b"new"),
        ("var/task/.wh.gone", 0o644, b""),
    ];
    maker.write(&[tar_of(&below), tar_of(&above)]);
    let scratch = scratch();
    let root = TaskRoot::open(maker.folder.path(), scratch.path()).unwrap();
    let mut names: Vec<String> = fs_err::read_dir(root.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["bootstrap", "gwtf.json", "old"]);
    assert_eq!(fs_err::read(root.folder().join("old")).unwrap(), b"new");
    assert_eq!((mode(&root, "bootstrap"), mode(&root, "old")), (0o755, 0o600));
}

#[test]
fn layouts_that_lie_or_are_for_ecs_are_refused() {
    let manifest = manifest();
    let good: [(&str, u32, &[u8]); 2] = [
        ("var/task/gwtf.json", 0o644, manifest.as_bytes()),
        ("var/task/bootstrap", 0o755, b"#!/bin/sh\n"),
    ];
    let refused = |maker: &LayoutMaker| {
        let scratch = scratch();
        TaskRoot::open(maker.folder.path(), scratch.path()).unwrap_err()
    };
    let service = LayoutMaker { folder: scratch(), ports: true };
    service.write(&[tar_of(&good)]);
    let error = refused(&service);
    assert!(error.to_string().contains("for ECS") && error.hint().unwrap().contains("ECS target"));

    let changed = LayoutMaker { folder: scratch(), ports: false };
    changed.write(&[tar_of(&good)]);
    let other = LayoutMaker { folder: scratch(), ports: false };
    other.write(&[tar_of(&[("var/task/evil", 0o644, b"evil")])]);
    let blob = |maker: &LayoutMaker| {
        let blobs = fs_err::read_dir(maker.folder.path().join("blobs/sha256")).unwrap();
        let mut blobs: Vec<PathBuf> = blobs.map(|blob| blob.unwrap().path()).collect();
        blobs.retain(|path| fs_err::read(path).unwrap().starts_with(&[0x1f, 0x8b]));
        blobs.remove(0)
    };
    fs_err::copy(blob(&other), blob(&changed)).unwrap();
    assert!(refused(&changed).to_string().contains("digest"), "{}", refused(&changed));

    let linked = LayoutMaker { folder: scratch(), ports: false };
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "var/task/bootstrap", "/bin/sh").unwrap();
    linked.write(&[tar.into_inner().unwrap()]);
    assert!(matches!(refused(&linked), Error::Entry { .. }));

    let empty = LayoutMaker { folder: scratch(), ports: false };
    empty.write(&[]);
    fs_err::write(empty.folder.path().join("index.json"), r#"{"manifests":[]}"#).unwrap();
    assert!(refused(&empty).to_string().contains("0 images"));
}

/// An entry that only says something of the next one.
fn append_before(tar: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

#[test]
fn names_in_entries_of_their_own_are_read_with_a_bound() {
    let manifest = manifest();
    let long = format!("model/{}", "x".repeat(150));
    let mut tar = tar::Builder::new(tar_of(&[(&format!("var/task/{long}"), 0o644, b"gnu")]));
    // Two blocks of zeros end the archive before.
    let mut before = std::mem::take(tar.get_mut());
    before.truncate(before.len() - 1024);
    tar.get_mut().extend(before);
    tar.append_pax_extensions([("path", b"var/task/by-pax".as_slice())]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_cksum();
    tar.append(&header, b"pax".as_slice()).unwrap();
    append_before(&mut tar, tar::EntryType::XGlobalHeader, b"19 path=var/task/x\n");
    let good: [(&str, u32, &[u8]); 2] = [
        ("var/task/gwtf.json", 0o644, manifest.as_bytes()),
        ("var/task/bootstrap", 0o755, b"#!/bin/sh\n"),
    ];
    let maker = LayoutMaker { folder: scratch(), ports: false };
    maker.write(&[tar.into_inner().unwrap(), tar_of(&good)]);
    let scratch = scratch();
    let root = TaskRoot::open(maker.folder.path(), scratch.path()).unwrap();
    assert_eq!(fs_err::read(root.folder().join(&long)).unwrap(), b"gnu");
    assert_eq!(fs_err::read(root.folder().join("by-pax")).unwrap(), b"pax");
    assert!(!root.folder().join("x").exists());

    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader] {
        let mut tar = tar::Builder::new(Vec::new());
        append_before(&mut tar, kind, &vec![b'a'; 1 << 20]);
        maker.write(&[tar.into_inner().unwrap(), tar_of(&good)]);
        let error = TaskRoot::open(maker.folder.path(), scratch.path()).unwrap_err();
        assert!(error.to_string().contains("a name beyond 65536 bytes"), "{error}");
    }
}

/// As tools write it that let a layer be read from its middle.
#[test]
fn a_layer_may_be_of_several_gzip_members() {
    let manifest = manifest();
    let whole = tar_of(&[
        ("var/task/gwtf.json", 0o644, manifest.as_bytes()),
        ("var/task/bootstrap", 0o755, b"#!/bin/sh\n"),
    ]);
    let maker = LayoutMaker { folder: scratch(), ports: false };
    let mut layer = Vec::new();
    for part in whole.chunks(1024) {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(part).unwrap();
        layer.extend(gzip.finish().unwrap());
    }
    maker.write_layers(&[layer]);
    let scratch = scratch();
    assert!(TaskRoot::open(maker.folder.path(), scratch.path()).is_ok());
}
