//! The task root of an OCI image layout: what its layers put below `/var/task`.
//!
//! Facts: OCI image specification v1.1 (`image-layout.md`, `manifest.md`, `layer.md` with its
//! whiteouts), <https://github.com/opencontainers/image-spec>.

use super::Error;
use super::write::Target;
use crate::model::Digest;
use crate::package::image::measure::Measured;
use crate::spec::artefact::TASK_ROOT;
use crate::spec::limits::LAMBDA_IMAGE_BYTES_MAX;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const LAYOUT_FILE: &str = "oci-layout";
const INDEX_FILE: &str = "index.json";
/// Largest index, manifest or configuration, bytes: what registries allow.
const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// Most layers: what Docker takes.
const LAYERS_MAX: usize = 127;
/// Most bytes of an entry that only names the next one.
const NAME_BYTES_MAX: u64 = 64 << 10;
/// What a file's name begins with that removes another one of an earlier layer.
const WHITEOUT: &str = ".wh.";
/// The whiteout that empties its folder.
const OPAQUE: &str = ".wh..wh..opq";

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    config: Process,
}

/// How a container is started.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Process {
    #[serde(default)]
    exposed_ports: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Whether the folder is an OCI layout.
pub(super) fn is_layout(folder: &Path) -> bool {
    folder.join(LAYOUT_FILE).is_file()
}

/// Unpacks the task root of `artefact` into the empty `folder`.
pub(super) fn unpack(artefact: &Path, folder: &Path) -> Result<(), Error> {
    let layout = Layout { artefact };
    let index: Index = layout.document(&artefact.join(INDEX_FILE), None)?;
    let [only] = index.manifests.as_slice() else {
        return Err(layout.refuse(format!("it holds {} images, not one", index.manifests.len())));
    };
    let (path, digest) = layout.blob(only)?;
    let manifest: Manifest = layout.document(&path, Some(digest))?;
    if manifest.layers.len() > LAYERS_MAX {
        return Err(layout.refuse(format!("its image has more than {LAYERS_MAX} layers")));
    }
    let (path, digest) = layout.blob(&manifest.config)?;
    let configuration: Configuration = layout.document(&path, Some(digest))?;
    // A function's image is called by Lambda; only a service listens.
    if configuration.config.exposed_ports.is_some_and(|ports| !ports.is_empty()) {
        return Err(Error::EcsImage { artefact: artefact.to_owned() });
    }
    let mut target = Target::new(artefact, folder, LAMBDA_IMAGE_BYTES_MAX);
    for layer in &manifest.layers {
        layout.layer(layer, &mut target)?;
    }
    Ok(())
}

struct Layout<'a> {
    artefact: &'a Path,
}

