//! Images through the program: made, described, pushed, checked, refused.

use super::registry::Registry;
use super::{json, output, skopeo};
use crate::support::{gwtf, held_to_schema, library, model, python};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gwtf-runtime");

/// `gwtf package` in `folder`, with the program of this build and no one's Docker configuration.
fn package(folder: &Path, arguments: &str) -> Command {
    let mut command = gwtf(folder);
    command.arg("package").args(arguments.split_whitespace());
    command.env("GWTF_RUNTIME", PROGRAM).env("ORT_DYLIB_PATH", library().path);
    command.env("DOCKER_CONFIG", folder);
    command
}

fn document(mut command: Command) -> Value {
    held_to_schema(&output(command.arg("--json")))
}

/// Exit code and what is said; stdout is empty.
#[track_caller]
fn refused(mut command: Command, exit: i32, wanted: &[&str]) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{said}");
    for wanted in wanted {
        assert!(said.contains(wanted), "`{wanted}` is not in: {said}");
    }
    assert!(output.stdout.is_empty());
}

/// An image's bill of materials, valid under CycloneDX's own schema.
fn bill(path: &Path) -> Value {
    let script = "import sys\n\
        from cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
        sys.exit(str(error) if error else 0)";
    output(Command::new(python()).args(["-c", script]).arg(path));
    json(path.to_owned())
}

fn component<'a>(bill: &'a Value, name: &str) -> Option<&'a Value> {
    bill["components"].as_array().unwrap().iter().find(|component| component["name"] == name)
}

#[test]
fn an_image_is_made_pushed_and_checked() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}/models/iris", registry.host);
    let line = |target: &str, tag: &str, more: &str| {
        let model = if tag == "v1" { model("iris") } else { model("iris-v2") };
        format!("{model} --target {target} --version {tag} -o {tag} --push {name}:{tag} {more}")
    };
    let first = document(package(folder.path(), &line("lambda-image", "v1", "")));
    let digest = format!("sha256:{}", first["sha256"].as_str().unwrap());
    assert_eq!(first["pushed"]["reference"], format!("{name}@{digest}"));
    assert_eq!(first["pushed"]["uploaded"].as_array().unwrap().len(), 5);
    let place = format!("docker://{name}:v1");
    let seen: Value =
        serde_json::from_str(&skopeo(&["inspect", "--tls-verify=false", &place])).unwrap();
    assert_eq!(seen["Digest"], digest.as_str());
    let second = document(package(folder.path(), &line("lambda-image", "v2", "")));
    assert_eq!(second["pushed"]["uploaded"].as_array().unwrap().len(), 2, "{second:#}");
    let reused: Vec<&Value> =
        second["layers"].as_array().unwrap().iter().map(|layer| &layer["reused"]).collect();
    assert_eq!(reused, [true, true, true, false]);

    for image in ["oci:v1", &format!("{name}:v1")] {
        let checked = document(package(folder.path(), &format!("--check {image}")));
        assert_eq!(
            (&checked["passed"], &checked["digest"]),
            (&true.into(), &digest.clone().into())
        );
        assert_eq!(checked["findings"], serde_json::json!([]));
    }
    // What is copied from the terminal is on one line.
    let text = output(&mut package(folder.path(), "--check oci:v1"));
    let hex = first["sha256"].as_str().unwrap();
    assert!(text.contains(&format!("  {hex}\n")), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    let text = output(&mut package(folder.path(), &line("ecs-image", "v1", "--force")));
    assert!(text.contains(&format!("{name}@sha256:")), "{text}");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");

    let mut other = package(folder.path(), "--check oci:v1 --arch arm64 --json");
    let other = other.output().unwrap();
    let other = (other.status.code(), held_to_schema(std::str::from_utf8(&other.stdout).unwrap()));
    assert_eq!(other.0, Some(1), "{:#}", other.1);
    assert_eq!(other.1["findings"][0]["code"], "platform");
}

