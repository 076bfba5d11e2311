//! Seeded choice by counting: the n-th draw of a stream is a pure function of seed, stream and n.
//!
//! Workers split arrivals between them, so a shared generator would make a run depend on their
//! number; a counter does not. The mixing function is SplitMix64's (Steele, Lea, Flood: "Fast
//! Splittable Pseudorandom Number Generators", OOPSLA 2014), which stays the same on every
//! platform and with every version of a crate.

/// What a draw is for: equal seeds give unrelated streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Gaps between Poisson arrivals.
    Gap = 1,
    /// Which prepared request an arrival sends.
    Request = 2,
    /// Which key an arrival uses.
    Key = 3,
    /// Back-off jitter.
    Jitter = 4,
}

/// The `index`-th 64-bit draw of a stream.
pub(super) fn draw(seed: u64, stream: Stream, index: u64) -> u64 {
    mix(mix(seed ^ (stream as u64).wrapping_mul(0xA24B_AED4_963E_E407)).wrapping_add(index))
}

/// The `index`-th draw of a stream as a number in `(0, 1]`.
pub(super) fn unit(seed: u64, stream: Stream, index: u64) -> f64 {
    // 53 bits, the precision of f64; the +1 keeps 0 out, so that ln() is finite.
    ((draw(seed, stream, index) >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// SplitMix64: one step of the Weyl sequence and the finaliser.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_its_published_sequence() {
        // The first outputs for seed 1234567, from the reference implementation's test vectors.
        let weyl = 0x9E37_79B9_7F4A_7C15_u64;
        let outputs: Vec<u64> =
            (0..3).map(|n: u64| mix(1_234_567_u64.wrapping_add(weyl.wrapping_mul(n)))).collect();
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn units_are_in_range_even_and_unlike_between_streams() {
        let n = 100_000;
        let mut sum = 0.0;
        for index in 0..n {
            let u = unit(7, Stream::Gap, index);
            assert!(u > 0.0 && u <= 1.0);
            sum += u;
        }
        assert!((sum / n as f64 - 0.5).abs() < 0.005);
        assert_ne!(draw(7, Stream::Gap, 0), draw(7, Stream::Key, 0));
        assert_ne!(draw(7, Stream::Gap, 0), draw(8, Stream::Gap, 0));
    }
}
