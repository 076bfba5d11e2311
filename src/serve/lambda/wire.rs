//! HTTP/1.1 to the Runtime API on one kept connection: a request out, a bounded reply in.
//!
//! Blocking and on the caller's thread: the least there is between an event and its answer. The
//! reply's body is read into the connection's own buffer and lent from there.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;

/// Largest reply head, bytes. Lambda's own is under 2 KB; a client context makes it longer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a reply at most.
const HEADERS_MAX: usize = 64;
/// Longest line with the size of a chunk, bytes.
const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Longest trailer after the last chunk, bytes.
const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// Room for a reply to begin with, bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The connection was closed before a byte of the reply had come.
    #[error("the connection was closed before a reply came")]
    Closed,
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// The peer does not speak HTTP/1.1 as expected.
    #[error("the reply is no HTTP/1.1: {0}")]
    Malformed(&'static str),
    /// The head or the body is longer than taken.
    #[error("the {0} of the reply is longer than {1} bytes")]
    TooLong(&'static str, usize),
}

/// The head of a reply: what the Runtime API says in headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    pub(super) deadline_ms: Option<u64>,
    pub(super) trace_id: Option<String>,
    content_length: Option<usize>,
    is_chunked: bool,
    is_last: bool,
}

/// A connection and what has come on it.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// The peer says it closes, or left bytes behind a reply: no other request goes out here.
    is_spent: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        // A socket that refuses still works.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0, is_spent: false }
    }

    /// Whether another request can go out.
    pub(super) fn is_usable(&self) -> bool {
        !self.is_spent
    }

    /// Sends a request and reads the reply's head and body.
    ///
    /// # Errors
    /// See [`WireError`]. With [`WireError::TooLong`] for the body, the head is in `refused`.
    pub(super) fn exchange(
        &mut self,
        head: &[u8],
        body: &[u8],
        body_bytes_max: usize,
    ) -> Result<(Head, Result<Range<usize>, WireError>), WireError> {
        self.is_spent = true;
        self.filled = 0;
        write_both(&mut self.stream, head, body).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => WireError::Closed,
            _ => WireError::Broken(error),
        })?;
        let (head, start) = self.read_head()?;
        let body = if head.is_chunked {
            self.read_chunks(start, body_bytes_max)
        } else {
            self.read_length(start, head.content_length.unwrap_or(0), body_bytes_max)
        };
        self.is_spent = head.is_last || body.is_err();
        Ok((head, body))
    }

    /// Bytes of the last reply.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    fn read_head(&mut self) -> Result<(Head, usize), WireError> {
        loop {
            self.fill(HEAD_BYTES_MAX, "head")?;
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut response = httparse::Response::new(&mut headers);
            match response.parse(&self.buffer[..self.filled]) {
                Ok(httparse::Status::Partial) if self.filled < HEAD_BYTES_MAX => {}
                Ok(httparse::Status::Partial) => {
                    return Err(WireError::TooLong("head", HEAD_BYTES_MAX));
                }
                Ok(httparse::Status::Complete(start)) => return Ok((head(&response)?, start)),
                Err(_) => return Err(WireError::Malformed("its head does not parse")),
            }
        }
    }

    fn read_length(
        &mut self,
        start: usize,
        length: usize,
        body_bytes_max: usize,
    ) -> Result<Range<usize>, WireError> {
        if length > body_bytes_max {
            return Err(WireError::TooLong("body", body_bytes_max));
        }
        let end = start + length;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while self.filled < end {
            self.fill(end, "body")?;
        }
        if self.filled > end {
            return Err(WireError::Malformed("bytes follow its body"));
        }
        Ok(start..end)
    }

    /// Joins the chunks in place: each moves down to the end of those before it.
    fn read_chunks(
        &mut self,
        start: usize,
        body_bytes_max: usize,
    ) -> Result<Range<usize>, WireError> {
        let (mut at, mut end) = (start, start);
        loop {
            let (line, size) = self.read_chunk_size(at)?;
            at += line;
            if size == 0 {
                self.read_trailer(at)?;
                return Ok(start..end);
            }
            if size > body_bytes_max - (end - start) {
                return Err(WireError::TooLong("body", body_bytes_max));
            }
            while self.filled < at + size + 2 {
                self.fill(usize::MAX, "body")?;
            }
            if &self.buffer[at + size..at + size + 2] != b"\r\n" {
                return Err(WireError::Malformed("a chunk does not end where it says"));
            }
            self.buffer.copy_within(at..at + size, end);
            (at, end) = (at + size + 2, end + size);
            if at == self.filled || at - end > CHUNK_LINE_BYTES_MAX {
                self.buffer.copy_within(at..self.filled, end);
                (at, self.filled) = (end, end + self.filled - at);
            }
        }
    }

    /// The size of the chunk whose line begins at `at`, and how long the line is.
    fn read_chunk_size(&mut self, at: usize) -> Result<(usize, usize), WireError> {
        loop {
            match httparse::parse_chunk_size(&self.buffer[at..self.filled]) {
                Ok(httparse::Status::Complete((line, size))) => {
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    return Ok((line, size));
                }
                Ok(httparse::Status::Partial) if self.filled - at < CHUNK_LINE_BYTES_MAX => {
                    self.fill(usize::MAX, "body")?;
                }
                _ => return Err(WireError::Malformed("the size of a chunk does not parse")),
            }
        }
    }

    /// Reads up to the empty line that ends a chunked body.
    fn read_trailer(&mut self, at: usize) -> Result<(), WireError> {
        loop {
            let trailer = &self.buffer[at..self.filled];
            if trailer == b"\r\n" || trailer.ends_with(b"\r\n\r\n") {
                return Ok(());
            }
            if trailer.len() > TRAILER_BYTES_MAX {
                return Err(WireError::TooLong("trailer", TRAILER_BYTES_MAX));
            }
            self.fill(usize::MAX, "trailer")?;
        }
    }

    /// Reads once, into a buffer that grows up to `bytes_max`.
    fn fill(&mut self, bytes_max: usize, part: &'static str) -> Result<(), WireError> {
        if self.filled == self.buffer.len() {
            if self.filled >= bytes_max {
                return Err(WireError::TooLong(part, bytes_max));
            }
            self.buffer.resize((self.filled * 2).min(bytes_max), 0);
        }
        loop {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) if self.filled == 0 => return Err(WireError::Closed),
                Ok(0) => return Err(WireError::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => {
                    self.filled += n;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if error.kind() == io::ErrorKind::ConnectionReset && self.filled == 0 =>
                {
                    return Err(WireError::Closed);
                }
                Err(error) => return Err(WireError::Broken(error)),
            }
        }
    }
}

