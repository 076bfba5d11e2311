//! `check` on images of every fault: gwtf's own image, changed in one place each.

use super::*;
use gwtf::package::image::{CheckReport, Severity, check};
use serde_json::json;

/// A layout whose documents can be changed.
struct Changed {
    folder: tempfile::TempDir,
    manifest: Value,
    config: Value,
}

impl Changed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("image");
        let small = entries("a model").into_iter().filter(|e| e.part != Part::OnnxRuntime);
        write_layout(&small.collect::<Vec<_>>(), &options(), &layout).unwrap();
        let (manifest, config) = documents(&layout);
        Self { folder, manifest, config }
    }

    fn layout(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn put(&self, bytes: &[u8]) -> Value {
        let digest = gwtf::model::Digest::of(bytes).to_string();
        fs_err::write(self.layout().join("blobs/sha256").join(&digest), bytes).unwrap();
        json!({ "digest": format!("sha256:{digest}"), "size": bytes.len() })
    }

    fn put_document(&self, kind: &str, document: &Value) -> Value {
        let mut descriptor = self.put(document.to_string().as_bytes());
        descriptor["mediaType"] = kind.into();
        descriptor
    }

    /// Writes the documents and checks; `wrap` may put the image into an index.
    fn check(mut self, wrap: impl FnOnce(&Self, Value) -> Value) -> CheckReport {
        let kind = self.manifest["config"]["mediaType"].as_str().unwrap().to_owned();
        self.manifest["config"] = self.put_document(&kind, &self.config);
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let image = self.put_document(kind, &self.manifest);
        let index = json!({ "schemaVersion": 2, "manifests": [wrap(&self, image)] });
        fs_err::write(self.layout().join("index.json"), index.to_string()).unwrap();
        check(&self.layout(), None).unwrap()
    }
}

fn codes(report: &CheckReport) -> Vec<(&'static str, Severity)> {
    report.findings.iter().map(|finding| (finding.code, finding.severity)).collect()
}

#[test]
fn gwtfs_own_image_passes() {
    let report = Changed::new().check(|_, image| image);
    assert_eq!(report.findings, []);
    assert!(report.passes());
    assert!(report.raw_bytes.unwrap() > report.compressed_bytes);
    assert_eq!(report.architecture, "amd64");
}

#[test]
fn each_fault_is_found() {
    type Change = fn(&mut Changed);
    let cases: [(&str, Severity, Change); 12] = [
        ("user_root", Severity::Warning, |c| c.config["config"]["User"] = "root".into()),
        ("history", Severity::Warning, |c| c.config["history"] = Value::Null),
        ("history", Severity::Warning, |c| {
            c.config["history"].as_array_mut().unwrap().truncate(1);
        }),
        ("platform", Severity::Error, |c| c.config["architecture"] = "riscv64".into()),
        ("platform", Severity::Error, |c| c.config["os"] = "windows".into()),
        ("entrypoint", Severity::Error, |c| {
            c.config["config"].as_object_mut().unwrap().remove("Entrypoint");
        }),
        ("entrypoint_architecture", Severity::Error, |c| c.config["architecture"] = "arm64".into()),
        ("entrypoint_mode", Severity::Error, |c| {
            c.config["config"]["Entrypoint"] = json!(["/var/task/gwtf.json"]);
        }),
        ("layer_uncompressed", Severity::Error, |c| {
            c.manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar".into();
        }),
        ("layer_zstd", Severity::Error, |c| {
            c.manifest["layers"][0]["mediaType"] =
                "application/vnd.oci.image.layer.v1.tar+zstd".into();
        }),
        ("layer_foreign", Severity::Error, |c| {
            c.manifest["layers"][0]["mediaType"] =
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".into();
        }),
        ("layer_damaged", Severity::Error, |c| {
            let other = c.config["rootfs"]["diff_ids"][1].clone();
            c.config["rootfs"]["diff_ids"][0] = other;
        }),
    ];
    for (code, severity, change) in cases {
        let mut image = Changed::new();
        change(&mut image);
        let report = image.check(|_, image| image);
        assert_eq!(codes(&report), [(code, severity)], "{report:#?}");
        assert_eq!(report.passes(), severity == Severity::Warning);
        let document = serde_json::to_value(&report).unwrap();
        assert_eq!(document["findings"][0]["code"], code);
    }
}

#[test]
fn an_index_and_its_attestations_are_found() {
    let report = Changed::new().check(|changed, mut image| {
        image["platform"] = json!({ "architecture": "amd64", "os": "linux" });
        let mut attestation = changed.put(b"{}");
        attestation["mediaType"] = "application/vnd.oci.image.manifest.v1+json".into();
        attestation["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
        attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
        let index = json!({ "schemaVersion": 2, "manifests": [attestation, image] });
        changed.put_document("application/vnd.oci.image.index.v1+json", &index)
    });
    let expected = [("index", Severity::Error), ("attestations", Severity::Error)];
    assert_eq!(codes(&report), expected);
}

#[test]
fn a_layer_that_is_no_archive_is_found() {
    let mut image = Changed::new();
    let kind = image.manifest["layers"][1]["mediaType"].clone();
    image.manifest["layers"][1] = image.put(b"this is not gzip");
    image.manifest["layers"][1]["mediaType"] = kind;
    let report = image.check(|_, image| image);
    assert_eq!(codes(&report), [("layer_damaged", Severity::Error)]);
    assert_eq!(report.raw_bytes, None);
}
