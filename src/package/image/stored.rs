//! An image in an OCI layout on the disk, read with bounds and held to its digests.
//!
//! # Invariants
//! Paths below the layout come from digests alone, which are 64 hexadecimal digits.

use super::document::{
    BlobDigest, DOCKER_INDEX_TYPE, DOCKER_MANIFEST_TYPE, DOCUMENT_BYTES_MAX, Descriptor,
    INDEX_FILE, INDEX_TYPE, ImageConfig, Index, LAYOUT_FILE, LayoutMark, MANIFEST_TYPE, Manifest,
    platform_name, shortened,
};
use super::error::Error;
use super::layer::BlobFolder;
use crate::model::Digest;
use crate::spec::Architecture;
use serde::de::DeserializeOwned;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most entries of an index looked at.
const INDEX_ENTRIES_MAX: usize = 1024;

/// One image of a layout.
#[derive(Debug)]
pub(super) struct StoredImage {
    /// Names the layout in messages.
    pub(super) place: String,
    /// The manifest's descriptor.
    pub(super) descriptor: Descriptor,
    pub(super) manifest_bytes: Vec<u8>,
    pub(super) manifest: Manifest,
    pub(super) config: ImageConfig,
    /// Indexes that were passed through below `index.json`.
    pub(super) indexes: Vec<Index>,
    blobs: BlobFolder,
}

impl StoredImage {
    /// Opens the layout's image for this architecture, or its only one.
    ///
    /// # Errors
    /// The folder is no OCI layout, has no such image, or is damaged.
    pub(super) fn open(folder: &Path, architecture: Option<Architecture>) -> Result<Self, Error> {
        let place = folder.display().to_string();
        let refuse = |reason: String| Error::bad_image(&place, reason);
        let mark: LayoutMark = parse(&read_file(folder, LAYOUT_FILE)?, &place, LAYOUT_FILE)?;
        if !mark.image_layout_version.starts_with("1.") {
            return Err(refuse(format!(
                "its layout is of version `{}`, not 1.0.0",
                shortened(&mark.image_layout_version)
            )));
        }
        let blobs = BlobFolder(folder.join("blobs/sha256"));
        let mut index = read_index(folder)?;
        let mut indexes = Vec::new();
        // An index may hold one more index (a multi-platform image), no deeper.
        for _ in 0..2 {
            let descriptor = choose(&index.manifests, architecture).map_err(&refuse)?;
            let bytes = read_document(&blobs, &descriptor, &place)?;
            match descriptor.media_type.as_str() {
                INDEX_TYPE | DOCKER_INDEX_TYPE => {
                    index = parse(&bytes, &place, "an index")?;
                    indexes.push(index.clone());
                }
                MANIFEST_TYPE | DOCKER_MANIFEST_TYPE => {
                    let manifest: Manifest = parse(&bytes, &place, "its manifest")?;
                    let config = read_document(&blobs, &manifest.config, &place)?;
                    let config = parse(&config, &place, "its configuration")?;
                    let manifest_bytes = bytes;
                    return Ok(Self {
                        place,
                        descriptor,
                        manifest_bytes,
                        manifest,
                        config,
                        indexes,
                        blobs,
                    });
                }
                other => {
                    return Err(refuse(format!("`{}` is no image manifest", shortened(other))));
                }
            }
        }
        Err(refuse("its indexes are nested too deep".to_owned()))
    }

    /// Where a blob is.
    pub(super) fn blob_path(&self, descriptor: &Descriptor) -> PathBuf {
        self.blobs.path(descriptor.digest)
    }

    /// Opens a blob, whose size is checked; whoever reads it holds it to its digest.
    ///
    /// # Errors
    /// It is not there or of another size.
    pub(super) fn open_blob(&self, descriptor: &Descriptor) -> Result<fs_err::File, Error> {
        let path = self.blobs.path(descriptor.digest);
        let refuse = |reason| Error::bad_image(&self.place, reason);
        let file = open_regular(&path)
            .map_err(|error| refuse(format!("blob {}: {}", descriptor.digest, error.kind())))?;
        let metadata = file.metadata().map_err(|error| refuse(error.to_string()))?;
        if metadata.len() != descriptor.bytes {
            return Err(refuse(format!(
                "blob {} has {} bytes, not {}",
                descriptor.digest,
                metadata.len(),
                descriptor.bytes
            )));
        }
        Ok(file)
    }
}

/// The descriptor of the image for the architecture; the only one, when it names no platform.
pub(super) fn choose(
    descriptors: &[Descriptor],
    architecture: Option<Architecture>,
) -> Result<Descriptor, String> {
    if descriptors.len() > INDEX_ENTRIES_MAX {
        return Err(format!("its index has more than {INDEX_ENTRIES_MAX} entries"));
    }
    if let [only] = descriptors {
        return Ok(only.clone());
    }
    let is_real = |descriptor: &&Descriptor| {
        descriptor.platform.as_ref().is_some_and(|platform| {
            platform.os == "linux"
                && architecture.is_none_or(|wanted| platform_name(wanted) == platform.architecture)
        })
    };
    descriptors.iter().find(is_real).cloned().ok_or_else(|| match architecture {
        Some(wanted) if !descriptors.is_empty() => {
            format!("it has no image for linux/{}", platform_name(wanted))
        }
        _ => "it has no image".to_owned(),
    })
}

/// A layout's index.
pub(super) fn read_index(folder: &Path) -> Result<Index, Error> {
    parse(&read_file(folder, INDEX_FILE)?, &folder.display().to_string(), INDEX_FILE)
}

/// Opens a file, and nothing that could keep its reader waiting, such as a pipe.
fn open_regular(path: &Path) -> io::Result<fs_err::File> {
    if !fs_err::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    fs_err::File::open(path)
}

fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let place = folder.display().to_string();
    let refuse = |reason: String| Error::BadImage {
        place: place.clone(),
        reason,
        hint: Some(
            "name the folder of an OCI layout: it holds `oci-layout` and `index.json`".into(),
        ),
    };
    let mut bytes = Vec::new();
    let file = open_regular(&folder.join(name))
        .map_err(|error| refuse(format!("it is no OCI layout: `{name}`: {}", error.kind())))?;
    file.take(DOCUMENT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(format!("it is no OCI layout: `{name}`: {}", error.kind())))?;
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(refuse(format!("`{name}` is larger than {DOCUMENT_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// A document blob's bytes, held to their digest.
fn read_document(
    blobs: &BlobFolder,
    descriptor: &Descriptor,
    place: &str,
) -> Result<Vec<u8>, Error> {
    let digest: BlobDigest = descriptor.digest;
    let refuse = |reason: String| Error::bad_image(place, format!("blob {digest}: {reason}"));
    let mut bytes = Vec::new();
    open_regular(&blobs.path(digest))
        .and_then(|file| file.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| refuse(error.kind().to_string()))?;
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(refuse(format!("it is larger than {DOCUMENT_BYTES_MAX} bytes")));
    }
    if BlobDigest(Digest::of(&bytes)) != digest {
        return Err(refuse("its bytes are not those of its digest".to_owned()));
    }
    Ok(bytes)
}

/// Reads a JSON document.
pub(super) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
    place: &str,
    what: &str,
) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::bad_image(place, format!("{what}: {}", shortened(&error.to_string())))
    })
}
