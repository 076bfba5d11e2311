//! Finding the library. Programs that stand in for pip and uv copy a small wheel made here.

#![expect(clippy::unwrap_used, reason = "a test's helpers end the test")]

use crate::support::{cache_folder, search_path};
use gwtf::error::Explain;
use gwtf::runtime::{
    Library, LocateError, LocateRequest, Origin, Target, VERSION, Wheel, find, locate, tools,
};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

/// A folder with a wheel, a `bin` on `PATH` and a cache.
struct Place {
    folder: tempfile::TempDir,
    wheel: Wheel,
}

/// As pip is called: copies the wheel into the folder named after `--dest`.
const PIP: &str = r#"#!/bin/sh
echo "$@" >> "$HERE/calls"
while [ "$1" != --dest ]; do shift; done
cp "$HERE/onnxruntime-1.32.0.whl" "$2"
"#;

/// As uv is called: leaves the wheel's files in the folder named after `--target`.
const UV: &str = r#"#!/bin/sh
echo "$@" >> "$HERE/calls"
while [ "$1" != --target ]; do
  [ "$1" = --requirements ] && cp "$2" "$HERE/requirements"
  shift
done
mkdir -p "$2/onnxruntime/capi" && cp "$HERE/library" "$2/onnxruntime/capi/libonnxruntime.so.1.32.0"
"#;

const NO_PIP: &str = "#!/bin/sh\necho \"$0: No module named pip\" >&2\nexit 1\n";

