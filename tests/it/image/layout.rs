//! The layout of an image.

use super::*;
use gwtf::error::Explain;
use gwtf::package::image::{Base, Error};
use serde_json::json;

#[test]
fn skopeo_umoci_and_podman_read_and_run_it() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    let report = write("a model", &layout);
    let place = format!("oci:{}:{TAG}", layout.display());

    let seen: Value = serde_json::from_str(&skopeo(&["inspect", &place])).unwrap();
    assert_eq!(seen["Digest"], report.digest.as_str());
    assert_eq!(seen["Architecture"], "amd64");
    let copy = format!("oci:{}:{TAG}", folder.path().join("copy").display());
    skopeo(&["copy", "--preserve-digests", &place, &copy]);

    let bundle = folder.path().join("bundle");
    let image = format!("{}:{TAG}", layout.display());
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--rootless", "--image", &image]).arg(&bundle);
    output(&mut umoci);
    let root = bundle.join("rootfs");
    assert_eq!(fs_err::read_to_string(root.join("var/task/model/model.onnx")).unwrap(), "a model");

    let mut podman = podman(folder.path());
    let said = output(podman.args(SANDBOX).arg(format!("oci:image:{TAG}")));
    assert!(said.starts_with("uid=65532(gwtf) gid=65532(gwtf)"), "{said}");
}

