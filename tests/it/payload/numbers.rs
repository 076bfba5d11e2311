//! Numbers at the edges of each type, and literals against the standard library's parser.

use super::*;
use gwtf::spec::request_model::NON_FINITE;
use proptest::prelude::*;

/// The only element of `{"inputs": LITERAL}` for a scalar of this type.
fn scalar(dtype: &str, literal: &str) -> Result<Data, Error> {
    let signature = signature(&[&format!("x: {dtype}[]")], &[]);
    let body = format!(r#"{{"inputs":{literal}}}"#);
    let request = parse_json(Protocol::Tensorflow, body, &signature)?;
    Ok(request.inputs[0].1.clone().into_parts().1)
}

#[test]
fn integers_have_their_types_range() {
    for (dtype, least, most) in [
        ("int8", "-128", "127"),
        ("int16", "-32768", "32767"),
        ("int32", "-2147483648", "2147483647"),
        ("int64", "-9223372036854775808", "9223372036854775807"),
        ("uint8", "0", "255"),
        ("uint16", "0", "65535"),
        ("uint32", "0", "4294967295"),
        ("uint64", "0", "18446744073709551615"),
    ] {
        for edge in [least, most] {
            let data = scalar(dtype, edge).unwrap();
            let form = ReplyForm::TensorflowColumn;
            let reply = reply_text(&form, &[("y", tensor(&[], data))]);
            assert_eq!(reply, format!(r#"{{"outputs":{edge}}}"#), "{dtype}");
        }
        let (below, above) =
            (least.parse::<i128>().unwrap() - 1, most.parse::<i128>().unwrap() + 1);
        let far = "9".repeat(30);
        for outside in [below.to_string(), above.to_string(), far.clone(), format!("-{far}")] {
            let refused = refusal(scalar(dtype, &outside));
            assert_eq!(
                refused,
                format!("400 input `x`: `{outside}` is out of range for {dtype}, at byte 10")
            );
        }
        assert!(scalar(dtype, "-0").is_ok(), "{dtype}");
        for other in ["1.0", "1.5", "1e2", "0.0", "NaN", "\"1\"", "true", "null"] {
            assert_eq!(
                refusal(scalar(dtype, other)),
                format!(
                    "400 input `x`: expected {dtype} (a number without fraction or exponent), \
                     got `{other}` at byte 10"
                )
            );
        }
    }
}

#[test]
fn floats_have_their_types_range() {
    for (dtype, most, above) in [
        ("float16", "65504", "65520"),
        ("bfloat16", "3.3895314e38", "3.4e38"),
        ("float32", "3.4028235e38", "3.4028236e38"),
        ("float64", "1.7976931348623157e308", "1.7976931348623159e308"),
    ] {
        for sign in ["", "-"] {
            assert!(scalar(dtype, &format!("{sign}{most}")).is_ok(), "{dtype} {sign}{most}");
            for outside in [above, "1e400", "1e99999999999999999999"] {
                let literal = format!("{sign}{outside}");
                assert_eq!(
                    refusal(scalar(dtype, &literal)),
                    format!("400 input `x`: `{literal}` is out of range for {dtype}, at byte 10")
                );
            }
            assert_eq!(scalar(dtype, &format!("{sign}1e-400")), scalar(dtype, "0"), "{dtype}");
        }
        for token in ["NaN", "Infinity", "-Infinity"] {
            // Bare, and as the string that a request model lets pass.
            for literal in [token.to_owned(), format!("\"{token}\"")] {
                let data = scalar(dtype, &literal).unwrap();
                let reply = reply_text(&ReplyForm::TensorflowColumn, &[("y", tensor(&[], data))]);
                assert_eq!(reply, format!(r#"{{"outputs":{token}}}"#), "{dtype}");
            }
        }
        for other in
            ["nan", "NaNs", "Inf", "-NaN", "+1", ".5", "--1", "0x10", "\"nan\"", "\"1\"", "true"]
        {
            assert!(scalar(dtype, other).is_err(), "{dtype} {other}");
        }
    }
}

/// What [`NON_FINITE`] lets through the gateway is read in every JSON format.
#[test]
fn strings_stand_for_what_is_not_finite_in_every_format() {
    let signature = signature(&["x: float32[batch,3]"], &[]);
    let data = NON_FINITE.map(|text| format!("\"{text}\"")).join(",");
    let oip = |shape: &str, data: &str| {
        format!(r#"{{"inputs":[{{"name":"x","datatype":"FP32","shape":{shape},"data":{data}}}]}}"#)
    };
    for body in [
        format!(r#"{{"instances":[[{data}]]}}"#),
        format!(r#"{{"instances":[{{"x":[{data}]}}]}}"#),
        format!(r#"{{"inputs":[[{data}]]}}"#),
        format!(r#"{{"inputs":{{"x":[[{data}]]}}}}"#),
        oip("[1,3]", &format!("[{data}]")),
        oip("[1,3]", &format!("[[{data}]]")),
    ] {
        let request = parse_json(Protocol::Auto, body.as_str(), &signature).unwrap();
        let Data::Float32(values) = request.inputs[0].1.clone().into_parts().1 else {
            panic!("{body}")
        };
        assert!(values[0].is_nan(), "{body}");
        assert_eq!(values[1..], [f32::INFINITY, f32::NEG_INFINITY], "{body}");
    }
    assert_eq!(
        refusal(scalar("float32", "\"inf\"")),
        "400 input `x`: expected float32 (a number), got `\"inf\"` at byte 10"
    );
}

/// Bits of what the parser reads as float32 and float64.
fn read_bits(literal: &str) -> (Option<u32>, Option<u64>) {
    let single = match scalar("float32", literal) {
        Ok(Data::Float32(values)) => Some(values[0].to_bits()),
        _ => None,
    };
    let double = match scalar("float64", literal) {
        Ok(Data::Float64(values)) => Some(values[0].to_bits()),
        _ => None,
    };
    (single, double)
}

/// Bits of what the standard library reads.
fn expected_bits(literal: &str) -> (Option<u32>, Option<u64>) {
    let single = literal.parse::<f32>().unwrap();
    let double = literal.parse::<f64>().unwrap();
    (single.is_finite().then_some(single.to_bits()), double.is_finite().then_some(double.to_bits()))
}

#[test]
fn hard_literals_are_rounded_as_the_standard_library_rounds_them() {
    for literal in [
        // Midpoints between two float32 values, exact and a hair off to each side.
        "16777217",
        "16777216.999999999",
        "16777217.000000001",
        "1.00000017881393432617187499",
        "1.00000017881393432617187500",
        "1.00000017881393432617187501",
        "0.000000059604644775390625",
        "7.038531e-26",
        "8589973000",
        // Edges of the normal and subnormal ranges.
        "1.1754942e-38",
        "1.17549435e-38",
        "1.4e-45",
        "7.006492321624085e-46",
        "2.2250738585072011e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        // More digits than 64 bits hold, and where the exact range ends.
        "9007199254740993",
        "9007199254740992.5",
        "18446744073709551616",
        "123456789012345678901234567890",
        "0.00012345678901234567",
        "0.000000000000000000000000000012345678901234567890",
        "1e22",
        "1e23",
        "9999999999999999999e22",
        "9999999999999999999e-22",
        "0e400",
        "-0.0",
        "0.1e-0",
        "1E+2",
    ] {
        assert_eq!(read_bits(literal), expected_bits(literal), "{literal}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn literals_are_rounded_as_the_standard_library_rounds_them(
        literal in r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?"
    ) {
        prop_assert_eq!(read_bits(&literal), expected_bits(&literal));
    }

    #[test]
    fn literals_beside_float32_midpoints_are_rounded_right(bits in 0u32..0x7f7f_ffff, off in -3i64..=3) {
        // The float64 halfway between two neighbours, printed exactly, and its own neighbours.
        let (low, high) = (f32::from_bits(bits), f32::from_bits(bits + 1));
        let midpoint = (f64::from(low) + f64::from(high)) / 2.0;
        let near = f64::from_bits(midpoint.to_bits().saturating_add_signed(off));
        for literal in [format!("{near:e}"), format!("{near:?}"), format!("{near:.60}")] {
            prop_assert_eq!(read_bits(&literal), expected_bits(&literal), "{}", literal);
        }
    }
}