const REFUSED: &str =
    "#!/bin/sh\necho 'ERROR: 401 for https://me:secret@index.corp/simple' >&2\nexit 1\n";

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The start of a shared library for 64-bit x86, and some content.
        let mut library = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        library.resize(16, 0);
        library.extend([3, 0, 62, 0]);
        library.extend((0..100_000u32).flat_map(u32::to_le_bytes));
        let member = "onnxruntime/capi/libonnxruntime.so.1.32.0";
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(member, options).unwrap();
        zip.write_all(&library).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        fs_err::create_dir(folder.path().join("bin")).unwrap();
        fs_err::write(folder.path().join("library"), &library).unwrap();
        fs_err::write(folder.path().join("onnxruntime-1.32.0.whl"), &zip).unwrap();
        let wheel = Wheel {
            pip_platform: "manylinux_2_28_x86_64".to_owned(),
            uv_platform: "x86_64-manylinux_2_28".to_owned(),
            sha256: sha256(&zip),
            bytes: zip.len() as u64,
            member: member.to_owned(),
            library_sha256: sha256(&library),
            library_bytes: library.len() as u64,
        };
        Self { folder, wheel }
    }

    fn program(self, name: &str, script: &str) -> Self {
        let path = self.folder.path().join("bin").join(name);
        let here = self.folder.path().display().to_string();
        fs_err::write(&path, script.replace("$HERE", &here)).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(&path, executable).unwrap();
        self
    }

    /// Only our programs are on `PATH`; the scripts find `sh`'s own tools there as well.
    fn request(&self) -> LocateRequest {
        let mut request = LocateRequest::new(
            self.folder.path().join("cache"),
            self.folder.path().join("bin").into_os_string(),
        );
        request.target = Some(Target::LinuxX86_64);
        request.wheel = Some(self.wheel.clone());
        request
    }

    fn locate(&self) -> Result<Library, LocateError> {
        locate(&self.request(), &mut |_| {})
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs_err::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn cached(&self) -> PathBuf {
        self.request().library_folder(Target::LinuxX86_64).join("libonnxruntime.so.1.32.0")
    }

    /// Names in the cache besides the lock.
    fn leftovers(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.cached().parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name != ".lock").collect()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_library(path: &Path, machine: u8) {
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    header.resize(16, 0);
    header.extend([3, 0, machine, 0]);
    header.extend(b"VERS_1.20.1\0");
    fs_err::write(path, header).unwrap();
}

#[test]
fn a_fetched_library_is_found_in_the_cache_next_time() {
    let place = Place::new().program("python3", PIP);
    assert_eq!(find(&place.request()).unwrap(), None);
    let mut seen = Vec::new();
    let library = locate(&place.request(), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!(library.path, place.cached());
    assert_eq!(library.version.as_deref(), Some(VERSION));
    assert_eq!(library.origin, Origin::Fetched);
    assert_eq!(sha256(&fs_err::read(&library.path).unwrap()), place.wheel.library_sha256);
    let last = seen.last().unwrap();
    assert_eq!((last.bytes, last.bytes_total), (place.wheel.bytes, place.wheel.bytes));
    assert_eq!(place.leftovers(), ["libonnxruntime.so.1.32.0"]);

    let again = place.locate().unwrap();
    assert_eq!((again.path, again.origin), (library.path, Origin::Cache));
    let calls = place.calls();
    assert_eq!(calls.len(), 1);
    for part in ["-m pip download", "--platform manylinux_2_28_x86_64", "onnxruntime==1.32.0"] {
        assert!(calls[0].contains(part), "{calls:?}");
    }
}

#[test]
fn a_named_library_goes_before_the_cache() {
    let place = Place::new().program("python3", PIP);
    place.locate().unwrap();
    let (flag, environment) = (place.folder.path().join("a.so"), place.folder.path().join("b.so"));
    write_library(&flag, 62);
    write_library(&environment, 62);
    let mut request = place.request();
    request.target = Target::host();
    let is_x86 = request.target == Some(Target::LinuxX86_64);
    request.environment = Some(environment.clone());
    if is_x86 {
        let library = find(&request).unwrap().unwrap();
        assert_eq!((library.path, library.origin), (environment, Origin::Environment));
        assert_eq!(library.version.as_deref(), Some("1.20.1"));
    }
    request.target = Some(Target::LinuxX86_64);
    request.flag = Some(flag.clone());
    let library = find(&request).unwrap().unwrap();
    assert_eq!((library.path, library.origin), (flag, Origin::Flag));
}

#[test]
fn the_variable_says_nothing_about_other_platforms() {
    let place = Place::new().program("python3", PIP);
    let mut request = place.request();
    request.target = Target::ALL.into_iter().find(|target| Some(*target) != Target::host());
    request.environment = Some(place.folder.path().join("missing.so"));
    assert_eq!(find(&request).unwrap(), None);
}

#[test]
fn a_named_file_that_is_no_library_is_an_error() {
    let place = Place::new().program("python3", PIP);
    let folder = place.folder.path();
    fs_err::write(folder.join("text.so"), "not a library, whatever its name says").unwrap();
    write_library(&folder.join("arm.so"), 183);
    let cases = [
        (folder.join("missing.so"), "no such file"),
        (folder.to_owned(), "it is a folder, not a library"),
        (folder.join("text.so"), "it is no shared library"),
        (
            folder.join("arm.so"),
            "it is a library for aarch64-unknown-linux-gnu, not for x86_64-unknown-linux-gnu",
        ),
    ];
    for (path, expected) in cases {
        let mut request = place.request();
        request.flag = Some(path);
        let error = locate(&request, &mut |_| {}).unwrap_err();
        assert!(error.to_string().ends_with(&format!("(--onnxruntime): {expected}")), "{error}");
    }
    assert!(place.calls().is_empty(), "nothing is fetched instead");
}

#[test]
fn without_python_and_uv_the_error_names_both_ways_out() {
    let error = Place::new().locate().unwrap_err();
    assert!(matches!(error, LocateError::NoTool), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("--onnxruntime") && hint.contains("ORT_DYLIB_PATH"), "{hint}");
}

#[test]
fn a_machine_without_a_published_library_is_told_so() {
    let place = Place::new().program("python3", PIP);
    let request = LocateRequest { target: None, ..place.request() };
    assert_eq!(find(&request).unwrap(), None);
    assert!(matches!(locate(&request, &mut |_| {}), Err(LocateError::Platform)));
}

#[test]
fn a_python_without_pip_gives_way_to_uv() {
    let place = Place::new().program("python3", NO_PIP).program("uv", UV);
    let library = place.locate().unwrap();
    assert_eq!(sha256(&fs_err::read(library.path).unwrap()), place.wheel.library_sha256);
    let requirements = fs_err::read_to_string(place.folder.path().join("requirements")).unwrap();
    let expected = format!("onnxruntime==1.32.0 --hash=sha256:{}\n", place.wheel.sha256);
    assert_eq!(requirements, expected);
    assert!(place.calls()[0].contains("--python-platform x86_64-manylinux_2_28"));
}

#[test]
fn python_is_tried_under_both_its_names() {
    let place = Place::new().program("python", PIP);
    assert_eq!(place.locate().unwrap().origin, Origin::Fetched);
    let found = tools(&place.request().search_path);
    assert_eq!(found.len(), 1);
    assert!(found[0].path().ends_with("bin/python"));
}

#[test]
fn only_pythons_without_pip_is_as_good_as_none() {
    let error = Place::new().program("python3", NO_PIP).locate().unwrap_err();
    assert!(matches!(error, LocateError::NoTool), "{error}");
}

#[test]
fn a_failed_download_passes_on_the_last_words_without_credentials() {
    let place = Place::new().program("python3", REFUSED).program("python", PIP);
    let message = place.locate().unwrap_err().to_string();
    assert!(message.contains("ERROR: 401 for https://***@index.corp/simple"), "{message}");
    assert!(!message.contains("secret"), "{message}");
    assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
    assert!(place.calls().is_empty(), "a second pip would hear the same");
}

#[test]
fn a_wheel_or_library_with_another_hash_is_not_kept() {
    let mut wheel_differs = Place::new().program("python3", PIP);
    wheel_differs.wheel.sha256 = sha256(b"another wheel");
    let mut library_differs = Place::new().program("python3", PIP);
    library_differs.wheel.library_sha256 = sha256(b"another library");
    let mut library_is_longer = Place::new().program("uv", UV);
    library_is_longer.wheel.library_bytes -= 1;
    let mut member_is_missing = Place::new().program("python3", PIP);
    member_is_missing.wheel.member = "onnxruntime/capi/other.so".to_owned();
    for (place, expected) in [
        (wheel_differs, "ONNX Runtime `onnxruntime-1.32.0.whl`: its SHA-256 is "),
        (library_differs, "ONNX Runtime `libonnxruntime.so.1.32.0`: its SHA-256 is "),
        (library_is_longer, "ONNX Runtime `libonnxruntime.so.1.32.0`: its SHA-256 is "),
        (member_is_missing, "ONNX Runtime wheel `onnxruntime-1.32.0.whl`: "),
    ] {
        let error = place.locate().unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
        assert_eq!(find(&place.request()).unwrap(), None);
    }
}

#[test]
fn a_library_cut_short_is_fetched_again() {
    let place = Place::new().program("python3", PIP);
    let path = place.locate().unwrap().path;
    fs_err::write(&path, b"cut").unwrap();
    fs_err::create_dir(path.with_file_name(".fetch-killed")).unwrap();
    assert_eq!(place.locate().unwrap().origin, Origin::Fetched);
    assert_eq!(place.leftovers(), ["libonnxruntime.so.1.32.0"], "killed fetches are cleared away");
}

#[test]
fn of_many_at_once_one_fetches() {
    let place = Place::new().program("python3", PIP);
    let (count, start) = (6, Barrier::new(6));
    let origins: Vec<Origin> = std::thread::scope(|scope| {
        let locate_together = || {
            start.wait();
            place.locate().unwrap().origin
        };
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(locate_together)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let fetched = origins.iter().filter(|origin| **origin == Origin::Fetched).count();
    assert_eq!((fetched, place.calls().len()), (1, 1), "{origins:?}");
    assert_eq!(place.leftovers(), ["libonnxruntime.so.1.32.0"]);
}

#[test]
fn an_unwritable_cache_is_an_error() {
    let place = Place::new().program("python3", PIP);
    fs_err::write(place.folder.path().join("cache"), "a file where a folder should be").unwrap();
    let error = place.locate().unwrap_err();
    assert!(matches!(error, LocateError::Cache(_)), "{error}");
}

/// The pinned wheel through the machine's own pip, when the tests' cache does not hold it yet; the
/// cached one otherwise.
#[test]
fn the_pinned_library_is_what_the_table_says() {
    let target = Target::host().expect("a library is published for machines that run the tests");
    let request = LocateRequest::new(cache_folder(), search_path());
    let library = locate(&request, &mut |_| {}).unwrap();
    assert_eq!(sha256(&fs_err::read(&library.path).unwrap()), target.wheel().library_sha256);
}
