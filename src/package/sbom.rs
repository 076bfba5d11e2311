//! The bill of materials beside an artefact: CycloneDX 1.6, JSON.
//!
//! It names the program with the crates that it is built from, ONNX Runtime, libraries of the
//! system, and the model. The format: <https://cyclonedx.org/docs/1.6/json/>.
//!
//! # Invariants
//! Same artefact, same bytes: there is no time in it, and its serial number is the artefact's
//! digest.

use super::archive::Packed;
use super::entry::Part;
use super::image::BaseImage;
use crate::model::Digest;
use crate::spec::ArtefactManifest;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The crates of this build, as cargo resolved them.
pub(super) const LOCK: &str = include_str!("../../Cargo.lock");
/// Says which of gwtf's crates are for its tests alone.
const CARGO_MANIFEST: &str = include_str!("../../Cargo.toml");

/// Crates for other systems than the artefact's: the lock file has them for every platform.
const FOREIGN: [&str; 6] = ["windows", "winapi", "wasi", "wasm-bindgen", "js-sys", "wit-bindgen"];

/// What the bill is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The artefact's manifest.
    pub manifest: &'a ArtefactManifest,
    /// Digest of the zip file or of the image's manifest.
    pub digest: Digest,
    /// The artefact's files.
    pub files: &'a [Packed],
    /// The foreign image that an image stands on.
    pub base: Option<&'a BaseImage>,
}

/// A crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
}

