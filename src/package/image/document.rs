//! The JSON documents of an OCI image, as far as gwtf writes and reads them.
//!
//! Facts: OCI image specification v1.1 (`image-layout.md`, `image-index.md`, `manifest.md`,
//! `config.md`), <https://github.com/opencontainers/image-spec>. Maps are sorted and empty fields
//! left out, so that one value has one text.

use crate::model::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// An OCI manifest.
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI index: what Lambda refuses to take for an image.
pub(super) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image's configuration.
pub(super) const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// A layer that gwtf writes.
pub(super) const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Docker's manifest, which registries still hold.
pub(super) const DOCKER_MANIFEST_TYPE: &str =
    "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub(super) const DOCKER_INDEX_TYPE: &str =
    "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's layer: the same bytes as [`LAYER_TYPE`].
pub(super) const DOCKER_LAYER_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Annotation with an image's tag in a layout's index.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The file that makes a folder a layout.
pub(super) const LAYOUT_FILE: &str = "oci-layout";
/// A layout's index.
pub(super) const INDEX_FILE: &str = "index.json";

/// Largest manifest, index or configuration read, bytes: what registries allow.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// Most layers of a base: the kernel's overlay file system takes 500, Docker 127.
pub(super) const LAYERS_MAX: usize = 127;

/// The digest of a blob in OCI's form, `sha256:` before it; other algorithms are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobDigest(pub Digest);

impl FromStr for BlobDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").filter(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        });
        let digest = digits.and_then(|digits| digits.parse().ok()).map(Self);
        digest.ok_or_else(|| format!("`{}` is no sha256 digest", shortened(text)))
    }
}

impl TryFrom<String> for BlobDigest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BlobDigest> for String {
    fn from(digest: BlobDigest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

/// Foreign text, short enough for a message and without control characters.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `oci-layout`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayoutMark {
    pub(super) image_layout_version: String,
}

/// What points at a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: BlobDigest,
    #[serde(rename = "size")]
    pub(super) bytes: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
}

/// A descriptor's platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
}

/// `index.json`, and an index in a registry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// An image's manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// An image's configuration; what gwtf has no word for is not carried over from a base.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ImageConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(default)]
    pub(super) config: Execution,
    pub(super) rootfs: RootFs,
    #[serde(default)]
    pub(super) history: Nullable<Vec<History>>,
}

/// How a container of the image is run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Execution {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) user: String,
    #[serde(skip_serializing_if = "Nullable::is_empty")]
    pub(super) exposed_ports: Nullable<BTreeMap<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Nullable::is_empty")]
    pub(super) env: Nullable<Vec<String>>,
    #[serde(skip_serializing_if = "Nullable::is_empty")]
    pub(super) entrypoint: Nullable<Vec<String>>,
    #[serde(skip_serializing_if = "Nullable::is_empty")]
    pub(super) cmd: Nullable<Vec<String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) working_dir: String,
    #[serde(skip_serializing_if = "Nullable::is_empty")]
    pub(super) labels: Nullable<BTreeMap<String, String>>,
}

/// A list or a map that may be written as `null`, as Docker does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Nullable<T>(pub(super) Option<T>);

impl<T: IntoIterator + Default> Nullable<T> {
    fn is_empty(&self) -> bool
    where
        for<'a> &'a T: IntoIterator,
    {
        self.0.as_ref().is_none_or(|values| values.into_iter().next().is_none())
    }

    /// The values; none for `null`.
    pub(super) fn as_slice<U>(&self) -> &[U]
    where
        T: AsRef<[U]>,
    {
        self.0.as_ref().map_or(&[], AsRef::as_ref)
    }

    /// The values; none for `null`.
    pub(super) fn into_inner(self) -> T {
        self.0.unwrap_or_default()
    }
}

impl<T> From<T> for Nullable<T> {
    fn from(values: T) -> Self {
        Self(Some(values))
    }
}

/// The layers' digests before compression.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RootFs {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) diff_ids: Vec<BlobDigest>,
}

/// What made a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct History {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) empty_layer: bool,
}

/// OCI's name of an architecture (Go's).
pub(super) fn platform_name(architecture: crate::spec::Architecture) -> &'static str {
    match architecture {
        crate::spec::Architecture::X86_64 => "amd64",
        crate::spec::Architecture::Arm64 => "arm64",
    }
}

/// The document's bytes.
pub(super) fn to_bytes<T: Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(document).expect("string keys and plain values always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_a_name_without_a_way_out() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(digest.parse::<BlobDigest>().unwrap().to_string(), digest);
        let bad = [
            String::new(),
            "a".repeat(64),
            "sha256:../../../etc/passwd".to_owned(),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}/", "a".repeat(63)),
            format!("sha512:{}", "a".repeat(128)),
        ];
        for text in bad {
            assert!(text.parse::<BlobDigest>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_docker_writes_as_null_is_nothing() {
        let text = r#"{"User":"","Env":null,"Cmd":["a"],"Labels":null,"ExposedPorts":{}}"#;
        let read: Execution = serde_json::from_str(text).unwrap();
        assert_eq!(to_bytes(&read), br#"{"Cmd":["a"]}"#);
        assert_eq!(shortened("a\u{1b}[1m"), "a\u{fffd}[1m");
    }
}
