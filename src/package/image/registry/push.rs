//! Pushing a layout's image: the blobs that the registry lacks, then the manifest.

use super::super::document::{Descriptor, MANIFEST_TYPE};
use super::super::stored::StoredImage;
use super::Progress;
use super::credentials::Credentials;
use super::error::Error;
use super::reference::Reference;
use super::session::Session;
use super::upload::{Blob, exists, upload};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// An image that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PushReport {
    /// The image's name with its digest: what a function or service is pointed at.
    pub reference: String,
    /// Digest of its manifest, `sha256:` before it.
    pub digest: String,
    /// Digests of the blobs that were uploaded.
    pub uploaded: Vec<String>,
    /// Bytes of them.
    pub uploaded_bytes: u64,
    /// Bytes of the blobs that the registry had.
    pub present_bytes: u64,
}

/// Pushes the image of the layout in `folder`. Blobs that the registry has are not sent again, so a
/// push that was cut goes on with the next call.
///
/// # Errors
/// The layout is none or damaged, the reference has a digest, or the registry refuses, misbehaves or
/// cannot be reached in a bounded number of tries.
pub async fn push(
    folder: &Path,
    reference: &Reference,
    credentials: Option<Credentials>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<PushReport, Error> {
    let image = StoredImage::open(folder, None)?;
    let session = Session::new(reference, credentials, "pull,push")?;
    if reference.has_digest() {
        return Err(session.misbehaved("an image is pushed to a tag, not to a digest"));
    }
    let mut missing: Vec<Blob> = Vec::new();
    let mut present_bytes = 0;
    let mut seen = std::collections::BTreeSet::new();
    for descriptor in image.manifest.layers.iter().chain([&image.manifest.config]) {
        if !seen.insert(descriptor.digest) {
            continue;
        }
        image.open_blob(descriptor)?;
        if exists(&session, descriptor.digest).await? {
            present_bytes += descriptor.bytes;
        } else {
            let path = image.blob_path(descriptor);
            missing.push(Blob { path, descriptor: descriptor.clone() });
        }
    }
    let total_bytes = missing.iter().map(|blob| blob.descriptor.bytes).sum();
    let mut before_bytes = 0;
    progress(Progress { bytes: 0, total_bytes });
    for blob in &missing {
        let mut tell = |bytes| progress(Progress { bytes: before_bytes + bytes, total_bytes });
        upload_told(&session, blob, &mut tell).await?;
        before_bytes += blob.descriptor.bytes;
        progress(Progress { bytes: before_bytes, total_bytes });
    }
    put_manifest(&session, &image).await?;
    let digest = image.descriptor.digest.to_string();
    Ok(PushReport {
        reference: format!("{}/{}@{digest}", reference.registry(), reference.repository()),
        digest,
        uploaded: missing.iter().map(|blob| blob.descriptor.digest.to_string()).collect(),
        uploaded_bytes: total_bytes,
        present_bytes,
    })
}

/// Uploads and tells how far it is.
async fn upload_told(
    session: &Session,
    blob: &Blob,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Error> {
    let done_bytes = Arc::new(AtomicU64::new(0));
    let mut uploading = std::pin::pin!(upload(session, blob, &done_bytes));
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            result = &mut uploading => return result,
            _ = ticks.tick() => {
                tell(done_bytes.load(Ordering::Relaxed).min(blob.descriptor.bytes));
            }
        }
    }
}

async fn put_manifest(session: &Session, image: &StoredImage) -> Result<(), Error> {
    let Descriptor { digest, media_type, .. } = &image.descriptor;
    let media_type = image.manifest.media_type.as_ref().unwrap_or(media_type);
    let kind = if media_type.is_empty() { MANIFEST_TYPE } else { media_type };
    let url = session.url(&format!("manifests/{}", session.reference.manifest_name()))?;
    let build = |client: &reqwest::Client| {
        let request = client.put(url.clone()).header(CONTENT_TYPE, kind);
        request.body(image.manifest_bytes.clone())
    };
    let wanted = [StatusCode::CREATED, StatusCode::OK, StatusCode::ACCEPTED];
    let response = session.send_retried("writing the manifest", &url, &wanted, &build).await?;
    let said = response.headers().get("docker-content-digest").and_then(|v| v.to_str().ok());
    match said {
        Some(said) if said != digest.to_string() => {
            Err(session.misbehaved("it gave the manifest another digest than its bytes have"))
        }
        _ => Ok(()),
    }
}
