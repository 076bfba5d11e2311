//! TensorFlow Serving's row and column forms: the documentation's examples, and each way to get
//! them wrong.

use super::*;
use Protocol::Tensorflow as Tf;

/// The documentation's model of three inputs.
fn three_inputs() -> Signature {
    signature(
        &["tag: string[batch]", "signal: int32[batch,5]", "sensor: float32[batch,2,2]"],
        &["y: float32[batch]"],
    )
}

fn three_tensors() -> Vec<(String, Tensor)> {
    named(&[
        ("tag", strings(&[2], &["foo", "bar"])),
        ("signal", tensor(&[2, 5], Data::Int32(vec![1, 2, 3, 4, 5, 3, 4, 1, 2, 5]))),
        ("sensor", floats(&[2, 2, 2], &[1., 2., 3., 4., 4., 5., 6., 8.])),
    ])
}

#[test]
fn takes_the_documentations_requests() {
    let cases: [(&str, &str, Tensor); 8] = [
        (
            "x: string[n]",
            r#"{"instances": [ "foo", "bar", "baz" ]}"#,
            strings(&[3], &["foo", "bar", "baz"]),
        ),
        (
            "x: int64[n,1,2]",
            r#"{"instances": [ [[1, 2]], [[3, 4]] ]}"#,
            tensor(&[2, 1, 2], Data::Int64(vec![1, 2, 3, 4])),
        ),
        ("x: float32[n]", r#"{"instances": [1.0,2.0,5.0]}"#, floats(&[3], &[1., 2., 5.])),
        (
            "x: float32[n]",
            r#"{"signature_name": "serving_default", "inputs": [3.0, 4.0]}"#,
            floats(&[2], &[3., 4.]),
        ),
        // json_tensor_test.cc: base64 as instances, in lists, and as a scalar column.
        (
            "x: string[n]",
            r#"{"instances": [ { "b64" : "aGVsbG8=" }, { "b64": "d29ybGQ=" } ]}"#,
            strings(&[2], &["hello", "world"]),
        ),
        (
            "x: string[n,1]",
            r#"{"instances": [ [{ "b64" : "aGVsbG8=" }], [{ "b64": "d29ybGQ" }] ]}"#,
            strings(&[2, 1], &["hello", "world"]),
        ),
        ("x: string[]", r#"{"inputs": { "b64" : "aGVsbG8=" }}"#, strings(&[], &["hello"])),
        (
            "x: float32[1,2,1]",
            r#"{"instances": [{"x": [[1],[2]]}]}"#,
            floats(&[1, 2, 1], &[1., 2.]),
        ),
    ];
    for (input, body, expected) in cases {
        let signature = signature(&[input], &["y: float32[n]"]);
        let request = parse_json(Tf, body, &signature).unwrap_or_else(|e| panic!("{body}: {e}"));
        assert_eq!(request.inputs, named(&[("x", expected)]), "{body}");
        assert_eq!(request.outputs, Vec::<String>::new());
        assert_eq!(parse_json(Protocol::Auto, body, &signature), Ok(request), "{body}");
    }
}

#[test]
fn takes_several_inputs_by_row_and_by_column_in_any_order_of_keys() {
    let rows = r#"{
      "instances": [
        {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
        {"sensor": [[4, 5], [6, 8]], "tag": "bar", "signal": [3, 4, 1, 2, 5]}
      ],
      "unknown": {"is": ["skipped", null, 1e5, true]},
      "signature_name": ""
    }"#;
    let columns = r#"{"inputs": {
        "tag": ["foo", "bar"],
        "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
        "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]]
    }}"#;
    for (body, reply) in [(rows, ReplyForm::TensorflowRow), (columns, ReplyForm::TensorflowColumn)]
    {
        let request = parse_json(Tf, body, &three_inputs()).unwrap();
        assert_eq!(request.inputs, three_tensors());
        assert_eq!(request.reply, reply);
    }
}