/// Every file of a layout with its bytes.
fn files(layout: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![layout.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(layout).unwrap().to_path_buf();
                found.push((relative, fs_err::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let one = write("a model", &first);
    // Another order, another path, another mode and time, and no cache.
    let copy = folder.path().join("elsewhere");
    fs_err::copy(PROGRAM, &copy).unwrap();
    let mut entries = entries("a model");
    entries[0].source = Source::File(copy);
    entries.reverse();
    let options = Options { cache_folder: None, ..options() };
    let two = write_layout(&entries, &options, &second).unwrap();
    assert_eq!(one.digest, two.digest);
    assert!(files(&first) == files(&second), "the layouts differ");
}

#[test]
fn the_documents_are_what_lambda_and_ecs_want() {
    let folder = tempfile::tempdir().unwrap();
    for (host, ports) in [(Host::Lambda, Value::Null), (Host::Ecs, json!({ "8080/tcp": {} }))] {
        let layout = folder.path().join(format!("{host:?}"));
        let mut options = Options { host, ..options() };
        options.labels = [("org.opencontainers.image.version".to_owned(), "v1".to_owned())].into();
        let report = write_layout(&entries("a model"), &options, &layout).unwrap();
        let index = json(layout.join("index.json"));
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
        let only = &index["manifests"][0];
        assert_eq!(only["digest"], report.digest.as_str());
        assert_eq!(only["annotations"]["org.opencontainers.image.ref.name"], TAG);
        let (manifest, config) = documents(&layout);
        let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
        for (layer, told) in manifest["layers"].as_array().unwrap().iter().zip(&report.layers) {
            assert_eq!(layer["mediaType"], gzip);
            assert_eq!(layer["digest"], told.digest.as_str());
            assert_eq!(layer["size"], told.compressed_bytes);
        }
        let parts: Vec<Value> =
            report.layers.iter().map(|layer| serde_json::to_value(layer.part).unwrap()).collect();
        assert_eq!(parts, ["base", "onnx_runtime", "runtime", "model"]);
        let history = config["history"].as_array().unwrap();
        assert_eq!(history.len(), 4);
        assert!(history.iter().all(|entry| entry["created_by"].is_string()));
        assert!(config["created"].as_str().unwrap().starts_with("1970-01-01"));
        let run = &config["config"];
        assert_eq!(run["Entrypoint"], json!(["/var/task/bootstrap"]));
        assert_eq!(run["WorkingDir"], "/var/task");
        assert_eq!(run["User"], "65532:65532");
        assert_eq!(run["ExposedPorts"], ports);
        assert_eq!(run["Labels"]["org.opencontainers.image.version"], "v1");
        let env = run["Env"].as_array().unwrap();
        assert!(env.contains(&json!("LAMBDA_TASK_ROOT=/var/task")), "{env:?}");
        assert!(env[0].as_str().unwrap().starts_with("PATH=/"), "{env:?}");
    }
}

#[test]
fn bundled_libraries_are_found_before_those_of_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let library = Source::File("/lib/x86_64-linux-gnu/libselinux.so.1".into());
    let mut entries = entries("a");
    entries.retain(|entry| entry.part != Part::OnnxRuntime);
    entries.push(entry("lib/libselinux.so.1", Part::SystemLibrary, library));
    write_layout(&entries, &options(), &folder.path().join("image")).unwrap();
    let (_, config) = documents(&folder.path().join("image"));
    let env = config["config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("LD_LIBRARY_PATH=/var/task/lib")), "{env:?}");
    // The loader finds it there: the base has it no second time.
    let said = output(podman(folder.path()).args(SANDBOX).arg(format!("oci:image:{TAG}")));
    assert!(said.starts_with("uid=65532(gwtf)"), "{said}");
}

/// The error of writing these entries, after which nothing may be left beside the output.
fn refused(entries: &[Entry], options: &Options) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let error = write_layout(entries, options, &folder.path().join("image")).unwrap_err();
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0, "{error:?}");
    error
}

#[test]
#[ignore = "run by the test below, on a file system of its own"]
fn writes_here() {
    let mut options = options();
    options.cache_folder = Some(PathBuf::from("cache"));
    let error = write_layout(&entries("a"), &options, Path::new("image")).unwrap_err();
    let left: Vec<_> = fs_err::read_dir(".").unwrap().map(|e| e.unwrap().file_name()).collect();
    println!("said {} hint {} left {left:?}", gwtf::error::chain(&error), error.hint().unwrap());
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left_on_it() {
    let folder = tempfile::tempdir().unwrap();
    // Room for the base, and not for ONNX Runtime.
    let script = "mount -t tmpfs -o size=6m tmpfs \"$1\" && cd \"$1\" && shift && exec \"$@\"";
    let mut child = Command::new("unshare");
    child.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(folder.path());
    child.arg(std::env::current_exe().unwrap());
    child.args(["--exact", "image::layout::writes_here", "--ignored", "--nocapture"]);
    let said = output(&mut child);
    assert!(said.contains("said image layout `image`: no storage space"), "{said}");
    assert!(!said.contains(".tmp") && !said.contains(".gwtf-image"), "{said}");
    assert!(said.contains("hint free some space"), "{said}");
    assert!(said.contains("left [\"cache\"]"), "{said}");
}

#[test]
fn an_output_that_exists_is_replaced_only_if_gwtf_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("image");
    let forced = Options { force: true, ..options() };
    let hint = |options: &Options| {
        let error = write_layout(&entries("b"), options, &out).unwrap_err();
        assert!(matches!(error, Error::OutputExists { .. }), "{error:?}");
        error.hint().unwrap()
    };
    fs_err::write(&out, "mine").unwrap();
    assert!(hint(&forced).contains("name a path"));
    fs_err::remove_file(&out).unwrap();
    fs_err::create_dir(&out).unwrap();
    write("a", &out);
    assert!(hint(&options()).contains("--force"));
    let replaced = write_layout(&entries("b"), &forced, &out).unwrap();
    assert_eq!(json(out.join("index.json"))["manifests"][0]["digest"], replaced.digest.as_str());
    // A layout of another tool is not gwtf's to replace.
    let index = fs_err::read_to_string(out.join("index.json")).unwrap();
    fs_err::write(out.join("index.json"), index.replace("gwtf.layout", "other.layout")).unwrap();
    assert!(hint(&forced).contains("name a path"));
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn programs_that_cannot_run_in_the_image_are_refused() {
    let program = fs_err::read(PROGRAM).unwrap();
    let with = |bytes: Vec<u8>| [entry("bootstrap", Part::Runtime, Source::Bytes(bytes.into()))];
    let arm = Options { architecture: Architecture::Arm64, ..options() };

    let error = refused(&with(program.clone()), &arm);
    assert!(matches!(error, Error::WrongArchitecture { .. }), "{error:?}");
    assert_eq!(error.to_string(), "`bootstrap` is for x86_64, the image for arm64");

    // `e_machine` is at byte 18; 183 is AArch64.
    let mut arm_program = program.clone();
    arm_program[18] = 183;
    let error = refused(&with(arm_program), &arm);
    assert!(matches!(error, Error::NeedsBase { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("--base"));

    let at = program.windows(15).position(|window| window == b"libselinux.so.1").unwrap();
    let mut lacking = program.clone();
    lacking[at + 14] = b'9';
    let error = refused(&with(lacking), &options());
    let expected = "`libselinux.so.9`, which `/var/task/bootstrap` needs, is not on this machine";
    assert_eq!(error.to_string(), expected);

    for bytes in [&b"#!/bin/sh"[..], &program[..200], b""] {
        let error = refused(&with(bytes.to_vec()), &options());
        assert!(matches!(error, Error::BadElf { .. }), "{error:?}");
    }
    let gone = [entry("bootstrap", Part::Runtime, Source::File("/nonexistent".into()))];
    assert!(matches!(refused(&gone, &options()), Error::Read { .. }));
    let mut twice = entries("a").to_vec();
    twice.push(entry("gwtf.json", Part::Model, Source::Bytes(Bytes::new())));
    assert!(matches!(refused(&twice, &options()), Error::BadPath { .. }));
    let outside = [entry("../up", Part::Model, Source::Bytes(Bytes::new()))];
    assert!(matches!(refused(&outside, &options()), Error::BadPath { .. }));
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { cache_folder: Some(folder.path().join("cache")), ..options() };
    let entries: Vec<Entry> =
        entries("a").into_iter().filter(|entry| entry.part != Part::OnnxRuntime).collect();
    let write = |name: &str| write_layout(&entries, &options, &folder.path().join(name)).unwrap();
    let reused = |report: &LayoutReport| -> Vec<bool> {
        report.layers.iter().map(|layer| layer.reused).collect()
    };
    let first = write("first");
    assert_eq!(reused(&first), [false, false, false]);
    assert_eq!(reused(&write("second")), [true, true, false]);
    let kept = files(&folder.path().join("cache"));
    assert_eq!(kept.len(), 2, "the model is not kept");
    for (at, (path, bytes)) in kept.iter().enumerate() {
        let mut damaged = bytes.clone();
        // One with another byte inside, one that is cut off.
        match at {
            0 => damaged[bytes.len() / 2] ^= 1,
            _ => damaged.truncate(bytes.len() / 2),
        }
        fs_err::write(folder.path().join("cache").join(path), damaged).unwrap();
    }
    let third = write("third");
    assert_eq!(reused(&third), [false, false, false]);
    assert_eq!(third.digest, first.digest);
    assert_eq!(reused(&write("fourth")), [true, true, false]);
}

#[test]
fn a_base_that_cannot_be_stood_on_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    let on = |base: &Path| Options { base: Base::Layout(base.to_owned()), ..options() };
    let model = [entry("model/model.onnx", Part::Model, Source::Bytes(Bytes::new()))];
    let said = |options: &Options| match refused(&model, options) {
        Error::BadImage { reason, .. } => reason,
        error => panic!("{error:?}"),
    };
    assert!(said(&on(&folder.path().join("none"))).contains("it is no OCI layout: `oci-layout`"));
    fs_err::create_dir(&base).unwrap();
    fs_err::write(base.join("oci-layout"), "{").unwrap();
    assert!(said(&on(&base)).contains("oci-layout: EOF"));
    fs_err::remove_dir_all(&base).unwrap();

    write("a", &base);
    let arm = Options { architecture: Architecture::Arm64, ..on(&base) };
    assert_eq!(said(&arm), "it is for linux/amd64, not for linux/arm64");
    // Its layers are taken as they are.
    write_layout(&model, &on(&base), &folder.path().join("fine")).unwrap();
    let (manifest, _) = documents(&base);
    let layer = blob(&base, &manifest["layers"][1]["digest"]);
    let bytes = fs_err::read(&layer).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    fs_err::write(&layer, damaged).unwrap();
    assert!(said(&on(&base)).contains("does not hold what its digests say"));
    fs_err::write(&layer, &bytes[1..]).unwrap();
    assert!(said(&on(&base)).contains(&format!("bytes, not {}", bytes.len())));
    fs_err::remove_file(&layer).unwrap();
    assert!(said(&on(&base)).contains("entity not found"));
    let config = blob(&base, &manifest["config"]["digest"]);
    fs_err::write(config, "{}").unwrap();
    assert!(said(&on(&base)).contains("its bytes are not those of its digest"));
}

#[test]
fn layers_that_lambda_does_not_take_are_refused_in_a_base() {
    let folder = tempfile::tempdir().unwrap();
    let (image, base) = (folder.path().join("image"), folder.path().join("base"));
    write("a", &image);
    let place = |path: &Path| format!("oci:{}:{TAG}", path.display());
    skopeo(&["copy", "--dest-compress-format", "zstd", &place(&image), &place(&base)]);
    let options = Options { base: Base::Layout(base), ..options() };
    let error = refused(&entries("a"), &options);
    assert!(error.to_string().contains("tar+zstd`; Lambda takes gzip layers alone"), "{error}");
    assert!(error.hint().unwrap().contains("--dest-compress-format gzip"));
}
