//! Histograms as text: HdrHistogram's V2 format, deflated, in base64.
//!
//! That is what HdrHistogram's own tools read and plot, so a reader is not bound to our percentiles.
//! A report read back (`--baseline`) is not trusted: sizes, counts and runs of zeros are held to
//! named limits before the decoder sees them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Deserializer as SerdeDeserializer, Serialize, Serializer};
use std::io::Read;

/// The largest encoded histogram that is read, bytes of base64.
pub const ENCODED_BYTES_MAX: usize = 1 << 20;

/// The largest inflated histogram that is read. Three digits up to a day in microseconds take
/// 27 thousand counts of at most 9 bytes.
pub const INFLATED_BYTES_MAX: usize = 1 << 20;

/// The most samples a histogram read back may hold: every one is exact as `f64`.
pub const SAMPLES_MAX: u64 = 1 << 53;

/// The largest value a histogram read back may reach, microseconds (12 days).
pub const VALUE_US_MAX: u64 = 1 << 40;

const COOKIE_DEFLATED: u32 = 0x1c84_9314;
const COOKIE_PLAIN: u32 = 0x1c84_9313;
/// Cookie and length of the deflated part.
const OUTER_HEADER_BYTES: usize = 8;
/// Cookie, payload length, offset, digits, lowest, highest, ratio.
const INNER_HEADER_BYTES: usize = 40;
const DIGITS_MAX: u32 = 3;

/// A histogram that is text in JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded(pub Histogram<u64>);

/// Why text is no histogram.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More than [`ENCODED_BYTES_MAX`] or [`INFLATED_BYTES_MAX`].
    #[error("histogram larger than a report's can be")]
    TooLarge,
    /// No base64.
    #[error("histogram is not base64")]
    Base64(#[source] base64::DecodeError),
    /// Not HdrHistogram's V2 deflate format, or damaged.
    #[error("histogram is not in HdrHistogram's V2 deflate format: {0}")]
    Format(&'static str),
}

/// The histogram as base64 of its deflated V2 form.
pub fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("writing to memory does not fail and three digits fit the format");
    STANDARD.encode(bytes)
}

/// Reads what [`encode`] writes.
///
/// # Errors
/// The text is too large, no base64, or no histogram within this module's limits.
pub fn decode(text: &str) -> Result<Histogram<u64>, Error> {
    if text.len() > ENCODED_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    let bytes = STANDARD.decode(text).map_err(Error::Base64)?;
    if bytes.len() < OUTER_HEADER_BYTES || u32_at(&bytes, 0) != COOKIE_DEFLATED {
        return Err(Error::Format("no such cookie"));
    }
    let mut inflated = Vec::new();
    ZlibDecoder::new(&bytes[OUTER_HEADER_BYTES..])
        .take(INFLATED_BYTES_MAX as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|_| Error::Format("the deflated part is damaged"))?;
    if inflated.len() > INFLATED_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    check(&inflated)?;
    Deserializer::new()
        .deserialize(&mut inflated.as_slice())
        .map_err(|_| Error::Format("the counts do not fit the header"))
}

/// Refuses what would make the decoder allocate without bound or overflow.
fn check(inflated: &[u8]) -> Result<(), Error> {
    if inflated.len() < INNER_HEADER_BYTES || u32_at(inflated, 0) != COOKIE_PLAIN {
        return Err(Error::Format("no such inner cookie"));
    }
    let payload = &inflated[INNER_HEADER_BYTES..];
    if u32_at(inflated, 4) as usize != payload.len() {
        return Err(Error::Format("the length is not that of the counts"));
    }
    if u32_at(inflated, 12) > DIGITS_MAX || u64_at(inflated, 24) > VALUE_US_MAX {
        return Err(Error::Format("more digits or higher values than a report's"));
    }
    let mut samples = 0_u64;
    let mut rest = payload;
    while !rest.is_empty() {
        let (number, length) = zig_zag(rest)?;
        rest = &rest[length..];
        // A negative number is a run of that many empty buckets.
        let size = number.unsigned_abs();
        let limit = if number < 0 { INFLATED_BYTES_MAX as u64 } else { SAMPLES_MAX };
        if size > limit {
            return Err(Error::Format("a count beyond the limit"));
        }
        samples += if number < 0 { 0 } else { size };
        if samples > SAMPLES_MAX {
            return Err(Error::Format("more samples than the limit"));
        }
    }
    Ok(())
}

