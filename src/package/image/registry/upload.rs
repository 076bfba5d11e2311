//! Uploading one blob in chunks, going on where the registry stands after a cut.
//!
//! A chunk is one `PATCH`. After a failure the registry is asked how far it got and the upload goes
//! on from there; a registry that has forgotten the upload gets a new one. A registry that refuses a
//! later chunk gets the blob in one piece, which is the road that every client's pushes take.

use super::super::document::{BlobDigest, Descriptor};
use super::error::Error;
use super::session::{ATTEMPTS_MAX, Session};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use hyper::body::{Body, Frame, SizeHint};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use url::Url;

/// Bytes of a chunk, unless the registry wants larger ones: what is lost by a cut at the worst.
const CHUNK_BYTES: u64 = 16 << 20;
/// Largest chunk that a registry may ask for, bytes.
const CHUNK_BYTES_MAX: u64 = 1 << 30;
/// Bytes read from the disk at a time.
const PIECE_BYTES: usize = 64 << 10;
/// A registry's smallest chunk (distribution specification 1.1).
const CHUNK_MIN_HEADER: &str = "oci-chunk-min-length";

/// A blob on the disk.
pub(super) struct Blob {
    pub(super) path: PathBuf,
    pub(super) descriptor: Descriptor,
}

/// An upload under way: where to send the next byte, and which it is.
struct Position {
    url: Url,
    offset: u64,
    chunk_bytes: u64,
}

/// How a chunk went.
enum Step {
    /// The registry has it, or said how far it got.
    Forward(Position),
    /// The registry has forgotten the upload or wants none in chunks.
    Lost(Error),
}

/// Uploads a blob; `done_bytes` always says how much of it the registry has or is being given.
///
/// # Errors
/// The registry refuses, or it could not be brought through in a bounded number of tries.
pub(super) async fn upload(
    session: &Session,
    blob: &Blob,
    done_bytes: &Arc<AtomicU64>,
) -> Result<(), Error> {
    let mut in_one_piece = false;
    let mut attempt = 1;
    loop {
        done_bytes.store(0, Ordering::Relaxed);
        match try_upload(session, blob, done_bytes, in_one_piece).await? {
            None => return Ok(()),
            Some(error) if attempt >= ATTEMPTS_MAX => return Err(error),
            Some(_) => session.back_off(attempt, None).await,
        }
        attempt += 1;
        in_one_piece = attempt > 2;
    }
}

/// One upload from its beginning; the error of one that was lost and may be begun again.
async fn try_upload(
    session: &Session,
    blob: &Blob,
    done_bytes: &Arc<AtomicU64>,
    in_one_piece: bool,
) -> Result<Option<Error>, Error> {
    let total = blob.descriptor.bytes;
    let mut position = begin(session).await?;
    if in_one_piece {
        position.chunk_bytes = total;
    }
    while position.offset < total {
        done_bytes.store(position.offset, Ordering::Relaxed);
        match chunk(session, blob, done_bytes, position).await? {
            Step::Forward(next) => position = next,
            Step::Lost(error) => return Ok(Some(error)),
        }
    }
    finish(session, &position.url, blob.descriptor.digest).await
}

async fn begin(session: &Session) -> Result<Position, Error> {
    let url = session.url("blobs/uploads/")?;
    let build = |client: &reqwest::Client| client.post(url.clone()).header(CONTENT_LENGTH, 0);
    let what = "starting an upload";
    let response = session.send_retried(what, &url, &[StatusCode::ACCEPTED], &build).await?;
    let wanted = response.headers().get(CHUNK_MIN_HEADER).and_then(|value| value.to_str().ok());
    let wanted: u64 = wanted.and_then(|text| text.parse().ok()).unwrap_or(0);
    let chunk_bytes = CHUNK_BYTES.max(wanted.min(CHUNK_BYTES_MAX));
    Ok(Position { url: session.location(&response)?, offset: 0, chunk_bytes })
}

/// Sends one chunk, again and again as long as the registry knows where it stands.
async fn chunk(
    session: &Session,
    blob: &Blob,
    done_bytes: &Arc<AtomicU64>,
    mut position: Position,
) -> Result<Step, Error> {
    const WHAT: &str = "uploading a layer";
    let mut attempt = 1;
    loop {
        let end = (position.offset + position.chunk_bytes).min(blob.descriptor.bytes);
        let error = match send_chunk(session, blob, done_bytes, &position, end).await {
            Ok(response) if response.status() == StatusCode::ACCEPTED => {
                let offset = received(&response).filter(|at| (position.offset..=end).contains(at));
                let url = session.location(&response)?;
                let offset = offset.unwrap_or(end);
                return Ok(Step::Forward(Position { url, offset, ..position }));
            }
            Ok(response) => session.refused(WHAT, response).await,
            Err(error) => error,
        };
        if is_lost(&error) {
            return Ok(Step::Lost(error));
        }
        if !error.is_passing() || attempt >= ATTEMPTS_MAX {
            return Err(error);
        }
        session.back_off(attempt, None).await;
        match stand(session, &position, blob.descriptor.bytes).await? {
            // As soon as something gets through, the tries are counted anew.
            Some(next) if next.offset > position.offset => return Ok(Step::Forward(next)),
            Some(next) => position = next,
            None => return Ok(Step::Lost(error)),
        }
        done_bytes.store(position.offset, Ordering::Relaxed);
        attempt += 1;
    }
}

