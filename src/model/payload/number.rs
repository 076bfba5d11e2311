//! Numeric literals of a JSON body, and their rounding to a floating-point type.
//!
//! # Floating point
//! A literal is collected as at most 19 decimal digits `w` and a power of ten `e`. For the usual
//! `|e| <= 22` the result is one exact multiplication or division away:
//!
//! * `float64`: when `w <= 2^53`, both `w` and `10^|e|` are exact, so `w * 10^e` is rounded once
//!   (Clinger's fast path).
//! * `float32`: `r = w * 10^e` in `float64` is off by at most two units in its last place (one
//!   rounding of `w`, one of the product). Rounding `r` to `float32` is therefore right unless a
//!   midpoint between two `float32` values lies that close to `r`.
//!
//! Everything else goes to the standard library's parser, which is exact for any length.

use super::fault::{Fault, FaultKind};
use super::scan::Scanner;

/// Powers of ten that `float64` holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Decimal digits that always fit a `u64`.
const DIGITS_MAX: usize = 19;

/// Integers up to here are exact in `float64`.
const EXACT_MAX: u64 = 1 << 53;

/// The bits of a `float64` below the last place of a `float32`, and their midpoint.
const BELOW_F32_BITS: u64 = (1 << 29) - 1;
const MIDPOINT_BITS: u64 = 1 << 28;

/// The largest `r` that surely stays below `f32::MAX`.
const FAST_F32_MAX: f64 = 1e38;

/// A floating-point literal, before it is rounded to a type.
pub(super) enum Literal<'a> {
    /// `NaN`, `Infinity` or `-Infinity`, bare or as a string.
    Special(f64),
    /// A decimal number.
    Decimal(Decimal<'a>),
}

/// `digits * 10^exponent`, and the text that it was read from.
pub(super) struct Decimal<'a> {
    negative: bool,
    digits: u64,
    exponent: i64,
    /// Whether `digits` holds all of them.
    whole: bool,
    pub(super) text: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// The floating-point literal at the position.
    // Inlined with `decimal` into each type's loop: passing the parts through memory costs a third
    // of the time an element takes.
    #[inline(always)]
    pub(super) fn float(&mut self) -> Result<Literal<'a>, Fault> {
        match self.peek() {
            Some(b'0'..=b'9') => self.decimal(false).map(Literal::Decimal),
            Some(b'-') if self.bytes().get(self.at() + 1) != Some(&b'I') => {
                self.decimal(true).map(Literal::Decimal)
            }
            Some(b'-') => self.literal("-Infinity").map(|()| Literal::Special(f64::NEG_INFINITY)),
            Some(b'I') => self.literal("Infinity").map(|()| Literal::Special(f64::INFINITY)),
            Some(b'N') => self.literal("NaN").map(|()| Literal::Special(f64::NAN)),
            Some(b'"') => self.special_string().map(Literal::Special),
            Some(_) => Err(FaultKind::Type.at(self.at())),
            None => Err(FaultKind::Syntax("a value").at(self.at())),
        }
    }

    /// `"NaN"`, `"Infinity"` or `"-Infinity"`: what a request model lets pass, the bare tokens being
    /// no JSON. Out of line, so that numbers pay nothing for it.
    #[cold]
    fn special_string(&mut self) -> Result<f64, Fault> {
        let start = self.at();
        match self.string()?.as_ref() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(FaultKind::Type.at(start)),
        }
    }

    #[inline(always)]
    fn decimal(&mut self, negative: bool) -> Result<Decimal<'a>, Fault> {
        let bytes = self.bytes();
        let start = self.at();
        let mut at = start + usize::from(negative);
        let whole_start = at;
        let mut digits = 0u64;
        while let Some(digit) = digit(bytes, at) {
            digits = digits.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        let mut count = at - whole_start;
        if count == 0 {
            return Err(FaultKind::Syntax("a digit").at(at));
        }
        if count > 1 && bytes[whole_start] == b'0' {
            return Err(FaultKind::Syntax("a number without leading zeros").at(start));
        }
        let mut exponent = 0;
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let fraction_start = at;
            take_digits(bytes, &mut at, &mut digits);
            let fraction = at - fraction_start;
            if fraction == 0 {
                return Err(FaultKind::Syntax("a digit after `.`").at(at));
            }
            count += fraction;
            // A body is far shorter than 2^63 bytes.
            exponent = -(fraction as i64);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            exponent += take_exponent(bytes, &mut at)?;
        }
        self.set_at(at);
        let text = &bytes[start..at];
        let whole = count <= DIGITS_MAX || significant_digits(text) <= DIGITS_MAX;
        Ok(Decimal { negative, digits, exponent, whole, text })
    }

    /// The integer at the position: sign and magnitude.
    #[inline]
    pub(super) fn integer(&mut self) -> Result<(bool, u64), Fault> {
        let next = self.peek();
        let (bytes, start) = (self.bytes(), self.at());
        let negative = next == Some(b'-');
        let mut at = start + usize::from(negative);
        let first = at;
        let mut value = Some(0u64);
        while let Some(digit) = digit(bytes, at) {
            value = value.and_then(|value| value.checked_mul(10)?.checked_add(digit));
            at += 1;
        }
        if at == first {
            return Err(match next {
                None => FaultKind::Syntax("a value").at(start),
                Some(_) => FaultKind::Type.at(start),
            });
        }
        if at - first > 1 && bytes[first] == b'0' {
            return Err(FaultKind::Syntax("a number without leading zeros").at(start));
        }
        if matches!(bytes.get(at), Some(b'.' | b'e' | b'E')) {
            return Err(FaultKind::Type.at(start));
        }
        let value = value.ok_or(FaultKind::Range.at(start))?;
        self.set_at(at);
        Ok((negative, value))
    }
}

