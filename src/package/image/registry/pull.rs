//! Pulling one image into a layout on the disk, to stand on or to be checked.

use super::super::document::{
    BlobDigest, DOCKER_INDEX_TYPE, DOCKER_MANIFEST_TYPE, DOCUMENT_BYTES_MAX, Descriptor,
    INDEX_FILE, INDEX_TYPE, Index, LAYERS_MAX, LAYOUT_FILE, LayoutMark, MANIFEST_TYPE, Manifest,
    to_bytes,
};
use super::super::layer::BlobFolder;
use super::super::measure::Measured;
use super::super::stored::{choose, parse};
use super::Progress;
use super::credentials::Credentials;
use super::error::Error;
use super::reference::Reference;
use super::session::{ATTEMPTS_MAX, Session};
use crate::model::Digest;
use crate::spec::Architecture;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Largest image pulled, bytes, compressed.
const IMAGE_BYTES_MAX: u64 = 10 << 30;

/// Pulls an image (that of the architecture, from an index) into a layout below `folder`, and says
/// where. What is there from an earlier pull is held to its digest and kept.
///
/// # Errors
/// The registry refuses, misbehaves or cannot be reached, it has no such image, or the disk is full.
pub async fn pull(
    reference: &Reference,
    architecture: Option<Architecture>,
    credentials: Option<Credentials>,
    folder: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<PathBuf, Error> {
    let session = Session::new(reference, credentials, "pull")?;
    let place = reference.to_string();
    let refuse = |reason: String| super::super::Error::bad_image(&place, reason);
    let (top, top_bytes) = manifest(&session, reference.manifest_name()).await?;
    let mut documents = vec![(top.clone(), top_bytes)];
    if [INDEX_TYPE, DOCKER_INDEX_TYPE].contains(&top.media_type.as_str()) {
        let index: Index = parse(&documents[0].1, &place, "its index")?;
        let chosen = choose(&index.manifests, architecture).map_err(refuse)?;
        documents.push(manifest(&session, &chosen.digest.to_string()).await?);
    }
    let (_, bytes) = documents.last().expect("there is at least the first one");
    let image: Manifest = parse(bytes, &place, "its manifest")?;
    let blobs: Vec<&Descriptor> = [&image.config].into_iter().chain(&image.layers).collect();
    let total_bytes = blobs.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.bytes));
    if image.layers.len() > LAYERS_MAX || total_bytes > IMAGE_BYTES_MAX {
        return Err(refuse(format!(
            "it has {} layers and {total_bytes} bytes; at most {LAYERS_MAX} and \
             {IMAGE_BYTES_MAX} are taken",
            image.layers.len()
        ))
        .into());
    }
    let layout = folder.join(top.digest.0.to_string());
    let kept = BlobFolder(layout.join("blobs/sha256"));
    fs_err::create_dir_all(&kept.0).map_err(write_error(&layout))?;
    let mut before_bytes = 0;
    for blob in blobs {
        let mut tell = |bytes| progress(Progress { bytes: before_bytes + bytes, total_bytes });
        fetch(&session, blob, &kept, &mut tell).await?;
        before_bytes += blob.bytes;
        progress(Progress { bytes: before_bytes, total_bytes });
    }
    for (_, bytes) in &documents {
        kept.put(bytes)?;
    }
    write_index(&layout, top).map_err(write_error(&layout))?;
    Ok(layout)
}

fn write_error(layout: &Path) -> impl Fn(io::Error) -> super::super::Error {
    let path = layout.to_owned();
    move |source| super::super::Error::Write { path: path.clone(), source }
}

/// A manifest or index by its tag or digest, held to the digest that it was asked for by.
async fn manifest(session: &Session, name: &str) -> Result<(Descriptor, Vec<u8>), Error> {
    const WHAT: &str = "reading the manifest";
    let url = session.url(&format!("manifests/{name}"))?;
    let accepted = [MANIFEST_TYPE, INDEX_TYPE, DOCKER_MANIFEST_TYPE, DOCKER_INDEX_TYPE].join(", ");
    let build = |client: &reqwest::Client| client.get(url.clone()).header(ACCEPT, &accepted);
    let response = session.send_retried(WHAT, &url, &[StatusCode::OK], &build).await?;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or(MANIFEST_TYPE).split(';').next().unwrap_or_default().trim();
    let media_type = kind.to_owned();
    let bytes = session.document(WHAT, response, DOCUMENT_BYTES_MAX).await?;
    let digest = BlobDigest(Digest::of(&bytes));
    if name.starts_with("sha256:") && name != digest.to_string() {
        return Err(session.misbehaved("it gave a manifest with another digest than asked for"));
    }
    let descriptor = Descriptor {
        media_type,
        digest,
        bytes: bytes.len() as u64,
        annotations: BTreeMap::new(),
        platform: None,
    };
    Ok((descriptor, bytes))
}

/// Fetches a blob that is not there yet, in a bounded number of tries.
async fn fetch(
    session: &Session,
    blob: &Descriptor,
    kept: &BlobFolder,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Error> {
    if kept.holds(blob) {
        return Ok(());
    }
    let mut attempt = 1;
    loop {
        match try_fetch(session, blob, kept, tell).await {
            Err(error) if error.is_passing() && attempt < ATTEMPTS_MAX => {
                session.back_off(attempt, None).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn try_fetch(
    session: &Session,
    blob: &Descriptor,
    kept: &BlobFolder,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Error> {
    const WHAT: &str = "reading a layer";
    let url = session.url(&format!("blobs/{}", blob.digest))?;
    let build = |client: &reqwest::Client| client.get(url.clone());
    let mut response = session.send_retried(WHAT, &url, &[StatusCode::OK], &build).await?;
    let mut file = Measured::new(kept.unnamed()?);
    while let Some(piece) = session.next_piece(WHAT, &mut response).await? {
        file.write_all(&piece).map_err(write_error(&kept.0))?;
        if file.count() > blob.bytes {
            break;
        }
        tell(file.count());
    }
    let (file, digest, bytes) = file.finish();
    if bytes != blob.bytes || digest != blob.digest {
        return Err(session.misbehaved(format!("blob {} is not what its digest says", blob.digest)));
    }
    Ok(kept.keep(file, blob.digest)?)
}

/// The files that make the folder a layout, each replaced by a rename.
fn write_index(layout: &Path, top: Descriptor) -> io::Result<()> {
    let mark = LayoutMark { image_layout_version: "1.0.0".to_owned() };
    let index = Index {
        schema_version: 2,
        media_type: Some(INDEX_TYPE.to_owned()),
        manifests: vec![top],
        annotations: BTreeMap::new(),
    };
    for (name, bytes) in [(INDEX_FILE, to_bytes(&index)), (LAYOUT_FILE, to_bytes(&mark))] {
        let mut file = tempfile::NamedTempFile::new_in(layout)?;
        file.write_all(&bytes)?;
        file.persist(layout.join(name)).map_err(|error| error.error)?;
    }
    Ok(())
}