async fn send_chunk(
    session: &Session,
    blob: &Blob,
    done_bytes: &Arc<AtomicU64>,
    position: &Position,
    end: u64,
) -> Result<reqwest::Response, Error> {
    let (start, total) = (position.offset, blob.descriptor.bytes);
    let build = |client: &reqwest::Client| {
        done_bytes.store(start, Ordering::Relaxed);
        let counters = [Arc::clone(&session.sent_bytes), Arc::clone(done_bytes)];
        let body = FileBody::open(&blob.path, start, end - start, counters);
        let request = client
            .patch(position.url.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(reqwest::Body::wrap(body));
        // A blob in one piece is sent as Docker does, without a range.
        if start == 0 && end == total {
            return request;
        }
        request.header(CONTENT_RANGE, format!("{start}-{}", end - 1))
    };
    session.send("uploading a layer", &position.url, &build).await
}

/// How far the registry got; `None` when it has forgotten the upload.
async fn stand(
    session: &Session,
    position: &Position,
    total: u64,
) -> Result<Option<Position>, Error> {
    let url = &position.url;
    let build = |client: &reqwest::Client| client.get(url.clone());
    let what = "asking how far an upload got";
    let wanted = [StatusCode::NO_CONTENT, StatusCode::ACCEPTED];
    match session.send_retried(what, url, &wanted, &build).await {
        Ok(response) => {
            let offset = received(&response).filter(|offset| *offset <= total);
            let url = session.location(&response).unwrap_or_else(|_| url.clone());
            let chunk_bytes = position.chunk_bytes;
            Ok(offset.map(|offset| Position { url, offset, chunk_bytes }))
        }
        Err(error) if is_lost(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends an upload; the error of one that has to be begun again.
async fn finish(session: &Session, url: &Url, digest: BlobDigest) -> Result<Option<Error>, Error> {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let build = |client: &reqwest::Client| client.put(url.clone()).header(CONTENT_LENGTH, 0);
    let what = "ending an upload";
    let wanted = [StatusCode::CREATED, StatusCode::NO_CONTENT];
    match session.send_retried(what, &url, &wanted, &build).await {
        Ok(_) => Ok(None),
        // An answer may have been lost: then the blob is there and the upload is not.
        Err(error) if is_lost(&error) || error.is_passing() => {
            if exists(session, digest).await? {
                Ok(None)
            } else {
                Ok(Some(error))
            }
        }
        Err(error) => Err(error),
    }
}

/// Whether the registry has a blob.
pub(super) async fn exists(session: &Session, digest: BlobDigest) -> Result<bool, Error> {
    let url = session.url(&format!("blobs/{digest}"))?;
    let build = |client: &reqwest::Client| client.head(url.clone());
    let wanted = [StatusCode::OK, StatusCode::NOT_FOUND];
    let response = session.send_retried("looking for a layer", &url, &wanted, &build).await?;
    Ok(response.status() == StatusCode::OK)
}

/// Whether a refusal says that the upload is gone, out of step or not wanted in chunks.
fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Refused { status, .. } if matches!(status.as_u16(), 400 | 404 | 405 | 416))
}

/// The bytes that the registry has, of its `Range: 0-LAST`; `0-0` is what an empty upload says.
fn received(response: &reqwest::Response) -> Option<u64> {
    let text = response.headers().get(RANGE)?.to_str().ok()?;
    let last: u64 = text.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
    Some(if last == 0 { 0 } else { last.checked_add(1)? })
}

/// A part of a file as a request's body. The pieces are read when they are asked for, in place: a
/// page of the disk cache takes less time than a hand-over to another thread would.
struct FileBody {
    file: io::Result<fs_err::File>,
    left: u64,
    counters: [Arc<AtomicU64>; 2],
}

impl FileBody {
    fn open(path: &Path, start: u64, bytes: u64, counters: [Arc<AtomicU64>; 2]) -> Self {
        let file = fs_err::File::open(path).and_then(|mut file| {
            file.seek(io::SeekFrom::Start(start))?;
            Ok(file)
        });
        Self { file, left: bytes, counters }
    }

    fn next_piece(&mut self) -> io::Result<Option<bytes::Bytes>> {
        let wanted = usize::try_from(self.left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        if wanted == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; wanted];
        match &mut self.file {
            Ok(file) => file.read_exact(&mut piece)?,
            Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
        }
        self.left -= wanted as u64;
        for counter in &self.counters {
            counter.fetch_add(wanted as u64, Ordering::Relaxed);
        }
        Ok(Some(piece.into()))
    }
}

impl Body for FileBody {
    type Data = bytes::Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(self.next_piece().transpose().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
