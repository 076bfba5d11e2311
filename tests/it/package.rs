//! `gwtf package`: what is in the zip, that it is the same each time, that it runs, what is refused.

use crate::runtime_program::{Emulator, event, unpack};
use crate::support::{fixture, gwtf, held_to_schema, library, model, python};
use gwtf::model::Digest;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gwtf-runtime");
const ZIP: &str = "--target lambda-zip";

/// `gwtf package` with these arguments in `folder`, with this machine's library and the program of
/// this build.
fn package(folder: &Path, arguments: &str) -> Command {
    let mut command = gwtf(folder);
    command.arg("package").args(arguments.split_whitespace());
    command.env("GWTF_RUNTIME", PROGRAM).env("ORT_DYLIB_PATH", library().path);
    command
}

fn succeeded(mut command: Command) -> Value {
    let output = command.arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    held_to_schema(std::str::from_utf8(&output.stdout).unwrap())
}

/// Exit code, `error:` line and `hint:` line; nothing is on stdout.
#[track_caller]
fn refused(output: &Output, exit: i32, wanted: &[&str]) {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{talk}");
    let line =
        |start: &str| talk.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
    let said = format!("{}\n{}", line("error: ").expect(&talk), line("hint: ").expect(&talk));
    for wanted in wanted {
        assert!(said.contains(wanted), "`{wanted}` is not in: {said}");
    }
    assert!(!talk.contains("panicked") && !talk.contains("ZipWriter"), "{talk}");
    assert!(output.stdout.is_empty());
}

fn names_and_modes(zip: &Path) -> Vec<(String, u32)> {
    let mut archive = zip::ZipArchive::new(fs_err::File::open(zip).unwrap()).unwrap();
    (0..archive.len())
        .map(|at| {
            let entry = archive.by_index(at).unwrap();
            let time = entry.last_modified().unwrap();
            assert_eq!((time.year(), time.month(), time.day(), time.hour()), (1980, 1, 1, 0));
            (entry.name().unwrap().into_owned(), entry.unix_mode().unwrap() & 0o777)
        })
        .collect()
}

