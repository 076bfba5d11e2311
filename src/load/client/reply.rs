//! Reads an HTTP/1.1 reply out of bytes as they come: pure, incremental, bounded.
//!
//! # Invariants
//! The same bytes give the same reply however they are cut. Any bytes give a reply or an error:
//! never a panic, and never more memory than a head of [`HEAD_BYTES_MAX`].

use super::super::classify::ReplyFacts;
use super::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX};
use httparse::Status;
use std::mem::MaybeUninit;

/// Most interim (1xx) replies before the final one.
const INTERIM_MAX: u32 = 16;

/// What is wrong with a reply.
pub(super) type Fault = &'static str;

/// How far a reply has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// All bytes belong to it, and more must come.
    More,
    /// It is whole, and took this many of the bytes.
    Done(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// Bytes of the body still to come.
    Length(u64),
    Chunked(Chunk),
    /// The body ends with the connection.
    UntilClose,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// In the size line; whether a digit was seen, and whether the size is over.
    Size { bytes: u64, digits: u32, over: bool },
    /// In the data.
    Data(u64),
    /// In the line end after the data.
    DataEnd,
    /// In the trailers; bytes of the line so far, without its CR.
    Trailer(u32),
}

/// A reply while it comes in.
#[derive(Debug)]
pub(super) struct ReplyReader {
    state: State,
    /// The head so far, if it came in more than one piece.
    head: Vec<u8>,
    is_head: bool,
    interims: u32,
    body_bytes: u64,
    /// Bytes of chunk size lines and trailers.
    overhead_bytes: usize,
    keep_alive: bool,
    facts: ReplyFacts,
}

impl ReplyReader {
    /// Awaits a reply.
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            head: Vec::new(),
            is_head: false,
            interims: 0,
            body_bytes: 0,
            overhead_bytes: 0,
            keep_alive: false,
            facts: ReplyFacts::new(0),
        }
    }

    /// Awaits the next reply, to a HEAD request or another.
    pub(super) fn restart(&mut self, is_head: bool) {
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        *self = Self { head, is_head, ..Self::new() };
    }

    /// The reply's facts, once it is whole.
    pub(super) fn facts(&self) -> &ReplyFacts {
        &self.facts
    }

    /// Whether the server keeps the connection open after this reply.
    pub(super) fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Takes in the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Fed, Fault> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match self.state {
                State::Done => return Ok(Fed::Done(used)),
                _ if rest.is_empty() => return Ok(Fed::More),
                State::Head => match self.feed_head(rest)? {
                    None => return Ok(Fed::More),
                    Some(taken) => used += taken,
                },
                State::Length(left) => {
                    let taken = left.min(rest.len() as u64);
                    self.body(&rest[..taken as usize])?;
                    used += taken as usize;
                    self.state =
                        if taken == left { State::Done } else { State::Length(left - taken) };
                }
                State::Chunked(chunk) => used += self.feed_chunk(chunk, rest)?,
                State::UntilClose => {
                    self.body(rest)?;
                    used += rest.len();
                }
            }
        }
    }

    /// The peer ended the connection: whether that ends the reply too.
    pub(super) fn end(&mut self) -> bool {
        if self.state == State::UntilClose {
            self.state = State::Done;
        }
        self.state == State::Done
    }

    /// Body bytes: only the first ones of a failure are of interest.
    fn body(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.body_bytes += bytes.len() as u64;
        if self.body_bytes > BODY_BYTES_MAX {
            return Err("the body is longer than 1 GiB");
        }
        if !(200..300).contains(&self.facts.status) {
            self.facts.body_start.extend(bytes);
        }
        Ok(())
    }

    /// Bytes of a head; how many it took once it is whole.
    fn feed_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        if self.head.is_empty() {
            // The usual case: the head comes in one piece and is not copied.
            if let Some(taken) = self.parse_head(bytes)? {
                return Ok(Some(taken));
            }
            return self.keep_head(bytes).map(|()| None);
        }
        let before = self.head.len();
        self.keep_head(bytes)?;
        if memchr::memchr(b'\n', bytes).is_none() {
            // A head ends with a line; parsing again after each byte would be quadratic.
            return Ok(None);
        }
        let mut head = std::mem::take(&mut self.head);
        let parsed = self.parse_head(&head);
        let taken = parsed?.map(|taken| taken - before);
        if taken.is_some() {
            head.clear();
        }
        self.head = head;
        Ok(taken)
    }

    fn keep_head(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.head.len() + bytes.len() > HEAD_BYTES_MAX {
            return Err("the head is longer than 32 KiB");
        }
        self.head.extend_from_slice(bytes);
        Ok(())
    }

    /// Parses a head; its length if it is whole.
    fn parse_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let status = parser
            .parse_response_with_uninit_headers(&mut parsed, bytes, &mut headers)
            .map_err(|error| match error {
                httparse::Error::Status => "the status is no number of three digits",
                httparse::Error::Version => "it does not begin with `HTTP/1.`",
                httparse::Error::TooManyHeaders => "there are more than 100 headers",
                _ => "the head is malformed",
            })?;
        let Status::Complete(length) = status else { return Ok(None) };
        let code = parsed.code.unwrap_or_default();
        if (100..200).contains(&code) && code != 101 {
            self.interims += 1;
            return if self.interims > INTERIM_MAX {
                Err("there are more than 16 interim replies")
            } else {
                Ok(Some(length))
            };
        }
        self.facts = ReplyFacts::new(code);
        self.keep_alive = parsed.version == Some(1) && code != 101;
        let mut framing = Framing::default();
        for header in parsed.headers.iter() {
            let name = header.name.as_bytes();
            match name.len() {
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    framing.content_length(header.value)?;
                }
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    framing.transfer_encoding(header.value);
                }
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    for option in header.value.split(|byte| *byte == b',') {
                        let option = option.trim_ascii();
                        if option.eq_ignore_ascii_case(b"close") {
                            self.keep_alive = false;
                        } else if option.eq_ignore_ascii_case(b"keep-alive") {
                            self.keep_alive = code != 101;
                        }
                    }
                }
                _ => self.facts.note(name, header.value),
            }
        }
        self.state = self.frame(code, &framing);
        Ok(Some(length))
    }

    /// How the body ends (RFC 9112, section 6.3).
    fn frame(&mut self, code: u16, framing: &Framing) -> State {
        if self.is_head || matches!(code, 101 | 204 | 304) {
            return State::Done;
        }
        match (framing.chunked, framing.content_length) {
            (Some(chunked), length) => {
                // Both ways at once is a sign of tampering: the connection is not used again.
                self.keep_alive &= chunked && length.is_none();
                if chunked {
                    State::Chunked(Chunk::Size { bytes: 0, digits: 0, over: false })
                } else {
                    State::UntilClose
                }
            }
            (None, Some(0)) => State::Done,
            (None, Some(length)) => State::Length(length),
            (None, None) => {
                self.keep_alive = false;
                State::UntilClose
            }
        }
    }

    /// Bytes of a chunked body; how many were taken.
    fn feed_chunk(&mut self, chunk: Chunk, bytes: &[u8]) -> Result<usize, Fault> {
        if let Chunk::Data(left) = chunk {
            let taken = left.min(bytes.len() as u64);
            self.body(&bytes[..taken as usize])?;
            let after = if taken == left { Chunk::DataEnd } else { Chunk::Data(left - taken) };
            self.state = State::Chunked(after);
            return Ok(taken as usize);
        }
        self.overhead_bytes += 1;
        if self.overhead_bytes > HEAD_BYTES_MAX && !matches!(chunk, Chunk::DataEnd) {
            return Err("chunk sizes and trailers are longer than 32 KiB");
        }
        let byte = bytes[0];
        let after = match chunk {
            Chunk::Size { bytes, digits, over } => chunk_size(bytes, digits, over, byte)?,
            Chunk::DataEnd => match byte {
                b'\r' => chunk,
                b'\n' => {
                    // Sizes of whole chunks are no overhead to fear: each came with its data.
                    self.overhead_bytes = 0;
                    Chunk::Size { bytes: 0, digits: 0, over: false }
                }
                _ => return Err("a chunk does not end where its size says"),
            },
            Chunk::Trailer(length) => match byte {
                b'\r' => chunk,
                b'\n' if length == 0 => {
                    self.state = State::Done;
                    return Ok(1);
                }
                b'\n' => Chunk::Trailer(0),
                _ => Chunk::Trailer(length + 1),
            },
            Chunk::Data(_) => chunk,
        };
        self.state = State::Chunked(after);
        Ok(1)
    }
}

