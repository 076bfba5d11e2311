//! The chunked transfer coding (RFC 9112, section 7.1), a byte or a stretch of data at a time.

use super::super::{BODY_BYTES_MAX, HEAD_BYTES_MAX};
use super::Fault;

/// Where in the coding the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a size line: the size so far, and whether its digits are over.
    Size { bytes: u64, digits: u32, over: bool },
    /// In data, with this much of it to come.
    Data(u64),
    /// In the line end after data.
    DataEnd,
    /// In the trailers; bytes of the line so far, without its CR.
    Trailer(u32),
}

/// The start of a size line.
const SIZE: Place = Place::Size { bytes: 0, digits: 0, over: false };

/// A chunked body while it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of the current size line, or of the trailers.
    overhead_bytes: usize,
}

/// What the front of the bytes was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// One byte of the coding itself.
    Framing,
    /// This many bytes of the body.
    Data(usize),
    /// The byte that ends the body.
    End,
}

impl Chunks {
    /// Before the first chunk.
    pub(super) fn new() -> Self {
        Self { place: SIZE, overhead_bytes: 0 }
    }

    /// Takes in the front of `bytes`, which must not be empty.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Taken, Fault> {
        let byte = bytes[0];
        self.place = match self.place {
            Place::Data(left) => {
                let taken = left.min(bytes.len() as u64);
                self.place = if taken == left { Place::DataEnd } else { Place::Data(left - taken) };
                return Ok(Taken::Data(taken as usize));
            }
            Place::DataEnd if byte == b'\r' => Place::DataEnd,
            Place::DataEnd if byte == b'\n' => {
                // What framed a chunk that came whole is no endless line.
                self.overhead_bytes = 0;
                SIZE
            }
            Place::DataEnd => return Err("a chunk does not end where its size says"),
            Place::Trailer(0) if byte == b'\n' => return Ok(Taken::End),
            Place::Trailer(_) if byte == b'\n' => Place::Trailer(0),
            Place::Trailer(length) if byte == b'\r' => Place::Trailer(length),
            Place::Trailer(length) => Place::Trailer(length + 1),
            Place::Size { bytes, digits, over } => size(bytes, digits, over, byte)?,
        };
        self.overhead_bytes += 1;
        if self.overhead_bytes > HEAD_BYTES_MAX {
            return Err("a chunk's size line or the trailers are longer than 32 KiB");
        }
        Ok(Taken::Framing)
    }
}

/// One byte of a size line: hexadecimal digits, then perhaps an extension, which is skipped.
fn size(bytes: u64, digits: u32, over: bool, byte: u8) -> Result<Place, Fault> {
    match byte {
        b'\n' if digits == 0 => Err("a chunk has no size"),
        b'\n' if bytes == 0 => Ok(Place::Trailer(0)),
        b'\n' => Ok(Place::Data(bytes)),
        b'\r' | b';' | b' ' | b'\t' => Ok(Place::Size { bytes, digits, over: true }),
        _ if over => Ok(Place::Size { bytes, digits, over }),
        _ => {
            let digit =
                (byte as char).to_digit(16).ok_or("a chunk's size is no hexadecimal number")?;
            let bytes = bytes * 16 + u64::from(digit);
            if bytes > BODY_BYTES_MAX {
                return Err("a chunk is longer than 1 GiB");
            }
            Ok(Place::Size { bytes, digits: digits + 1, over })
        }
    }
}