fn entry(zip: &Path, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(fs_err::File::open(zip).unwrap()).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_zip_holds_the_program_the_library_and_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let (iris, zip) = (model("iris"), folder.path().join("iris.zip"));
    let document =
        succeeded(package(folder.path(), &format!("{iris} {ZIP} --version v7 -o iris.zip")));
    let library_name = format!("lib/libonnxruntime.so.{}", gwtf::runtime::VERSION);
    let expected = [
        ("bootstrap", 0o755),
        ("gwtf.json", 0o644),
        (library_name.as_str(), 0o644),
        ("model/model.onnx", 0o644),
    ];
    assert_eq!(names_and_modes(&zip), expected.map(|(name, mode)| (name.to_owned(), mode)));
    assert_eq!(entry(&zip, "bootstrap"), fs_err::read(PROGRAM).unwrap());
    assert_eq!(entry(&zip, &library_name), fs_err::read(library().path).unwrap());
    let bytes = fs_err::read(&zip).unwrap();
    assert_eq!(document["sha256"], Digest::of(&bytes).to_string());
    assert_eq!(document["stored_bytes"], bytes.len());
    assert_eq!(document["optimization"]["state"], "done");
    assert_eq!(document["warnings"], serde_json::json!([]));
    let manifest: Value = serde_json::from_slice(&entry(&zip, "gwtf.json")).unwrap();
    assert_eq!(manifest["version"], "v7");
    assert_eq!(manifest["optimized"], true);
    let given = Digest::of(&fs_err::read(&iris).unwrap()).to_string();
    assert_eq!(
        (&manifest["model_digest"], &document["model_sha256"]),
        (&given.clone().into(), &given.into())
    );
    // Nothing else was left in the folder.
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn the_same_input_gives_the_same_bytes_with_any_cache() {
    let iris = model("iris");
    let caches = tempfile::tempdir().unwrap();
    let make = |cache: &str| {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("some-name.onnx");
        fs_err::copy(&iris, &copy).unwrap();
        fs_err::write(folder.path().join("gwtf.toml"), "[endpoint]\nname = \"iris\"\n").unwrap();
        let mut command = package(folder.path(), &format!("some-name.onnx {ZIP} -o a.zip"));
        command.env("XDG_CACHE_HOME", caches.path().join(cache));
        succeeded(command);
        let read = |name: &str| fs_err::read(folder.path().join(name)).unwrap();
        (Digest::of(&read("a.zip")), Digest::of(&read("a.zip.cdx.json")))
    };
    let cold = make("one");
    assert_eq!(make("one"), cold, "warm");
    let forms = caches.path().join("one/gwtf/package");
    let mut damaged = 0;
    for form in fs_err::read_dir(&forms).unwrap() {
        fs_err::write(form.unwrap().path(), "PK damaged").unwrap();
        damaged += 1;
    }
    assert_eq!(damaged, 2, "the program's and the library's");
    assert_eq!(make("one"), cold, "damaged");
    // A cache that nothing can be kept in.
    fs_err::create_dir_all(caches.path().join("two/gwtf")).unwrap();
    fs_err::write(caches.path().join("two/gwtf/package"), "no folder").unwrap();
    assert_eq!(make("two"), cold, "no cache");
}

#[test]
fn the_emulator_runs_the_zip_and_answers_as_infer_does() {
    let folder = tempfile::tempdir().unwrap();
    let iris = model("iris");
    succeeded(package(folder.path(), &format!("{iris} {ZIP} -o iris.zip")));
    let root = unpack(&folder.path().join("iris.zip"));
    let emulator = Emulator::start(&root, 10, 512);
    let body = br#"{"instances":[[5.1,3.5,1.4,0.2],[6.7,3.1,4.7,1.5]]}"#;
    let json = [("Content-Type", "application/json")];
    let reply = emulator.invoke(&event("POST", "/predict", &json, body));
    assert_eq!(reply.status(), 200, "{}", emulator.read_log());
    fs_err::write(folder.path().join("request"), body).unwrap();
    let mut infer = gwtf(folder.path());
    infer.args(["infer", &iris, "--input", "request"]).env("ORT_DYLIB_PATH", library().path);
    assert_eq!(reply.body(), infer.output().unwrap().stdout.trim_ascii_end());
}

#[test]
fn external_data_come_along() {
    let folder = tempfile::tempdir().unwrap();
    let external = model("external-data");
    let zip = folder.path().join("a.zip");
    let plain = format!("{external} {ZIP} --no-optimize -o a.zip");
    let document = succeeded(package(folder.path(), &plain));
    assert_eq!(document["optimization"]["state"], "off");
    let weights = fixture("models/external-data/weights.bin");
    assert_eq!(entry(&zip, "model/weights.bin"), fs_err::read(weights).unwrap());
    assert_eq!(entry(&zip, "model/model.onnx"), fs_err::read(&external).unwrap());
    // Optimised, they are in the model.
    succeeded(package(folder.path(), &format!("{external} {ZIP} --force -o a.zip")));
    assert!(names_and_modes(&zip).iter().all(|(name, _)| name != "model/weights.bin"));
    let alone = folder.path().join("alone.onnx");
    fs_err::copy(&external, alone).unwrap();
    let output = package(folder.path(), &format!("alone.onnx {ZIP} -o b.zip")).output().unwrap();
    refused(&output, 2, &["alone.onnx", "weights.bin"]);
}

/// A model of `make_models.py`, in the folder under its name.
fn made(folder: &Path, name: &str) -> std::path::PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/runtime/make_models.py");
    let path = folder.join(format!("{name}.onnx"));
    let status = Command::new(python()).arg(script).arg(name).arg(&path).status().unwrap();
    assert!(status.success());
    path
}

