//! The same bytes every time; nothing left behind when something is wrong.

use super::*;
use bytes::Bytes;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs_err::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn entries(&self) -> Vec<Entry> {
        let program: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        vec![
            Entry {
                path: "bootstrap".to_owned(),
                executable: true,
                part: Part::Runtime,
                source: Source::File(self.file("program", &program)),
            },
            Entry {
                path: "gwtf.json".to_owned(),
                executable: false,
                part: Part::Model,
                source: Source::Bytes(Bytes::from_static(b"{}\n")),
            },
            Entry {
                path: "lib/libonnxruntime.so".to_owned(),
                executable: false,
                part: Part::OnnxRuntime,
                source: Source::File(self.file("library", &program[1_000..])),
            },
            Entry {
                path: "model/model.onnx".to_owned(),
                executable: false,
                part: Part::Model,
                source: Source::File(self.file("model", b"weights")),
            },
        ]
    }

    fn names(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn same_entries_same_bytes_whatever_is_cached() {
    let (first, second) = (Folder::new(), Folder::new());
    let cached = Options { cache_folder: Some(first.path("cache")), force: false };
    let cold = write(&first.entries(), &cached, &first.path("cold.zip")).unwrap();
    let warm = write(&second.entries(), &cached, &second.path("warm.zip")).unwrap();
    let none = write(&second.entries(), &Options::default(), &second.path("none.zip")).unwrap();
    // A cache whose files are damaged, or hold something else.
    for kept in fs_err::read_dir(first.path("cache").join("deflated").join(ENCODER)).unwrap() {
        let path = kept.unwrap().path();
        let mut bytes = fs_err::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        fs_err::write(&path, bytes).unwrap();
    }
    let repaired = write(&first.entries(), &cached, &first.path("repaired.zip")).unwrap();
    for report in [&warm, &none, &repaired] {
        assert_eq!(report, &cold);
    }
    let bytes = fs_err::read(first.path("cold.zip")).unwrap();
    assert_eq!(Digest::of(&bytes), cold.digest);
    assert_eq!(bytes, fs_err::read(second.path("warm.zip")).unwrap());
}

#[test]
fn the_archive_holds_modes_times_and_bytes_in_order() {
    let folder = Folder::new();
    let entries = folder.entries();
    let report = write(&entries, &Options::default(), &folder.path("a.zip")).unwrap();
    let mut archive = ZipArchive::new(fs_err::File::open(folder.path("a.zip")).unwrap()).unwrap();
    assert_eq!(archive.len(), entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let mut found = archive.by_index(at).unwrap();
        assert_eq!(found.name().unwrap(), entry.path);
        let mode = if entry.executable { 0o755 } else { 0o644 };
        assert_eq!(found.unix_mode().unwrap() & 0o777, mode, "{}", entry.path);
        assert_eq!(found.last_modified().unwrap(), DateTime::default(), "{}", entry.path);
        assert_eq!(report.entries[at].stored_bytes, found.compressed_size());
        let mut bytes = Vec::new();
        found.read_to_end(&mut bytes).unwrap();
        let expected = match &entry.source {
            Source::Bytes(bytes) => bytes.to_vec(),
            Source::File(path) => fs_err::read(path).unwrap(),
        };
        assert_eq!(bytes, expected, "{}", entry.path);
        assert_eq!(report.entries[at].digest, Digest::of(&expected));
    }
}

#[test]
fn what_is_there_stays_unless_it_is_to_be_replaced() {
    let folder = Folder::new();
    let entries = folder.entries();
    let out = folder.file("a.zip", b"precious");
    let refused = write(&entries, &Options::default(), &out).unwrap_err();
    assert!(matches!(refused, Error::OutputExists { .. }), "{refused}");
    assert_eq!(fs_err::read(&out).unwrap(), b"precious");
    let force = Options { force: true, ..Options::default() };
    write(&entries, &force, &out).unwrap();
    fs_err::create_dir(folder.path("a-folder")).unwrap();
    let refused = write(&entries, &force, &folder.path("a-folder")).unwrap_err();
    assert!(matches!(refused, Error::OutputFolder { .. }), "{refused}");
}

#[test]
fn nothing_is_left_of_a_zip_that_fails() {
    let folder = Folder::new();
    let mut entries = folder.entries();
    let before = folder.names();
    entries[3].source = Source::File(folder.path("gone"));
    let missing = write(&entries, &Options::default(), &folder.path("a.zip")).unwrap_err();
    assert!(matches!(missing, Error::Read { .. }), "{missing}");
    let nowhere = write(&folder.entries(), &Options::default(), &folder.path("no/a.zip"));
    assert!(matches!(nowhere.unwrap_err(), Error::Write { .. }));
    assert_eq!(folder.names(), before);
}

#[test]
fn more_than_lambda_unzips_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    let mut entries = folder.entries();
    // A sparse file: only its length counts.
    let large = folder.path("large");
    fs_err::File::create(&large).unwrap().set_len(LAMBDA_UNZIPPED_BYTES_MAX).unwrap();
    entries[3].source = Source::File(large);
    let refused = write(&entries, &Options::default(), &folder.path("a.zip")).unwrap_err();
    let Error::TooLarge { largest, largest_bytes, .. } = &refused else { panic!("{refused}") };
    assert_eq!((largest.as_str(), *largest_bytes), ("model/model.onnx", LAMBDA_UNZIPPED_BYTES_MAX));
    assert!(!folder.path("a.zip").exists());
}
