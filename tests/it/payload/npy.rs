//! npy: what numpy writes, in each version and byte order, and damaged files.

use super::*;

/// A file of this version with this dictionary.
fn file(version: u8, dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut body = b"\x93NUMPY".to_vec();
    body.extend([version, 0]);
    match version {
        1 => body.extend((dictionary.len() as u16).to_le_bytes()),
        _ => body.extend((dictionary.len() as u32).to_le_bytes()),
    }
    body.extend(dictionary.as_bytes());
    body.extend(data);
    body
}

fn parse_npy(body: &[u8], input: &str) -> Result<Request, Error> {
    let head = RequestHead { content_type: Some("application/x-npy"), ..RequestHead::default() };
    parse(Protocol::Auto, &head, body, &signature(&[input], &["y: float32[n]"]))
}

fn parsed(body: &[u8], input: &str) -> Tensor {
    parse_npy(body, input).unwrap().inputs.remove(0).1
}

#[test]
fn writes_what_numpy_writes() {
    // numpy.save of numpy.array([[1, 2, 3]], dtype="<f4"), numpy 2.4.6.
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
    let mut expected = b"\x93NUMPY\x01\0\x76\0".to_vec();
    expected.extend(format!("{header:<117}\n").as_bytes());
    assert_eq!(expected.len(), 128);
    expected.extend([1f32, 2., 3.].iter().flat_map(|value| value.to_le_bytes()));
    let model = ModelName { name: "m", version: "1" };
    let reply =
        render(&ReplyForm::Npy, model, &named(&[("y", floats(&[1, 3], &[1., 2., 3.]))])).unwrap();
    assert_eq!(reply.content_type, "application/x-npy");
    assert_eq!(reply.body, expected);
    for (shape, text) in [(vec![], "()"), (vec![2], "(2,)"), (vec![1, 2], "(1, 2)")] {
        let values = vec![true; shape.iter().product()];
        let outputs = named(&[("y", tensor(&shape, Data::Bool(values)))]);
        let body = render(&ReplyForm::Npy, model, &outputs).unwrap().body;
        let header = String::from_utf8_lossy(&body[10..128]).into_owned();
        assert!(header.starts_with("{'descr': '|b1', ") && header.contains(text), "{header}");
    }
}

#[test]
fn reads_each_version_byte_order_and_spelling() {
    let little = [1i16, -2].map(i16::to_le_bytes).concat();
    let big = [1i16, -2].map(i16::to_be_bytes).concat();
    let expected = tensor(&[1, 2], Data::Int16(vec![1, -2]));
    for (version, dictionary, data) in [
        (1, "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 2), }   \n", &little),
        (2, "{'descr': '>i2', 'fortran_order': False, 'shape': (1, 2)}", &big),
        (3, "{\"shape\":(1L,2L,),\"fortran_order\":False,\"descr\":\"<i2\"}", &little),
        (1, "{'descr': '<i2', 'fortran_order': True, 'shape': (1, 2), }", &little),
    ] {
        assert_eq!(parsed(&file(version, dictionary, data), "x: int16[n,2]"), expected);
    }
    let scalar = file(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (), }", &[7]);
    assert_eq!(parsed(&scalar, "x: uint8[]"), tensor(&[], Data::UInt8(vec![7])));
    let empty = file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", &[]);
    assert_eq!(parsed(&empty, "x: float64[n,3]"), tensor(&[0, 3], Data::Float64(vec![])));
}

