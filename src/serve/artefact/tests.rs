use super::*;
use serde_json::{Value, json};

fn document() -> Value {
    json!({
        "schema": "gwtf.artefact/v1",
        "endpoint": "iris",
        "version": "v3",
        "architecture": Architecture::host().unwrap(),
        "model": "model/model.onnx",
        "model_digest": "00".repeat(32),
        "optimized": false,
        "onnxruntime": "lib/libonnxruntime.so.1.32.0",
        "onnxruntime_version": "1.32.0",
        "signature": {"inputs": [], "outputs": []},
    })
}

fn read(document: &Value, overrides: Overrides) -> Result<ArtefactManifest, String> {
    manifest(document.to_string().as_bytes(), overrides)
}

#[test]
fn the_environment_stands_above_the_manifest() {
    let plain = read(&document(), Overrides::default()).unwrap();
    assert_eq!((plain.endpoint.as_str(), plain.version.as_str()), ("iris", "v3"));
    let overrides = Overrides { version: Some("v4".into()), endpoint: Some("iris-eu".into()) };
    let changed = read(&document(), overrides).unwrap();
    assert_eq!((changed.endpoint.as_str(), changed.version.as_str()), ("iris-eu", "v4"));
}

#[test]
fn what_is_not_usable_is_refused_with_its_reason() {
    let other = if cfg!(target_arch = "aarch64") { "x86_64" } else { "arm64" };
    let cases = [
        ("architecture", json!(other), "it is for"),
        ("version", json!("V1"), "is no version tag"),
        ("model", json!("/etc/passwd"), "is no path inside"),
    ];
    for (key, value, reason) in cases {
        let mut document = document();
        document[key] = value;
        let message = read(&document, Overrides::default()).unwrap_err();
        assert!(message.contains(reason), "{key}: {message}");
    }
    let overrides = Overrides { version: Some("latest".into()), endpoint: None };
    let message = read(&document(), overrides).unwrap_err();
    assert!(message.starts_with("GWTF_VERSION's version: ") && message.contains("reserved"));
    let overrides = Overrides { version: None, endpoint: Some("a/b".into()) };
    assert!(read(&document(), overrides).unwrap_err().contains("is no name"));
}

#[test]
fn a_manifest_is_bounded_and_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Artefact::read(folder.path(), Overrides::default()).unwrap_err();
    assert!(matches!(missing, StartError::Unreadable { .. }), "{missing}");
    assert!(missing.message().contains("gwtf.json"), "{}", missing.message());
    let long = " ".repeat(usize::try_from(MANIFEST_BYTES_MAX).unwrap() + 1);
    fs_err::write(folder.path().join(MANIFEST_FILE), long).unwrap();
    let long = Artefact::read(folder.path(), Overrides::default()).unwrap_err();
    assert!(long.message().contains("longer than"), "{}", long.message());
}
