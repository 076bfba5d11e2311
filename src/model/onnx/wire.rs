//! The protobuf wire format, read at absolute positions through one small window.
//!
//! A message is a [`Span`] of the file; walking it yields fields whose values are numbers or inner
//! spans. Skipping a field costs nothing: the next read lands behind it, wherever that is, so that
//! gigabytes of weights are never read. Format: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! # Invariants
//! No length is trusted before it is held to the span around it, and the outermost span to the
//! file. Memory is the window and what callers keep, which they [`charge`](Wire::charge).

use super::error::FormatError;
use super::limits::{FIELDS_MAX, KEPT_BYTES_MAX, NAME_BYTES_MAX, WINDOW_BYTES};
use std::io::{Read, Seek, SeekFrom};

/// A stretch of the file that holds one message or one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The first byte that has not been walked.
    at: u64,
    /// One past the last byte.
    end: u64,
    /// Whether the span is the file itself, so that running over it means a file cut short.
    outermost: bool,
}

impl Span {
    /// Bytes from here to the end.
    pub(super) fn len(self) -> u64 {
        self.end - self.at
    }

    /// Where the span starts in the file.
    pub(super) fn at(self) -> u64 {
        self.at
    }
}

/// A field's value, by wire type.
#[derive(Debug, Clone, Copy)]
enum Value {
    Varint(u64),
    Fixed,
    Bytes(Span),
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// The field's number in its message.
    pub(super) number: u32,
    at: u64,
    value: Value,
}

impl Field {
    /// The number in a varint field.
    pub(super) fn varint(&self) -> Result<u64, FormatError> {
        match self.value {
            Value::Varint(number) => Ok(number),
            Value::Fixed | Value::Bytes(_) => Err(self.wrong_type()),
        }
    }

    /// The number in a varint field that onnx.proto declares as `int64`.
    pub(super) fn int64(&self) -> Result<i64, FormatError> {
        self.varint().map(u64::cast_signed)
    }

    /// The span of a string, bytes, packed or message field.
    pub(super) fn bytes(&self) -> Result<Span, FormatError> {
        match self.value {
            Value::Bytes(span) => Ok(span),
            Value::Varint(_) | Value::Fixed => Err(self.wrong_type()),
        }
    }

    /// Numbers that a repeated field holds here at most: one, or as many as packed bytes.
    pub(super) fn numbers_max(&self) -> u64 {
        match self.value {
            Value::Bytes(span) => span.len(),
            Value::Varint(_) | Value::Fixed => 1,
        }
    }

    /// The span of packed numbers, or the one number of a field that is not packed.
    pub(super) fn packed(&self) -> Result<Result<Span, u64>, FormatError> {
        match self.value {
            Value::Bytes(span) => Ok(Ok(span)),
            Value::Varint(number) => Ok(Err(number)),
            Value::Fixed => Err(self.wrong_type()),
        }
    }

    fn wrong_type(&self) -> FormatError {
        FormatError::corrupted(self.at, format!("field {} has the wrong wire type", self.number))
    }
}

/// The file and the window on it.
pub(super) struct Wire<R> {
    source: R,
    file_bytes: u64,
    window: Vec<u8>,
    window_at: u64,
    fields_left: u64,
    kept_bytes_left: u64,
}

impl<R: Read + Seek> Wire<R> {
    /// A reader of a file of this many bytes.
    pub(super) fn new(source: R, file_bytes: u64) -> Self {
        Self {
            source,
            file_bytes,
            window: Vec::with_capacity(WINDOW_BYTES),
            window_at: 0,
            fields_left: FIELDS_MAX,
            kept_bytes_left: KEPT_BYTES_MAX,
        }
    }

    /// The whole file as one message.
    pub(super) fn whole(&self) -> Span {
        Span { at: 0, end: self.file_bytes, outermost: true }
    }

    /// The first bytes of the file, as many as the window holds.
    pub(super) fn head(&mut self) -> Result<&[u8], FormatError> {
        self.fill(0)?;
        Ok(&self.window)
    }

