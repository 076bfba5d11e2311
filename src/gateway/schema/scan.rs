//! JSON (RFC 8259) over bytes: one token at a time, nothing copied unless it is escaped.
//!
//! The bytes have been checked to be UTF-8.

use super::parse::kind;
use std::borrow::Cow;

/// The bytes are no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A place in a text.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A string between its quotes, escapes and all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte, without taking it.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes a byte that was peeked at.
    #[inline]
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// Takes white space.
    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes this word (`true`, `false`, `null`).
    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Takes a number: its kind and its text.
    #[inline]
    pub(super) fn number(&mut self) -> Result<(usize, &'a [u8]), Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        let mut kind = kind::INTEGER;
        if self.peek() == Some(b'.') {
            kind = kind::FRACTION;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            kind = kind::FRACTION;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok((kind, &self.bytes[start..self.at]))
    }

    /// Takes at least one digit.
    #[inline]
    fn digits(&mut self) -> Result<(), Malformed> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(Malformed) } else { Ok(()) }
    }

    /// Takes a string whose opening quote was peeked at.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'a>, Malformed> {
        let start = self.at + 1;
        let mut end = start;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(end..).ok_or(Malformed)?;
            end += memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
            if self.bytes[end] == b'"' {
                break;
            }
            escaped = true;
            end += escape_length(&self.bytes[end..])?;
        }
        let raw = &self.bytes[start..end];
        // No early exit, so that the comparison is done many bytes at a time.
        if raw.iter().fold(false, |control, byte| control | (*byte < 0x20)) {
            return Err(Malformed);
        }
        self.at = end + 1;
        Ok(Text { raw, escaped })
    }
}

/// Bytes of the escape sequence that these bytes start with.
fn escape_length(bytes: &[u8]) -> Result<usize, Malformed> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            let hex = bytes.get(2..6).ok_or(Malformed)?;
            if hex.iter().all(u8::is_ascii_hexdigit) { Ok(6) } else { Err(Malformed) }
        }
        _ => Err(Malformed),
    }
}

impl<'a> Text<'a> {
    /// The characters; a surrogate without its other half becomes the replacement character.
    pub(super) fn unescape(self) -> Cow<'a, str> {
        if !self.escaped {
            return String::from_utf8_lossy(self.raw);
        }
        let mut text = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            text.push_str(&String::from_utf8_lossy(&rest[..at]));
            let (character, length) = unescape_one(&rest[at..]);
            text.push(character);
            rest = &rest[at + length..];
        }
        text.push_str(&String::from_utf8_lossy(rest));
        Cow::Owned(text)
    }

    /// Number of characters.
    pub(super) fn chars(self) -> u64 {
        let count = if self.escaped {
            self.unescape().chars().count()
        } else {
            // Bytes that do not continue a character.
            self.raw.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
        };
        count as u64
    }
}

/// The character of a checked escape sequence, and its length in bytes.
fn unescape_one(bytes: &[u8]) -> (char, usize) {
    let unit = |from: usize| {
        let hex = bytes.get(from..from + 4).unwrap_or_default();
        hex.iter().fold(0, |unit, digit| unit << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
    };
    match bytes.get(1) {
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => {
            let (high, low) = (unit(2), unit(8));
            let paired = (0xD800..0xDC00).contains(&high)
                && bytes.get(6..8) == Some(b"\\u")
                && (0xDC00..0xE000).contains(&low);
            if paired {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            } else {
                (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
            }
        }
        Some(other) => (char::from(*other), 2),
        None => (char::REPLACEMENT_CHARACTER, bytes.len()),
    }
}