impl Layout<'_> {
    fn refuse(&self, message: impl Into<String>) -> Error {
        Error::Layout { artefact: self.artefact.to_owned(), message: message.into() }
    }

    /// Where a blob is, and its digest.
    fn blob(&self, descriptor: &Descriptor) -> Result<(PathBuf, Digest), Error> {
        let digits = descriptor.digest.strip_prefix("sha256:");
        let digest = digits.and_then(|digits| digits.parse::<Digest>().ok());
        let digest = digest.ok_or_else(|| self.refuse("a blob has no SHA-256 digest"))?;
        Ok((self.artefact.join("blobs/sha256").join(digest.to_string()), digest))
    }

    /// A JSON document, held to its digest where it has one.
    fn document<T: DeserializeOwned>(
        &self,
        path: &Path,
        digest: Option<Digest>,
    ) -> Result<T, Error> {
        let read = |source| Error::Read { source };
        let mut bytes = Vec::new();
        let file = fs_err::File::open(path).map_err(read)?;
        file.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(read)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(self.refuse(format!("`{name}` is longer than {DOCUMENT_BYTES_MAX} bytes")));
        }
        if digest.is_some_and(|digest| digest != Digest::of(&bytes)) {
            return Err(self.refuse(format!("blob `{name}` does not have the digest in its name")));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| self.refuse(format!("`{name}` is not usable: {error}")))
    }

    /// Applies one layer.
    fn layer(&self, layer: &Descriptor, target: &mut Target<'_>) -> Result<(), Error> {
        let (path, digest) = self.blob(layer)?;
        let file = fs_err::File::open(&path).map_err(|source| Error::Read { source })?;
        let mut hashed = Measured::new(io::BufReader::new(file));
        if layer.media_type.ends_with("+gzip") || layer.media_type.ends_with(".gzip") {
            self.entries(MultiGzDecoder::new(&mut hashed).take(LAMBDA_IMAGE_BYTES_MAX), target)?;
        } else if layer.media_type.ends_with(".tar") {
            self.entries((&mut hashed).take(LAMBDA_IMAGE_BYTES_MAX), target)?;
        } else {
            return Err(self.refuse("a layer is neither a tar archive nor one in gzip"));
        }
        // Whatever stands behind the archive belongs to the blob too.
        io::copy(&mut hashed, &mut io::sink()).map_err(|source| Error::Read { source })?;
        let (_, found, _) = hashed.finish();
        if found.0 != digest {
            return Err(
                self.refuse(format!("blob `{digest}` does not have the digest in its name"))
            );
        }
        Ok(())
    }

    fn name_of_next(&self, entry: &mut impl Read) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        entry
            .take(NAME_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.refuse(format!("a layer is damaged: {error}")))?;
        if bytes.len() as u64 > NAME_BYTES_MAX {
            return Err(self.refuse(format!("a layer has a name beyond {NAME_BYTES_MAX} bytes")));
        }
        Ok(bytes)
    }

    fn entries(&self, archive: impl Read, target: &mut Target<'_>) -> Result<(), Error> {
        let damaged = |error: io::Error| self.refuse(format!("a layer is damaged: {error}"));
        let mut archive = tar::Archive::new(archive);
        let mut long_name = None;
        // As they lie there: the names that stand in entries of their own are read here, with a
        // bound.
        for entry in archive.entries().map_err(damaged)?.raw(true) {
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                let bytes = self.name_of_next(&mut entry)?;
                long_name = if kind.is_gnu_longname() {
                    Some(bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec())
                } else {
                    pax_path(&bytes).or(long_name)
                };
                continue;
            }
            if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
                continue;
            }
            let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            let name = String::from_utf8_lossy(&name).into_owned();
            let Some(inside) = below_task_root(&name) else { continue };
            let (parent, last) = inside.rsplit_once('/').unwrap_or(("", inside));
            if last == OPAQUE {
                return Err(target.refuse(&name, "empties a folder of an earlier layer"));
            }
            if let Some(removed) = last.strip_prefix(WHITEOUT) {
                let removed = match parent {
                    "" => removed.to_owned(),
                    parent => format!("{parent}/{removed}"),
                };
                target.remove(&removed)?;
                continue;
            }
            match kind {
                tar::EntryType::Directory => target.folder(inside)?,
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let mode = entry.header().mode().ok();
                    target.file(inside, mode, &mut entry)?;
                }
                _ => return Err(target.refuse(&name, "is no plain file or folder")),
            }
        }
        Ok(())
    }
}

/// The path that an entry of extensions gives to the next one.
fn pax_path(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut extensions = tar::PaxExtensions::new(bytes).map_while(Result::ok);
    let path = extensions.find(|extension| extension.key_bytes() == b"path")?;
    Some(path.value_bytes().to_vec())
}

/// The path from the task root; `None` for the root itself and all that is elsewhere.
fn below_task_root(name: &str) -> Option<&str> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let name = name.strip_prefix('/').unwrap_or(name);
    let inside = name.strip_prefix(&TASK_ROOT[1..])?.strip_prefix('/')?;
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    (!inside.is_empty()).then_some(inside)
}