#[test]
fn a_model_that_cannot_be_compared_is_packed_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    // Random numbers are in its output.
    let random = made(folder.path(), "random");
    let output =
        package(folder.path(), &format!("random.onnx {ZIP} -o a.zip --json")).output().unwrap();
    let document = held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(document["optimization"]["state"], "refused");
    let reason = document["optimization"]["reason"].as_str().unwrap();
    assert!(document["warnings"][0].as_str().unwrap().contains(reason), "{document:#}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: "));
    let zip = folder.path().join("a.zip");
    assert_eq!(entry(&zip, "model/model.onnx"), fs_err::read(&random).unwrap());
    let manifest: Value = serde_json::from_slice(&entry(&zip, "gwtf.json")).unwrap();
    assert_eq!(manifest["optimized"], false);
}

#[test]
fn what_makes_no_artefact_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let iris = model("iris");
    fs_err::copy(&iris, folder.join("iris.onnx")).unwrap();
    fs_err::write(folder.join("text"), "#!/bin/sh\n").unwrap();
    let mut other = fs_err::read(PROGRAM).unwrap();
    // e_machine of the ELF header: 183 is Arm's, 62 x86's.
    other[18] = if other[18] == 62 { 183 } else { 62 };
    fs_err::write(folder.join("other"), &other).unwrap();
    fs_err::write(folder.join("cut"), &other[..5_000]).unwrap();
    // As if it were built on a machine with a newer glibc: the names of versions in its strings.
    let mut newer = fs_err::read(PROGRAM).unwrap();
    for at in memchr::memmem::find_iter(&newer.clone(), b"\0GLIBC_2.34\0") {
        newer[at + 9..at + 11].copy_from_slice(b"99");
    }
    fs_err::write(folder.join("newer"), &newer).unwrap();
    let library = library().path.display().to_string();
    let cases: [(&str, i32, &[&str]); 13] = [
        ("-o a.zip --runtime newer", 2, &["GLIBC_2.99 of libc.so.6, GLIBC_2.34 is", "Debian 11"]),
        ("-o a.zip --runtime nowhere", 2, &["gwtf-runtime `", "nowhere", "not found"]),
        ("-o a.zip --runtime .", 2, &["gwtf-runtime `", "is a directory"]),
        ("-o a.zip --runtime text", 2, &["text", "no ELF file", "64-bit Linux"]),
        ("-o a.zip --runtime other", 2, &["other", "it is for arm64", "cargo build", "--runtime"]),
        ("-o a.zip --runtime LIBRARY", 2, &["shared library, not a program"]),
        ("-o a.zip --runtime cut", 2, &["cut", "damaged"]),
        ("-o a.zip --arch arm64 --onnxruntime LIBRARY", 3, &["not for aarch64"]),
        ("-o nowhere/a.zip", 2, &["nowhere/a.zip", "folder does not exist"]),
        ("-o text", 2, &["text", "no artefact"]),
        ("-o text --force", 2, &["text", "no artefact"]),
        ("-o . --force", 2, &["`", "folder"]),
        ("-o a.zip --base oci:x", 2, &["--base", "lambda-image"]),
    ];
    for (flags, exit, wanted) in cases {
        let flags = flags.replace("LIBRARY", &library);
        let output = package(folder, &format!("iris.onnx {ZIP} {flags}")).output().unwrap();
        refused(&output, exit, wanted);
    }
    let output = package(folder, "iris.onnx -o a.zip").output().unwrap();
    refused(&output, 2, &["target: none is named", "lambda-zip"]);
    let output = package(folder, &format!(". {ZIP} -o a.zip")).output().unwrap();
    refused(&output, 2, &["a folder"]);
    // No artefact, no temporary file.
    assert_eq!(fs_err::read_dir(folder).unwrap().count(), 5);
}

#[test]
fn an_artefact_is_replaced_only_when_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("{} {ZIP} -o a.zip", model("iris"));
    let first = succeeded(package(folder.path(), &line));
    refused(&package(folder.path(), &line).output().unwrap(), 2, &["a.zip`: it exists", "--force"]);
    let second = succeeded(package(folder.path(), &format!("{line} --version v2 --force")));
    assert_ne!(first["sha256"], second["sha256"]);
    // What is not packaging's own stays, whatever is said.
    fs_err::write(folder.path().join("a.zip.cdx.json"), "{}").unwrap();
    let output = package(folder.path(), &format!("{line} --force")).output().unwrap();
    refused(&output, 2, &["a.zip.cdx.json", "no bill of materials"]);
}