#[test]
fn takes_scalars_and_open_ranks_in_columns() {
    // The three inputs of a voice activity model.
    let signature = signature(
        &["input: float32[?,?]", "state: float32[2,?,3]", "sr: int64[]"],
        &["output: float32[?,1]"],
    );
    let body =
        r#"{"inputs": {"input": [[0.5, -0.5]], "state": [[[1,2,3]],[[4,5,6]]], "sr": 16000}}"#;
    let request = parse_json(Tf, body, &signature).unwrap();
    assert_eq!(request.inputs[2].1, tensor(&[], Data::Int64(vec![16_000])));
    let open = super::signature(&["x: float32[...]"], &[]);
    for (body, shape) in [("[[]]", vec![1, 0]), ("3", vec![]), ("[[[1]]]", vec![1, 1, 1])] {
        let request = parse_json(Tf, format!(r#"{{"inputs":{body}}}"#), &open).unwrap();
        assert_eq!(request.inputs[0].1.shape(), shape, "{body}");
    }
}

/// A model of one input.
fn one_input() -> Signature {
    signature(&["x: float32[batch,2]"], &["y: float32[batch]"])
}

#[test]
fn refuses_other_shapes() {
    let cases = [
        (r#"{"instances": []}"#, "`instances` is empty: give at least one instance"),
        (r#"{"instances": 5}"#, "`instances`: expected a list, got `5`"),
        (r#"{"instances": {"x": [1,2]}}"#, "`instances`: expected a list, got an object"),
        (
            r#"{"instances": [[1,2],[3]]}"#,
            "input `x` of instance 1 is ragged: a list of 1 where the first one has 2 at byte 21",
        ),
        (
            r#"{"instances": [[1,2],3]}"#,
            "input `x` of instance 1 is ragged: `3` stands where a list was expected at byte 21",
        ),
        (
            r#"{"instances": [[1,2],[3,[4]]]}"#,
            "input `x` of instance 1 is ragged: a list stands where an element was expected at byte 24",
        ),
        (
            r#"{"instances": [[[1],2]]}"#,
            "input `x` of instance 0 is ragged: `2` stands where a list was expected at byte 20",
        ),
        (
            r#"{"instances": [[1,2,3]]}"#,
            "input `x`: expected float32[batch,2], got shape [1, 3] (1 instance)",
        ),
        (
            r#"{"instances": [1, 2]}"#,
            "input `x`: expected float32[batch,2], got shape [2] (2 instances)",
        ),
        (
            r#"{"inputs": [[1,2],[3,4],[]]}"#,
            "input `x` is ragged: a list of 0 where the first one has 2 at byte 24",
        ),
        (r#"{"inputs": [[[1,2]]]}"#, "input `x`: expected float32[batch,2], got shape [1, 1, 2]"),
        (r#"{"inputs": []}"#, "input `x`: expected float32[batch,2], got shape [0]"),
    ];
    all_refused(Tf, &one_input(), &cases);
}

#[test]
fn refuses_other_values() {
    let cases = [
        (
            r#"{"instances": [["a",2]]}"#,
            "input `x` of instance 0: expected float32 (a number), got `\"a\"` at byte 16",
        ),
        (
            r#"{"instances": [[1,null]]}"#,
            "input `x` of instance 0: expected float32 (a number), got `null` at byte 18",
        ),
        (
            r#"{"instances": [{"b64": "AAAA"}]}"#,
            "input `x` of instance 0: expected float32 (a number), got an object at byte 15",
        ),
    ];
    all_refused(Tf, &one_input(), &cases);
}

#[test]
fn refuses_other_names_and_keys() {
    let cases = [
        (
            r#"{"instances": [{"y": [1,2]}]}"#,
            "`y` is not an input: this model takes `x` (float32[batch,2])",
        ),
        (
            r#"{"instances": [{"x": [1,2]}, {}]}"#,
            "input `x` of instance 1 is missing: expected float32[batch,2]",
        ),
        (r#"{"instances": [{"x": [1,2], "x": [1,2]}]}"#, "input `x` of instance 0 is given twice"),
        (
            r#"{"instances": [{"x": [1,2]}, [1,2]]}"#,
            "instance 1 is a value without names, but instance 0 is an object: name the inputs in all instances or in none",
        ),
        (
            r#"{"instances": [[1,2], {"x": [1,2]}]}"#,
            "instance 1 is an object, but instance 0 is a value without names: name the inputs in all instances or in none",
        ),
        (
            r#"{"inputs": {"x": [[1,2]], "z": 1}}"#,
            "`z` is not an input: this model takes `x` (float32[batch,2])",
        ),
        (r#"{"inputs": {}}"#, "input `x` is missing: expected float32[batch,2]"),
        (r#"{"inputs": {"x": [[1,2]], "x": [[1,2]]}}"#, "input `x` is given twice"),
        (
            r#"{"instances": [[1,2]], "inputs": [[1,2]]}"#,
            "the body has both `instances` and `inputs`: give one of them",
        ),
        (r#"{"inputs": [[1,2]], "inputs": [[1,2]]}"#, "key `inputs` appears twice"),
        (
            r#"{"signature_name": "other", "instances": [[1,2]]}"#,
            "signature `other` is not served: the only one is `serving_default`",
        ),
        (
            r#"{"instances": [[1,2]], "signature_name": 5}"#,
            "`signature_name`: expected a string, got `5`",
        ),
    ];
    all_refused(Tf, &one_input(), &cases);
}

#[test]
fn refuses_what_is_not_json() {
    let cases = [
        (r#"{"example": [[1,2]]}"#, "the body has neither `instances` nor `inputs`"),
        ("", "the body is empty: expected a JSON object"),
        (" \n", "the body is empty: expected a JSON object"),
        ("[[1,2]]", "the body is not JSON: expected an object at byte 0"),
        (r#"{"instances": [[1,2]]"#, "the body is not JSON: expected `,` or `}` at byte 21"),
        (
            r#"{"instances": [[1,2]]} x"#,
            "the body is not JSON: expected the end of the body at byte 23",
        ),
        (
            r#"{"instances": [[1,2,]]}"#,
            "input `x` of instance 0: expected float32 (a number), got `]` at byte 20",
        ),
        (r#"{"instances": [[1 2]]}"#, "the body is not JSON: expected `,` or `]` at byte 18"),
        (
            r#"{"instances": [[01,2]]}"#,
            "the body is not JSON: expected a number without leading zeros at byte 16",
        ),
        (
            r#"{"instances": [[1.,2]]}"#,
            "the body is not JSON: expected a digit after `.` at byte 18",
        ),
        (
            r#"{"instances": [[1e,2]]}"#,
            "the body is not JSON: expected a digit of an exponent at byte 18",
        ),
        (r#"{"instances": [[-,2]]}"#, "the body is not JSON: expected a digit at byte 17"),
        (r#"{"instances": [[1,2"#, "the body is not JSON: expected `,` or `]` at byte 19"),
        (r#"{"instances": [[1,"#, "the body is not JSON: expected a value at byte 18"),
        (r#"{instances: [[1,2]]}"#, "the body is not JSON: expected a key in quotes at byte 1"),
    ];
    all_refused(Tf, &one_input(), &cases);
}

#[test]
fn refuses_rows_that_the_signature_cannot_have() {
    let cases = [
        (
            vec!["sr: int64[]"],
            r#"{"instances": [1]}"#,
            "input `sr` is a scalar, which `instances` cannot hold: send the column form, `inputs`",
        ),
        (
            vec!["x: float32[1,2]"],
            r#"{"instances": [[1,2],[3,4]]}"#,
            "input `x`: expected float32[1,2], got shape [2, 2] (2 instances)",
        ),
        (
            vec!["a: bool[n]", "b: bool[n]"],
            r#"{"instances": [true]}"#,
            "a value without a name stands for a model's only input, but this model takes `a` (bool[n]), `b` (bool[n]): make each instance an object with a key for each",
        ),
        (
            vec!["a: bool[n]", "b: bool[n]"],
            r#"{"inputs": [true]}"#,
            "a value without a name stands for a model's only input, but this model takes `a` (bool[n]), `b` (bool[n]): make `inputs` an object with a key for each",
        ),
        (
            vec![],
            r#"{"inputs": [true]}"#,
            "a value without a name stands for a model's only input, but this model takes no inputs: make `inputs` an object with a key for each",
        ),
        (
            vec!["a: bool[n]", "b: bool[n]"],
            r#"{"instances": [{"b": true}]}"#,
            "input `a` of instance 0 is missing: expected bool[n]",
        ),
    ];
    for (inputs, body, expected) in cases {
        let signature = signature(&inputs, &[]);
        assert_eq!(refusal(parse_json(Tf, body, &signature)), format!("400 {expected}"));
    }
    let none = signature(&[], &["y: float32[1]"]);
    assert_eq!(parse_json(Tf, r#"{"inputs": {}}"#, &none).unwrap().inputs, vec![]);
}

#[test]
fn takes_strings_as_json_and_base64_have_them() {
    let x = signature(&["x: string[n]"], &[]);
    for (json, expected) in [
        (r#""\u00e9\n\"\\\/\b\f\r\t""#, "\u{e9}\n\"\\/\u{8}\u{c}\r\t"),
        (r#""\ud83d\ude00 and \uFFFD""#, "\u{1f600} and \u{fffd}"),
        ("\"gr\u{fc}n\u{1f600}\"", "gr\u{fc}n\u{1f600}"),
        (r#""""#, ""),
        (r#"{"b64": "w6k="}"#, "\u{e9}"),
        (r#"{"b64": ""}"#, ""),
    ] {
        let request = parse_json(Tf, format!(r#"{{"instances":[{json}]}}"#), &x).unwrap();
        assert_eq!(request.inputs[0].1, strings(&[1], &[expected]), "{json}");
    }
    for (json, expected) in [
        (
            r#"{"b64": "/w=="}"#,
            "input `x` of instance 0: the bytes of `b64` are not UTF-8, and strings are UTF-8 here at byte 14",
        ),
        (r#"{"b64": "a"}"#, "input `x` of instance 0: `b64` does not hold base64 at byte 14"),
        (
            r#"{"b64": "YQ==", "c": 1}"#,
            "the body is not JSON: expected `}` after the base64 text at byte 28",
        ),
        (r#""\ud83d""#, "the body is not JSON: expected an escape sequence at byte 15"),
        (r#""\ude00\ud83d""#, "the body is not JSON: expected an escape sequence at byte 15"),
        (r#""\x41""#, "the body is not JSON: expected an escape sequence at byte 15"),
        (r#""\u12"#, "the body is not JSON: expected an escape sequence at byte 15"),
        ("\"a\nb\"", "the body is not JSON: expected no control character in a string at byte 16"),
        (
            "1",
            "input `x` of instance 0: expected string (in quotes, or as {\"b64\": …}), got `1` at byte 14",
        ),
        (r#"{"b64": 1}"#, "`b64` is not an input: this model takes `x` (string[n])"),
    ] {
        let result = parse_json(Tf, format!(r#"{{"instances":[{json}]}}"#), &x);
        assert_eq!(refusal(result), format!("400 {expected}"), "{json}");
    }
    let result = parse_json(Tf, b"{\"instances\":[\"a\xff\"]}", &x);
    assert_eq!(refusal(result), "400 the body is not JSON: expected UTF-8 in a string at byte 16");
}

#[test]
fn replies_with_rows() {
    let row = ReplyForm::TensorflowRow;
    let ints = |shape: &[usize], values: &[i64]| tensor(shape, Data::Int64(values.to_vec()));
    for (outputs, expected) in [
        // The documentation's half_plus_three and half_plus_two.
        (vec![("y", floats(&[3], &[3.5, 4.0, 5.5]))], r#"{"predictions":[3.5,4.0,5.5]}"#),
        (
            vec![("y", floats(&[2, 2], &[2.5, 3.0, 3.5, 4.0]))],
            r#"{"predictions":[[2.5,3.0],[3.5,4.0]]}"#,
        ),
        (
            vec![
                ("label", ints(&[2], &[0, -7])),
                ("p", floats(&[2, 1, 2], &[0.1, 0.9, 1e-7, 9e6])),
            ],
            r#"{"predictions":[{"label":0,"p":[[0.1,0.9]]},{"label":-7,"p":[[1e-7,9000000.0]]}]}"#,
        ),
        (vec![("x_bytes", strings(&[1], &["hello"]))], r#"{"predictions":[{"b64":"aGVsbG8="}]}"#),
        (vec![("x", strings(&[1], &["h\u{e9}\"\n"]))], "{\"predictions\":[\"h\u{e9}\\\"\\n\"]}"),
        (vec![("y", floats(&[1, 0, 2], &[]))], r#"{"predictions":[[]]}"#),
        (
            vec![("y", floats(&[4], &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]))],
            r#"{"predictions":[NaN,Infinity,-Infinity,-0.0]}"#,
        ),
    ] {
        assert_eq!(reply_text(&row, &outputs), expected);
    }
    let model = ModelName { name: "m", version: "1" };
    for (outputs, expected) in [
        (
            vec![("y", floats(&[], &[1.]))],
            "output `y` of shape [] cannot be cut into rows: send the column form, `inputs`",
        ),
        (
            vec![("y", floats(&[0], &[]))],
            "output `y` of shape [0] cannot be cut into rows: send the column form, `inputs`",
        ),
        (
            vec![("y", floats(&[1], &[1.])), ("z", floats(&[2, 1], &[1., 2.]))],
            "output `z` of shape [2, 1] cannot be cut into 1 rows like the outputs before it: send the column form, `inputs`",
        ),
    ] {
        assert_eq!(refusal(render(&row, model, &named(&outputs))), format!("400 {expected}"));
    }
}

#[test]
fn replies_with_columns() {
    let column = ReplyForm::TensorflowColumn;
    for (outputs, expected) in [
        (vec![("y", floats(&[2], &[3.5, 4.0]))], r#"{"outputs":[3.5,4.0]}"#),
        (vec![("y", floats(&[], &[3.5]))], r#"{"outputs":3.5}"#),
        (vec![("y", floats(&[0, 3], &[]))], r#"{"outputs":[]}"#),
        (vec![("y", floats(&[2, 0], &[]))], r#"{"outputs":[[],[]]}"#),
        (
            vec![
                ("a", tensor(&[1, 2], Data::Bool(vec![true, false]))),
                ("b_bytes", strings(&[1, 1], &["\u{e9}"])),
            ],
            r#"{"outputs":{"a":[[true,false]],"b_bytes":[[{"b64":"w6k="}]]}}"#,
        ),
    ] {
        assert_eq!(reply_text(&column, &outputs), expected);
    }
}