/// One byte of a chunk's size line: hexadecimal digits, then perhaps an extension.
fn chunk_size(bytes: u64, digits: u32, over: bool, byte: u8) -> Result<Chunk, Fault> {
    match byte {
        b'\n' if digits == 0 => Err("a chunk has no size"),
        b'\n' if bytes == 0 => Ok(Chunk::Trailer(0)),
        b'\n' => Ok(Chunk::Data(bytes)),
        b'\r' | b';' | b' ' | b'\t' => Ok(Chunk::Size { bytes, digits, over: true }),
        _ if over => Ok(Chunk::Size { bytes, digits, over }),
        _ => {
            let digit =
                (byte as char).to_digit(16).ok_or("a chunk's size is no hexadecimal number")?;
            let bytes = bytes * 16 + u64::from(digit);
            if bytes > BODY_BYTES_MAX {
                return Err("a chunk is longer than 1 GiB");
            }
            Ok(Chunk::Size { bytes, digits: digits + 1, over })
        }
    }
}

/// What the head says about the body's length.
#[derive(Debug, Default)]
struct Framing {
    content_length: Option<u64>,
    /// There is a transfer encoding; whether `chunked` is its last.
    chunked: Option<bool>,
}

impl Framing {
    fn content_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| is_number);
        let length: u64 =
            length.and_then(|text| text.parse().ok()).ok_or("the content length is no number")?;
        if self.content_length.is_some_and(|other| other != length) {
            return Err("there are two different content lengths");
        }
        if length > BODY_BYTES_MAX {
            return Err("the body is longer than 1 GiB");
        }
        self.content_length = Some(length);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
        self.chunked = Some(last.eq_ignore_ascii_case(b"chunked"));
    }
}

#[cfg(test)]
mod tests;