    /// The next field of the message whose rest is `rest`; `None` at its end.
    pub(super) fn next(&mut self, rest: &mut Span) -> Result<Option<Field>, FormatError> {
        if rest.at == rest.end {
            return Ok(None);
        }
        self.fields_left = self
            .fields_left
            .checked_sub(1)
            .ok_or(FormatError::OverLimit { what: "number of fields", limit: FIELDS_MAX })?;
        let at = rest.at;
        let tag = self.varint(rest)?;
        let number = u32::try_from(tag >> 3)
            .ok()
            .filter(|number| (1..1 << 29).contains(number))
            .ok_or_else(|| FormatError::corrupted(at, "no such field number"))?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint(rest)?),
            1 => {
                Self::take(rest, at, 8)?;
                Value::Fixed
            }
            2 => {
                let len = self.varint(rest)?;
                Value::Bytes(Self::take(rest, at, len)?)
            }
            5 => {
                Self::take(rest, at, 4)?;
                Value::Fixed
            }
            // 3 and 4 were groups, which no ONNX schema ever used; 6 and 7 never existed.
            _ => return Err(FormatError::corrupted(at, "no such wire type")),
        };
        Ok(Some(Field { number, at, value }))
    }

    /// The next number of packed varints; `None` at their end.
    pub(super) fn next_packed(&mut self, rest: &mut Span) -> Result<Option<u64>, FormatError> {
        if rest.at == rest.end { Ok(None) } else { self.varint(rest).map(Some) }
    }

    /// A name: UTF-8 without control characters, at most [`NAME_BYTES_MAX`] long.
    pub(super) fn name(&mut self, span: Span) -> Result<String, FormatError> {
        if span.len() > NAME_BYTES_MAX {
            return Err(FormatError::OverLimit {
                what: "length of a name in bytes",
                limit: NAME_BYTES_MAX,
            });
        }
        let bytes = self.copy(span, NAME_BYTES_MAX)?;
        match String::from_utf8(bytes) {
            Ok(name) if !name.contains(char::is_control) => Ok(name),
            Ok(_) => Err(FormatError::corrupted(span.at, "a name with control characters")),
            Err(_) => Err(FormatError::corrupted(span.at, "a name that is not UTF-8")),
        }
    }

    /// Descriptive text, cut at `bytes_max`; what is not UTF-8 is replaced.
    pub(super) fn text(&mut self, span: Span, bytes_max: u64) -> Result<String, FormatError> {
        let bytes = self.copy(span, bytes_max)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if span.len() > bytes_max {
            // The cut may have gone through a character.
            text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
            text.push('…');
        }
        Ok(text)
    }

    /// Counts bytes that the caller keeps against [`KEPT_BYTES_MAX`].
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), FormatError> {
        let left = self.kept_bytes_left.checked_sub(bytes as u64);
        self.kept_bytes_left = left.ok_or(FormatError::OverLimit {
            what: "names and shapes together in bytes",
            limit: KEPT_BYTES_MAX,
        })?;
        Ok(())
    }

    /// Takes `len` bytes off the front of `rest`, for the field that starts at `at`.
    fn take(rest: &mut Span, at: u64, len: u64) -> Result<Span, FormatError> {
        let left = rest.len();
        if len > left {
            return Err(if rest.outermost {
                FormatError::Truncated { at_byte: at, missing_bytes: len - left }
            } else {
                FormatError::corrupted(at, "a field longer than the message around it")
            });
        }
        let taken = Span { at: rest.at, end: rest.at + len, outermost: false };
        rest.at += len;
        Ok(taken)
    }

    fn varint(&mut self, rest: &mut Span) -> Result<u64, FormatError> {
        let start = rest.at;
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let at = Self::take(rest, start, 1)?.at;
            let byte = self.byte(at)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(FormatError::corrupted(start, "a number of more than 64 bits"))
    }

    fn byte(&mut self, at: u64) -> Result<u8, FormatError> {
        if let Some(byte) = self.in_window(at) {
            return Ok(byte);
        }
        self.fill(at)?;
        // Lengths are held to the size that the file had, so it has shrunk while being read.
        self.in_window(at).ok_or(FormatError::Truncated { at_byte: at, missing_bytes: 1 })
    }

    fn in_window(&self, at: u64) -> Option<u8> {
        let offset = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
        self.window.get(offset).copied()
    }

    /// At most `bytes_max` bytes from the front of `span`.
    fn copy(&mut self, span: Span, bytes_max: u64) -> Result<Vec<u8>, FormatError> {
        (span.at..span.at + span.len().min(bytes_max)).map(|at| self.byte(at)).collect()
    }

    /// Moves the window to `at`.
    fn fill(&mut self, at: u64) -> Result<(), FormatError> {
        let failed = |source| FormatError::Read { at_byte: at, source };
        self.window.clear();
        self.window_at = at;
        self.source.seek(SeekFrom::Start(at)).map_err(failed)?;
        let mut front = (&mut self.source).take(WINDOW_BYTES as u64);
        front.read_to_end(&mut self.window).map_err(failed)?;
        Ok(())
    }
}
