//! A pull scanner over a JSON body: structure, strings and literals, without a tree of values.
//!
//! The grammar is RFC 8259's plus the bare tokens `NaN`, `Infinity` and `-Infinity`. Numbers are
//! read by [`super::number`], tensors by [`super::nested`]; both ask this scanner for the next
//! byte that is no white space.
//!
//! # Invariants
//! Nothing here allocates except a string that holds escapes. Nesting is bounded by
//! [`NESTING_MAX`]; each byte is looked at a constant number of times.

use super::NESTING_MAX;
use super::fault::{Fault, FaultKind};
use std::borrow::Cow;

/// A position in a body.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the first byte of `bytes`, after a byte order mark if there is one.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } }
    }

    /// The same body from byte `at`.
    pub(super) fn from(&self, at: usize) -> Self {
        Self { bytes: self.bytes, at }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn set_at(&mut self, at: usize) {
        self.at = at;
    }

    /// Bytes from here to the end.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next byte that is no white space, which becomes the position.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Steps over the byte that [`Self::peek`] showed.
    #[inline]
    pub(super) fn bump(&mut self) {
        self.at += 1;
    }

    /// Steps over `byte` or says what was `expected`.
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(FaultKind::Syntax(expected).at(self.at))
    }

    /// Only white space is left.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(FaultKind::Syntax("the end of the body").at(self.at)),
        }
    }

    /// After an item of a list: whether another follows; steps over `,` or `]`.
    #[inline]
    pub(super) fn another_item(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b']') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(FaultKind::Syntax("`,` or `]`").at(self.at)),
        }
    }

    /// After `[`: whether a first item follows; steps over `]` if not.
    pub(super) fn first_item(&mut self) -> bool {
        let empty = self.peek() == Some(b']');
        if empty {
            self.at += 1;
        }
        !empty
    }

    /// After `{` (`first`) or a member's value: the next key, or `None` after stepping over `}`.
    pub(super) fn next_key(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>, Fault> {
        match (self.peek(), *first) {
            (Some(b'}'), _) => {
                self.at += 1;
                return Ok(None);
            }
            (Some(b','), false) => {
                self.at += 1;
                self.peek();
            }
            (_, true) => {}
            (_, false) => return Err(FaultKind::Syntax("`,` or `}`").at(self.at)),
        }
        *first = false;
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(FaultKind::Syntax("a key in quotes").at(self.at));
        }
        let key = self.string()?;
        self.expect(b':', "`:`")?;
        Ok(Some(key))
    }

    /// Whether the object at the position is `{"b64": "…"`, TensorFlow Serving's form of bytes.
    pub(super) fn is_base64(&self) -> bool {
        let mut ahead = self.clone();
        if ahead.peek() != Some(b'{') {
            return false;
        }
        ahead.bump();
        matches!(ahead.next_key(&mut true), Ok(Some(key)) if key == "b64")
            && ahead.peek() == Some(b'"')
    }

    /// The string at the position; borrowed from the body when it holds no escapes.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(FaultKind::Type.at(self.at));
        }
        let start = self.at + 1;
        let mut decoded: Option<String> = None;
        let mut from = start;
        loop {
            let rest = &self.bytes[from..];
            let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(FaultKind::Syntax("the end of a string").at(self.bytes.len()));
            };
            let text = plain_text(&rest[..length], from)?;
            let stop = from + length;
            if self.bytes[stop] == b'"' {
                self.at = stop + 1;
                return Ok(match decoded {
                    None => Cow::Borrowed(text),
                    Some(mut decoded) => {
                        decoded.push_str(text);
                        Cow::Owned(decoded)
                    }
                });
            }
            let decoded = decoded.get_or_insert_default();
            decoded.push_str(text);
            from = self.escape(stop, decoded)?;
        }
    }

    /// Decodes the escape at `at` (a backslash) and returns the byte after it.
    fn escape(&self, at: usize, decoded: &mut String) -> Result<usize, Fault> {
        let fault = FaultKind::Syntax("an escape sequence").at(at);
        decoded.push(match self.bytes.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = self.hex4(at + 2).ok_or(fault)?;
                if let Some(char) = char::from_u32(high) {
                    decoded.push(char);
                    return Ok(at + 6);
                }
                // A surrogate: only the pair of a high and a low one is a character.
                let pair = self.bytes.get(at + 6..at + 8) == Some(b"\\u");
                let low = if pair { self.hex4(at + 8) } else { None };
                let low = low.filter(|low| (0xdc00..0xe000).contains(low)).ok_or(fault)?;
                if high >= 0xdc00 {
                    return Err(fault);
                }
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                decoded.push(char::from_u32(code).ok_or(fault)?);
                return Ok(at + 12);
            }
            _ => return Err(fault),
        });
        Ok(at + 2)
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 4)?;
        digits.iter().try_fold(0, |code, &byte| Some(code * 16 + char::from(byte).to_digit(16)?))
    }

    /// Steps over `literal`, which ends where no letter or digit follows.
    pub(super) fn literal(&mut self, literal: &'static str) -> Result<(), Fault> {
        let end = self.at + literal.len();
        let whole = self.bytes.get(self.at..end) == Some(literal.as_bytes())
            && !self.bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        if !whole {
            return Err(FaultKind::Type.at(self.at));
        }
        self.at = end;
        Ok(())
    }

    /// Steps over one value of any type inside `depth` lists and objects.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        let next = self.peek();
        if matches!(next, Some(b'{' | b'[')) && depth >= NESTING_MAX {
            return Err(FaultKind::Depth.at(self.at));
        }
        match next {
            Some(b'{') => {
                self.at += 1;
                let mut first = true;
                while self.next_key(&mut first)?.is_some() {
                    self.skip(depth + 1)?;
                }
                Ok(())
            }
            Some(b'[') => {
                self.at += 1;
                let mut more = self.first_item();
                while more {
                    self.skip(depth + 1)?;
                    more = self.another_item()?;
                }
                Ok(())
            }
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.float().map(drop),
        }
        .map_err(|fault| match fault.kind {
            FaultKind::Type => FaultKind::Syntax("a value").at(fault.at),
            _ => fault,
        })
    }
}

/// The bytes of a string between quotes and escapes: UTF-8 without control characters.
fn plain_text(bytes: &[u8], at: usize) -> Result<&str, Fault> {
    // A fold without an early exit is one the compiler vectorises.
    if bytes.iter().fold(false, |found, byte| found | (*byte < b' ')) {
        let control = bytes.iter().position(|byte| *byte < b' ').unwrap_or_default();
        return Err(FaultKind::Syntax("no control character in a string").at(at + control));
    }
    std::str::from_utf8(bytes)
        .map_err(|error| FaultKind::Syntax("UTF-8 in a string").at(at + error.valid_up_to()))
}