/// A ZigZag LEB128 number of at most 9 bytes (the ninth is taken whole) and its length.
fn zig_zag(bytes: &[u8]) -> Result<(i64, usize), Error> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        let last = index == 8 || byte & 0x80 == 0;
        let bits = if index == 8 { u64::from(*byte) } else { u64::from(byte & 0x7f) };
        value |= bits << (7 * index);
        if last {
            // Shifted right, the value fits 63 bits.
            return Ok(((value >> 1) as i64 ^ -((value & 1) as i64), index + 1));
        }
    }
    Err(Error::Format("a number is cut short"))
}

/// Big-endian; the caller has checked the length.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// Big-endian; the caller has checked the length.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: SerdeDeserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::class::empty_histogram;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    /// A deflated V2 histogram of this header and payload.
    fn forged(digits: u32, highest: u64, payload: &[u8]) -> String {
        let mut plain = Vec::new();
        plain.extend(COOKIE_PLAIN.to_be_bytes());
        plain.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        plain.extend(0_u32.to_be_bytes());
        plain.extend(digits.to_be_bytes());
        plain.extend(1_u64.to_be_bytes());
        plain.extend(highest.to_be_bytes());
        plain.extend(1.0_f64.to_be_bytes());
        plain.extend(payload);
        let mut deflater = ZlibEncoder::new(Vec::new(), Compression::default());
        deflater.write_all(&plain).unwrap();
        let deflated = deflater.finish().unwrap();
        let mut bytes = COOKIE_DEFLATED.to_be_bytes().to_vec();
        bytes.extend(u32::try_from(deflated.len()).unwrap().to_be_bytes());
        bytes.extend(deflated);
        STANDARD.encode(bytes)
    }

    #[test]
    fn forged_histograms_are_refused_before_they_cost_anything() {
        let minus_2_to_63 = [0xff; 9];
        let largest = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let cases = [
            (forged(5, 1_000, &[2]), "more digits"),
            (forged(3, u64::MAX, &[2]), "higher values"),
            (forged(3, 1_000, &minus_2_to_63), "a count beyond"),
            (forged(3, 1_000, &largest), "a count beyond"),
            (forged(3, 1_000, &[0x80]), "cut short"),
            (forged(3, 1_000, &[2; 9_000]), "do not fit"),
            (forged(3, 1_000, &vec![0; INFLATED_BYTES_MAX]), "larger than"),
            ("A".repeat(ENCODED_BYTES_MAX + 4), "larger than"),
            ("not base64".to_owned(), "not base64"),
            (STANDARD.encode("HIST"), "no such cookie"),
            (STANDARD.encode(COOKIE_DEFLATED.to_be_bytes()), "no such cookie"),
        ];
        for (text, message) in cases {
            let error = decode(&text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let one = decode(&forged(3, 1_000, &[0, 4])).unwrap();
        assert_eq!((one.len(), one.max()), (2, 1));
    }

    proptest! {
        #[test]
        fn what_was_recorded_comes_back(
            samples in proptest::collection::vec((0_u64..100_000_000, 1_u64..1_000_000), 0..60),
        ) {
            let mut histogram = empty_histogram();
            for (us, count) in samples {
                histogram.record_n(us, count).unwrap();
            }
            prop_assert_eq!(decode(&encode(&histogram)).unwrap(), histogram);
        }

        #[test]
        fn any_payload_is_read_or_refused(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            digits in 0_u32..6,
            highest in any::<u64>(),
        ) {
            let _ = decode(&forged(digits, highest, &payload));
        }
    }
}