/// The bill of materials of an artefact.
pub fn render(subject: Subject<'_>) -> Vec<u8> {
    let manifest = subject.manifest;
    let crates = crates();
    let mut components: Vec<Value> =
        subject.files.iter().filter_map(|file| component(manifest, file)).collect();
    components.extend(subject.base.map(base_component));
    // All but the crates are parts of the artefact itself.
    let root_needs: Vec<Value> =
        components.iter().map(|component| component["bom-ref"].clone()).collect();
    components.extend(crates.iter().map(crate_component));
    let runtime_needs: Vec<String> = crates.iter().map(Crate::purl).collect();
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(subject.digest),
        "version": 1,
        "metadata": {
            "tools": { "components": [{
                "type": "application",
                "name": "gwtf",
                "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": {
                "type": "application",
                "bom-ref": "artefact",
                "name": manifest.endpoint,
                "version": manifest.version,
                "hashes": hashes(subject.digest),
            },
        },
        "components": components,
        "dependencies": [
            { "ref": "artefact", "dependsOn": root_needs },
            { "ref": file_ref("bootstrap"), "dependsOn": runtime_needs },
        ],
    });
    format!("{document:#}\n").into_bytes()
}

fn component(manifest: &ArtefactManifest, file: &Packed) -> Option<Value> {
    let hashes = hashes(file.digest);
    let bom_ref = file_ref(&file.path);
    Some(match file.part {
        Part::Runtime => json!({
            "type": "application",
            "bom-ref": bom_ref,
            "name": "gwtf-runtime",
            "version": env!("CARGO_PKG_VERSION"),
            "purl": concat!("pkg:cargo/gwtf@", env!("CARGO_PKG_VERSION")),
            "hashes": hashes,
        }),
        Part::OnnxRuntime => {
            let version = &manifest.onnxruntime_version;
            let mut component = json!({
                "type": "library",
                "bom-ref": bom_ref,
                "name": "onnxruntime",
                "version": version,
                "hashes": hashes,
            });
            // A library of unknown version is no published package either.
            if version.starts_with(|c: char| c.is_ascii_digit()) {
                component["purl"] = json!(format!("pkg:github/microsoft/onnxruntime@v{version}"));
            }
            component
        }
        Part::SystemLibrary => json!({
            "type": "library",
            "bom-ref": bom_ref,
            "name": file.path.rsplit('/').next().unwrap_or(&file.path),
            "hashes": hashes,
        }),
        Part::Model if file.path == manifest.model => json!({
            "type": "machine-learning-model",
            "bom-ref": bom_ref,
            "name": manifest.endpoint,
            "version": manifest.version,
            "hashes": hashes,
            "properties": [
                { "name": "gwtf:model_digest", "value": manifest.model_digest },
                { "name": "gwtf:optimized", "value": manifest.optimized.to_string() },
            ],
        }),
        // The manifest is gwtf's own and in every artefact.
        Part::Model if file.path == crate::spec::artefact::MANIFEST_FILE => return None,
        Part::Model => json!({
            "type": "data",
            "bom-ref": bom_ref,
            "name": file.path,
            "hashes": hashes,
        }),
    })
}

fn base_component(base: &BaseImage) -> Value {
    let digest = base.digest;
    json!({
        "type": "container",
        "bom-ref": format!("base:{digest}"),
        "name": base.title.as_deref().unwrap_or("base image"),
        "version": format!("sha256:{digest}"),
        "hashes": hashes(digest),
    })
}

fn crate_component(from: &Crate) -> Value {
    json!({
        "type": "library",
        "bom-ref": from.purl(),
        "name": from.name,
        "version": from.version,
        "purl": from.purl(),
    })
}

impl Crate {
    fn purl(&self) -> String {
        // A version's build part has a plus sign, which package URLs encode.
        format!("pkg:cargo/{}@{}", self.name, self.version.replace('+', "%2B"))
    }
}

fn file_ref(path: &str) -> String {
    format!("file:{path}")
}

fn hashes(digest: Digest) -> Value {
    json!([{ "alg": "SHA-256", "content": digest }])
}

/// A UUID of version 8, whose bits are its maker's: those of the digest.
fn serial_number(digest: Digest) -> String {
    let hex = digest.to_string();
    let bits = u128::from_str_radix(&hex[..32], 16).expect("a digest is hexadecimal");
    uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid().urn().to_string()
}

/// The crates that gwtf is built from, each once. `gwtf-runtime` is linked from a part of them.
fn crates() -> Vec<Crate> {
    let lock: toml::Table = LOCK.parse().expect("cargo wrote it");
    let manifest: toml::Table = CARGO_MANIFEST.parse().expect("cargo read it");
    let mut packages: BTreeMap<&str, Vec<(&str, Vec<&str>)>> = BTreeMap::new();
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |key| package.get(key).and_then(toml::Value::as_str);
        let needs = package.get("dependencies").and_then(toml::Value::as_array);
        let needs = needs.into_iter().flatten().filter_map(toml::Value::as_str).collect();
        if let (Some(name), Some(version)) = (text("name"), text("version")) {
            packages.entry(name).or_default().push((version, needs));
        }
    }
    let direct = manifest.get("dependencies").and_then(toml::Value::as_table);
    let is_direct = |name: &str| direct.is_some_and(|direct| direct.contains_key(name));
    // The lock file's list for gwtf has the crates of its tests too.
    let own = packages.get("gwtf").and_then(|versions| versions.first());
    let own = own.into_iter().flat_map(|(_, needs)| needs.iter().copied());
    let mut open: Vec<&str> = own.filter(|need| is_direct(name_of(need))).collect();
    let mut seen = BTreeSet::new();
    while let Some(need) = open.pop() {
        // `name`, or `name version` where there are several.
        let name = name_of(need);
        let wanted = need.split(' ').nth(1);
        if FOREIGN.iter().any(|foreign| name.starts_with(foreign)) {
            continue;
        }
        for (version, needs) in packages.get(name).into_iter().flatten() {
            let is_wanted = wanted.is_none_or(|wanted| wanted == *version);
            let found = Crate { name: name.to_owned(), version: (*version).to_owned() };
            if is_wanted && seen.insert(found) {
                open.extend(needs);
            }
        }
    }
    seen.into_iter().collect()
}

fn name_of(need: &str) -> &str {
    need.split(' ').next().unwrap_or(need)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_are_those_of_the_program_and_not_of_its_tests() {
        let crates = crates();
        let has = |name: &str| crates.iter().any(|found| found.name == name);
        assert!(has("serde_json") && has("ort") && has("ort-sys") && has("zlib-rs"));
        assert!(!has("jsonschema") && !has("proptest") && !has("gwtf"));
        assert!(!crates.iter().any(|found| found.name.starts_with("windows")));
        let mut refs: Vec<String> = crates.iter().map(Crate::purl).collect();
        let count = refs.len();
        refs.dedup();
        assert_eq!(refs.len(), count, "each once");
    }

    #[test]
    fn the_serial_number_is_the_digest_as_a_uuid() {
        let digest = Digest::of(b"abc");
        assert_eq!(serial_number(digest), "urn:uuid:ba7816bf-8f01-8fea-8141-40de5dae2223");
    }
}