#[test]
fn two_packagings_on_two_paths_have_one_digest() {
    for target in ["lambda-image", "ecs-image"] {
        let make = |name: &str| {
            let folder = tempfile::tempdir().unwrap();
            let deeper = folder.path().join("a folder");
            fs_err::create_dir(&deeper).unwrap();
            fs_err::copy(model("external-data"), deeper.join("m.onnx")).unwrap();
            let weights = Path::new(&model("external-data")).with_file_name("weights.bin");
            fs_err::copy(weights, deeper.join("weights.bin")).unwrap();
            fs_err::write(deeper.join("gwtf.toml"), "[endpoint]\nname = \"m\"\n").unwrap();
            let line = format!("m.onnx --no-optimize --target {target} -o {name}");
            let mut command = package(&deeper, &line);
            command.env("XDG_CACHE_HOME", folder.path().join("cache"));
            let made = document(command);
            let path = deeper.join(format!("{name}.cdx.json"));
            let bill = bill(&path);
            let text = fs_err::read_to_string(path).unwrap();
            assert!(!text.contains(folder.path().to_str().unwrap()), "{text}");
            for name in ["gwtf-runtime", "onnxruntime", "libc.so.6", "libstdc++.so.6"] {
                assert!(component(&bill, name).is_some(), "{name}");
            }
            let weights = component(&bill, "model/weights.bin").unwrap();
            assert_eq!(weights["type"], "data");
            assert!(component(&bill, "passwd").is_none(), "accounts are no library");
            (made["sha256"].clone(), text)
        };
        assert_eq!(make("one"), make("two"), "{target}");
    }
}

#[test]
fn a_foreign_base_is_in_the_bill_of_materials() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("{} --target lambda-image", model("iris"));
    let base = document(package(folder.path(), &format!("{line} -o base")));
    document(package(folder.path(), &format!("{line} --base oci:base -o image")));
    let bill = bill(&folder.path().join("image.cdx.json"));
    let found = component(&bill, "iris").unwrap();
    let container = bill["components"].as_array().unwrap();
    let container = container.iter().find(|component| component["type"] == "container");
    let container = container.unwrap_or_else(|| panic!("{found:#}"));
    assert_eq!(container["hashes"][0]["content"], base["sha256"]);
    let needs = bill["dependencies"][0]["dependsOn"].as_array().unwrap();
    assert!(needs.contains(&container["bom-ref"]), "{needs:?}");
}

#[test]
fn what_cannot_be_done_is_said_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Without a program nothing can be made, so whatever is said instead was looked at earlier.
    let line = format!("{} --target lambda-image --runtime nowhere", model("iris"));
    let with = |more: &str| package(folder, &format!("{line} {more}"));
    refused(with("-o image"), 2, &["gwtf-runtime `"]);
    fs_err::create_dir_all(folder.join("there/something")).unwrap();
    for more in ["-o there", "-o there --force"] {
        refused(with(more), 2, &["there` exists", "nothing is yet"]);
    }
    let digest = "a".repeat(64);
    let pinned = format!("-o image --push localhost:1/a@sha256:{digest}");
    refused(with(&pinned), 2, &["--push localhost:1/a@", "to a tag", "follows the `@`"]);
    fs_err::write(folder.join("config.json"), r#"{"auths": 1, "secret": "hunter2"}"#).unwrap();
    refused(with("-o image --push localhost:1/a"), 2, &["docker configuration `", "docker login"]);
    fs_err::remove_file(folder.join("config.json")).unwrap();
    refused(with("-o image --base localhost:1/a"), 3, &["registry `localhost:1`", "Connection"]);
    refused(with("-o image --base oci:there"), 2, &["it is no OCI layout"]);
    assert_eq!(fs_err::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn an_image_beyond_lambdas_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let external = model("external-data");
    fs_err::copy(&external, folder.path().join("m.onnx")).unwrap();
    let weights = folder.path().join("weights.bin");
    fs_err::copy(Path::new(&external).with_file_name("weights.bin"), &weights).unwrap();
    // A hole behind the weights, which takes no room on the disk.
    fs_err::OpenOptions::new().write(true).open(&weights).unwrap().set_len(10 << 30).unwrap();
    let made = package(folder.path(), "m.onnx --target lambda-image -o image");
    refused(made, 2, &["a Lambda image may have 10737418240", "ecs-image"]);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_push_that_fails_is_done_again_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let line = |host: &str| {
        format!("{} --target lambda-image -o image --push {host}/iris:v1", model("iris"))
    };
    let failed = package(folder.path(), &line("localhost:1"));
    refused(failed, 3, &["registry `localhost:1`", "Connection refused", "--force"]);
    assert!(folder.path().join("image/index.json").is_file());
    let registry = Registry::start();
    let done = document(package(folder.path(), &format!("{} --force", line(&registry.host))));
    assert!(done["pushed"]["uploaded_bytes"].as_u64().unwrap() > 0, "{done:#}");
}