#[test]
fn puts_fortran_order_into_c_order() {
    // numpy.asfortranarray(numpy.arange(24).reshape(2, 3, 4)): the first index is the fastest.
    let stored: Vec<u8> = (0..4u8)
        .flat_map(|k| (0..3).flat_map(move |j| (0..2).map(move |i| 12 * i + 4 * j + k)))
        .collect();
    let body = file(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", &stored);
    let expected = tensor(&[2, 3, 4], Data::UInt8((0..24).collect()));
    assert_eq!(parsed(&body, "x: uint8[2,3,4]"), expected);
    assert_eq!(
        refusal(parse_npy(&body, "x: uint8[4,3,2]")),
        "400 input `x`: expected uint8[4,3,2], got shape [2, 3, 4]"
    );
}

#[test]
fn refuses_damaged_and_foreign_files() {
    let dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }";
    let good = file(1, dictionary, &[0; 4]);
    assert!(parse_npy(&good, "x: float32[n,1]").is_ok());
    for cut in 0..good.len() {
        assert!(parse_npy(&good[..cut], "x: float32[n,1]").is_err(), "cut at {cut}");
    }
    let with = |descr: &str, shape: &str| {
        file(
            1,
            &format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"),
            &[0; 4],
        )
    };
    for (body, expected) in [
        (
            file(1, dictionary, &[0; 5]),
            "input `x`: 4 bytes of binary data expected for float32[1, 1], got 5",
        ),
        (
            with("'<f8'", "(1, 1)"),
            "input `x`: expected float32 (npy type `<f4`), got npy type `<f8`",
        ),
        (
            with("'=f4'", "(1, 1)"),
            "input `x`: expected float32 (npy type `<f4`), got npy type `=f4`",
        ),
        (with("'|O'", "(1, 1)"), "input `x`: expected float32 (npy type `<f4`), got npy type `|O`"),
        (with("''", "(1, 1)"), "input `x`: expected float32 (npy type `<f4`), got npy type ``"),
        (with("[('a', '<f4')]", "(1, 1)"), "npy: only plain types are taken, no structured ones"),
        (with("'<f4'", "(1,)"), "input `x`: expected float32[n,1], got shape [1]"),
        (with("'<f4'", "(1, -1)"), "npy: the shape is no tuple of numbers"),
        (with("'<f4'", "(99999999999999999999, 1)"), "npy: the shape is no tuple of numbers"),
        (
            with("'<f4'", "(4611686018427387904, 1)"),
            "input `x`: a dimension of shape [4611686018427387904, 1] is larger than the body",
        ),
        (
            with("'<f4'", &format!("({})", "1,".repeat(33))),
            "npy: the shape has more than 32 dimensions",
        ),
        (
            with("'<f4'", "__import__('os')"),
            "npy: the header is not a dictionary as numpy writes it",
        ),
        (
            file(1, "{'descr': '<f4'}", &[]),
            "npy: the header lacks `descr`, `fortran_order` or `shape`",
        ),
        (file(1, "{'other': '<f4'}", &[]), "npy: the header holds an unknown key"),
        (file(1, &format!("{dictionary} x"), &[]), "npy: text follows the header's dictionary"),
        (file(4, dictionary, &[]), "npy: the version is none of 1, 2 and 3"),
        (file(2, &" ".repeat(10_001), &[]), "npy: the header is longer than 10,000 bytes"),
    ] {
        assert_eq!(refusal(parse_npy(&body, "x: float32[n,1]")), format!("400 {expected}"));
    }
    assert_eq!(
        refusal(parse_npy(&good, "x: bfloat16[n,1]")),
        "400 input `x`: expected bfloat16, which npy cannot hold (send JSON), got npy type `<f4`"
    );
}

#[test]
fn one_input_and_one_output_is_what_npy_can_hold() {
    let body = file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", &[0; 4]);
    let parse = |inputs: &[&str], outputs: &[&str]| {
        refusal(parse(Protocol::Auto, &RequestHead::default(), &body, &signature(inputs, outputs)))
    };
    assert_eq!(
        parse(&["a: bool[n]", "b: bool[n]"], &["y: bool[n]"]),
        "400 an npy body holds one tensor, but this model takes `a` (bool[n]), `b` (bool[n]): send JSON"
    );
    assert_eq!(
        parse(&["a: float32[n]"], &["y: bool[n]", "z: bool[n]"]),
        "400 an npy reply holds one tensor, but this model gives `y` (bool[n]), `z` (bool[n]): \
         send JSON to get them all"
    );
    let model = ModelName { name: "m", version: "1" };
    let text = render(&ReplyForm::Npy, model, &named(&[("y", strings(&[1], &["a"]))]));
    assert_eq!(refusal(text), "400 output `y` is string, which npy cannot hold: send JSON");
}