#[inline]
fn digit(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = bytes.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// Appends decimal digits to `value`, wrapping: whoever counts more than [`DIGITS_MAX`] of them
/// does not use it.
#[inline]
fn take_digits(bytes: &[u8], at: &mut usize, value: &mut u64) {
    while let Some(eight) = bytes.get(*at..*at + 8).and_then(eight_digits) {
        *value = value.wrapping_mul(100_000_000).wrapping_add(eight);
        *at += 8;
    }
    while let Some(digit) = digit(bytes, *at) {
        *value = value.wrapping_mul(10).wrapping_add(digit);
        *at += 1;
    }
}

/// The number that eight digits spell, all at once: neighbours are joined to pairs, pairs to
/// fours, fours to the whole, each step one multiplication over the word.
#[inline]
fn eight_digits(bytes: &[u8]) -> Option<u64> {
    let word = u64::from_le_bytes(bytes.try_into().ok()?);
    let high = word & 0xf0f0_f0f0_f0f0_f0f0;
    let carried = word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    if (high | carried >> 4) != 0x3333_3333_3333_3333 {
        return None;
    }
    let ones = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (ones.wrapping_mul(1 + (10 << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(1 + (100 << 16)) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(1 + (10_000 << 32)) >> 32)
}

/// The exponent at `at` (an `e`), saturated far outside of any type's range.
fn take_exponent(bytes: &[u8], at: &mut usize) -> Result<i64, Fault> {
    *at += 1;
    let negative = bytes.get(*at) == Some(&b'-');
    *at += usize::from(matches!(bytes.get(*at), Some(b'+' | b'-')));
    let start = *at;
    let mut value = 0i64;
    while let Some(digit) = digit(bytes, *at) {
        value = (value * 10 + digit as i64).min(i64::MAX / 100);
        *at += 1;
    }
    if *at == start {
        return Err(FaultKind::Syntax("a digit of an exponent").at(*at));
    }
    Ok(if negative { -value } else { value })
}

/// Digits of a literal without its leading zeros and without its exponent.
fn significant_digits(text: &[u8]) -> usize {
    text.iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .filter(|byte| byte.is_ascii_digit())
        .skip_while(|byte| **byte == b'0')
        .count()
}

impl Decimal<'_> {
    /// `digits * 10^exponent` rounded at most twice, when one operation gives it.
    #[inline]
    fn quick(&self) -> Option<f64> {
        if !self.whole {
            return None;
        }
        let power = *POWERS.get(usize::try_from(self.exponent.unsigned_abs()).ok()?)?;
        let digits = self.digits as f64;
        let magnitude = if self.exponent < 0 { digits / power } else { digits * power };
        Some(if self.negative { -magnitude } else { magnitude })
    }

    #[inline]
    pub(super) fn to_f64(&self) -> Option<f64> {
        if self.digits <= EXACT_MAX
            && let Some(value) = self.quick()
        {
            return Some(value);
        }
        self.parse::<f64>().filter(|value| value.is_finite())
    }

    #[inline]
    pub(super) fn to_f32(&self) -> Option<f32> {
        if let Some(value) = self.quick()
            && value.abs() < FAST_F32_MAX
            && (value.to_bits() & BELOW_F32_BITS).abs_diff(MIDPOINT_BITS) > 2
        {
            return Some(value as f32);
        }
        self.parse::<f32>().filter(|value| value.is_finite())
    }

    #[cold]
    fn parse<T: std::str::FromStr>(&self) -> Option<T> {
        std::str::from_utf8(self.text).ok()?.parse().ok()
    }
}