#[test]
fn no_room_for_the_output_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = without_room(folder.path(), &model("iris"));
    refused(&output, 3, &["output `", "a.zip", "File too large", "room"]);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
}

/// Packages where a file-size limit stands for a full disk: writes fail part way.
fn without_room(folder: &Path, model: &str) -> Output {
    let script = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_gwtf"), "package", model]);
    command.args(ZIP.split(' ')).args(["-o", "a.zip"]).current_dir(folder);
    command.env("GWTF_RUNTIME", PROGRAM).env("ORT_DYLIB_PATH", library().path);
    command.output().unwrap()
}

/// Else the disk would decide whether the model in the artefact is the optimised one.
#[test]
fn no_room_for_the_optimised_model_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let wide = made(folder.path(), "wide");
    let output = without_room(folder.path(), wide.to_str().unwrap());
    refused(&output, 3, &["optimised model `", "File too large", "TMPDIR"]);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn beyond_lambdas_limits_is_a_warning_or_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    // A program with noise behind it is a program still.
    let mut program = fs_err::read(PROGRAM).unwrap();
    let mut word = 0x2545_f491_4f6c_dd1d_u64;
    let noisy = program.len() + (60 << 20);
    while program.len() < noisy {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        program.extend(word.to_le_bytes());
    }
    fs_err::write(folder.path().join("program"), &program).unwrap();
    let line = format!("{} {ZIP} --runtime program -o a.zip", model("iris"));
    let mut command = package(folder.path(), &line);
    command.env("XDG_CACHE_HOME", folder.path());
    let document = succeeded(command);
    let warning = document["warnings"][0].as_str().unwrap();
    assert!(warning.contains("S3") && warning.contains("52428800"), "{warning}");
    program.resize(262_144_000, 0);
    fs_err::write(folder.path().join("program"), &program).unwrap();
    let output = package(folder.path(), &format!("{line} --force")).output().unwrap();
    refused(&output, 2, &["262144000", "lambda-image"]);
}

#[test]
fn libstdcxx_is_bundled_only_where_it_would_run() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("{} {ZIP} --bundle-libstdcxx always -o a.zip", model("iris"));
    let output = package(folder.path(), &line).output().unwrap();
    if output.status.success() {
        let names = names_and_modes(&folder.path().join("a.zip"));
        assert!(names.iter().any(|(name, _)| name == "lib/libstdc++.so.6"), "{names:?}");
    } else {
        // This machine's copies are newer than Lambda's glibc.
        refused(&output, 2, &["system library", "GLIBC_", "GLIBC_2.34 is there"]);
    }
}

#[test]
fn the_table_fits_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        package(folder.path(), &format!("{} {ZIP} -o a.zip", model("iris"))).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for wanted in
        ["lambda-zip for ", "iris v1", "bootstrap", "onnxruntime", "model", "a.zip.cdx.json"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn the_bill_of_materials_is_valid_cyclonedx() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(package(folder.path(), &format!("{} {ZIP} -o a.zip", model("iris"))));
    let path = folder.path().join("a.zip.cdx.json");
    let document: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    let components = document["components"].as_array().unwrap();
    let find = |name: &str| components.iter().find(|c| c["name"] == name);
    let model_component = find("iris").unwrap();
    let packed = entry(&folder.path().join("a.zip"), "model/model.onnx");
    assert_eq!(model_component["type"], "machine-learning-model");
    assert_eq!(model_component["hashes"][0]["content"], Digest::of(&packed).to_string());
    assert!(
        find("gwtf-runtime").is_some() && find("onnxruntime").is_some() && find("tokio").is_some()
    );
    assert!(document["metadata"].get("timestamp").is_none());
    let script = "import sys\n\
        from cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
        sys.exit(str(error) if error else 0)";
    let output = Command::new(python()).args(["-c", script]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
