//! One JSON value as an element of each type.

use super::STRING_BYTES_MAX;
use super::fault::{Fault, FaultKind};
use super::number::{Decimal, Literal};
use super::scan::Scanner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use half::{bf16, f16};

/// A type that a JSON value can be read into.
pub(super) trait Element: Sized {
    /// Reads one value; white space before it is stepped over.
    fn read(scan: &mut Scanner<'_>) -> Result<Self, Fault>;
}

impl Element for f32 {
    #[inline]
    fn read(scan: &mut Scanner<'_>) -> Result<Self, Fault> {
        match scan.float()? {
            Literal::Special(value) => Ok(value as Self),
            Literal::Decimal(decimal) => {
                decimal.to_f32().ok_or_else(|| out_of_range(scan, &decimal))
            }
        }
    }
}

impl Element for f64 {
    #[inline]
    fn read(scan: &mut Scanner<'_>) -> Result<Self, Fault> {
        match scan.float()? {
            Literal::Special(value) => Ok(value),
            Literal::Decimal(decimal) => {
                decimal.to_f64().ok_or_else(|| out_of_range(scan, &decimal))
            }
        }
    }
}

#[cold]
fn out_of_range(scan: &Scanner<'_>, decimal: &Decimal<'_>) -> Fault {
    FaultKind::Range.at(scan.at() - decimal.text.len())
}

/// The 16-bit types are rounded from `float64`; a finite literal that becomes infinite is out of
/// range.
macro_rules! small_float {
    ($($type:ty),*) => {$(
        impl Element for $type {
            fn read(scan: &mut Scanner<'_>) -> Result<Self, Fault> {
                scan.peek();
                let at = scan.at();
                let wide = f64::read(scan)?;
                let value = Self::from_f64(wide);
                if wide.is_finite() && !value.is_finite() {
                    return Err(FaultKind::Range.at(at));
                }
                Ok(value)
            }
        }
    )*};
}
small_float!(f16, bf16);

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Element for $type {
            #[inline]
            fn read(scan: &mut Scanner<'_>) -> Result<Self, Fault> {
                scan.peek();
                let at = scan.at();
                let (negative, magnitude) = scan.integer()?;
                let value = i128::from(magnitude);
                Self::try_from(if negative { -value } else { value })
                    .map_err(|_| FaultKind::Range.at(at))
            }
        }
    )*};
}
integer!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

impl Element for bool {
    fn read(scan: &mut Scanner<'_>) -> Result<Self, Fault> {
        match scan.peek() {
            Some(b't') => scan.literal("true").map(|()| true),
            Some(b'f') => scan.literal("false").map(|()| false),
            Some(_) => Err(FaultKind::Type.at(scan.at())),
            None => Err(FaultKind::Syntax("a value").at(scan.at())),
        }
    }
}

impl Element for String {
    fn read(scan: &mut Scanner<'_>) -> Result<Self, Fault> {
        let next = scan.peek();
        let at = scan.at();
        let text = match next {
            Some(b'"') => scan.string()?.into_owned(),
            Some(b'{') if scan.is_base64() => {
                scan.bump();
                let mut first = true;
                scan.next_key(&mut first)?;
                let bytes = STANDARD_PAD_INDIFFERENT
                    .decode(scan.string()?.as_bytes())
                    .map_err(|_| FaultKind::Base64.at(at))?;
                scan.expect(b'}', "`}` after the base64 text")?;
                Self::from_utf8(bytes).map_err(|_| FaultKind::Utf8.at(at))?
            }
            Some(_) => return Err(FaultKind::Type.at(at)),
            None => return Err(FaultKind::Syntax("a value").at(at)),
        };
        if text.len() > STRING_BYTES_MAX {
            return Err(FaultKind::StringLength.at(at));
        }
        Ok(text)
    }
}