fn head(response: &httparse::Response<'_, '_>) -> Result<Head, WireError> {
    let mut head = Head { status: response.code.unwrap_or_default(), ..Head::default() };
    head.is_last = response.version == Some(0);
    for header in response.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let text = || std::str::from_utf8(header.value).map(str::trim).ok();
        if is("lambda-runtime-aws-request-id") {
            head.request_id = text().filter(|id| is_id(id)).map(str::to_owned);
        } else if is("lambda-runtime-deadline-ms") {
            head.deadline_ms = text().and_then(|text| text.parse().ok());
        } else if is("lambda-runtime-trace-id") {
            head.trace_id = text().filter(|id| is_id(id)).map(str::to_owned);
        } else if is("content-length") {
            let length = text().and_then(|text| text.parse().ok());
            head.content_length =
                Some(length.ok_or(WireError::Malformed("its length is no number"))?);
        } else if is("transfer-encoding") {
            head.is_chunked = text().is_some_and(|text| text.eq_ignore_ascii_case("chunked"));
        } else if is("connection") {
            head.is_last |= text().is_some_and(|text| text.eq_ignore_ascii_case("close"));
        }
    }
    Ok(head)
}

/// Whether a text can stand in a path and in a log line as it is.
fn is_id(text: &str) -> bool {
    /// Ids are UUIDs; trace ids are some 100 characters.
    const CHARS_MAX: usize = 256;
    let inside =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | ';' | ':');
    (1..=CHARS_MAX).contains(&text.len()) && text.chars().all(inside)
}

/// Writes a head and a body, with one call if the system takes both.
fn write_both(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    let written = loop {
        match stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if written == 0 && !head.is_empty() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    match head.get(written..) {
        Some(rest) if !rest.is_empty() => {
            stream.write_all(rest)?;
            stream.write_all(body)
        }
        _ => stream.write_all(&body[written - head.len()..]),
    }
}

#[cfg(test)]
mod tests;
