//! The Open Inference Protocol: the specification's and Triton's examples, and each way to get
//! them wrong.

use super::*;
use Protocol::OpenInference as Open;

/// The model of the specification's example.
fn mymodel() -> Signature {
    signature(
        &["input0: uint32[n,2]", "input1: bool[?]"],
        &["output0: float32[n,2]", "output1: string[n]", "output2: float16[n]"],
    )
}

fn inputs() -> Vec<(String, Tensor)> {
    named(&[
        ("input0", tensor(&[2, 2], Data::UInt32(vec![1, 2, 3, 4]))),
        ("input1", tensor(&[3], Data::Bool(vec![true, false, true]))),
    ])
}

fn outputs() -> Vec<(&'static str, Tensor)> {
    vec![
        ("output0", floats(&[3, 2], &[1.0, 1.1, 2.0, 2.1, 3.0, 3.1])),
        ("output1", strings(&[2], &["a", "b\u{e9}"])),
    ]
}

/// The specification's request, with the data that its shape of `input1` asks for.
const REQUEST: &str = r#"{
  "id" : "42",
  "inputs" : [
    { "name" : "input0", "shape" : [ 2, 2 ], "datatype" : "UINT32", "data" : [ 1, 2, 3, 4 ] },
    { "name" : "input1", "shape" : [ 3 ], "datatype" : "BOOL", "data" : [ true, false, true ] }
  ],
  "outputs" : [ { "name" : "output0" } ]
}"#;

#[test]
fn takes_and_answers_the_specifications_request() {
    let request = parse_json(Open, REQUEST, &mymodel()).unwrap();
    assert_eq!(request.inputs, inputs());
    assert_eq!(request.outputs, ["output0"]);
    assert_eq!(
        reply_text(&request.reply, &outputs()),
        r#"{"model_name":"mymodel","id":"42","outputs":[{"name":"output0","shape":[3,2],"datatype":"FP32","data":[1.0,1.1,2.0,2.1,3.0,3.1]}]}"#
    );
}

#[test]
fn takes_nested_data_and_any_order_of_keys() {
    let body = r#"{
      "outputs": [{"parameters": {"binary_data": false, "other": [1]}, "name": "output1"}],
      "inputs": [
        {"data": [true, false, true], "datatype": "BOOL", "shape": [3], "extra": {}, "name": "input1"},
        {"datatype": "UINT32", "data": [[1, 2], [3, 4]], "parameters": {}, "name": "input0", "shape": [2, 2]}
      ],
      "parameters": {"sequence_id": 0, "binary_data_output": true},
      "model_name": "mymodel", "id": "\u00e9"
    }"#;
    let request = parse_json(Protocol::Auto, body, &mymodel()).unwrap();
    let mut expected = inputs();
    expected.reverse();
    assert_eq!(request.inputs, expected);
    let model = ModelName { name: "mymodel", version: "v3" };
    let reply = render(&request.reply, model, &named(&outputs())).unwrap();
    assert_eq!(
        String::from_utf8(reply.body).unwrap(),
        "{\"model_name\":\"mymodel\",\"model_version\":\"v3\",\"id\":\"\u{e9}\",\"outputs\":[\
         {\"name\":\"output1\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"a\",\"b\u{e9}\"]}]}"
    );
}

/// A request of `json` and the bytes after it.
fn parse_binary(json: &str, binary: &[u8], signature: &Signature) -> Result<Request, Error> {
    let length = json.len().to_string();
    let head = RequestHead {
        content_type: Some("application/octet-stream"),
        inference_header_content_length: Some(&length),
    };
    let body = [json.as_bytes(), binary].concat();
    let request = parse(Open, &head, &body, signature);
    assert_eq!(parse(Protocol::Auto, &head, &body, signature), request);
    request
}

/// The request of Triton's binary extension.
const BINARY: &str = r#"{
  "model_name" : "mymodel",
  "inputs" : [
    { "name" : "input0", "shape" : [ 2, 2 ], "datatype" : "UINT32", "parameters" : { "binary_data_size" : 16 } },
    { "name" : "input1", "shape" : [ 3 ], "datatype" : "BOOL", "parameters" : { "binary_data_size" : 3 } }
  ],
  "outputs" : [ { "name" : "output0", "parameters" : { "binary_data" : true } } ]
}"#;

#[test]
fn takes_and_answers_tritons_binary_request() {
    let binary = b"\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x01\0\x01";
    let request = parse_binary(BINARY, binary, &mymodel()).unwrap();
    assert_eq!(request.inputs, inputs());
    let model = ModelName { name: "mymodel", version: "" };
    let reply = render(&request.reply, model, &named(&outputs())).unwrap();
    let json = r#"{"model_name":"mymodel","outputs":[{"name":"output0","shape":[3,2],"datatype":"FP32","parameters":{"binary_data_size":24}}]}"#;
    assert_eq!(reply.content_type, "application/octet-stream");
    assert_eq!(reply.inference_header_content_length, Some(json.len()));
    assert_eq!(&reply.body[..json.len()], json.as_bytes());
    let values: Vec<u8> =
        [1.0f32, 1.1, 2.0, 2.1, 3.0, 3.1].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(&reply.body[json.len()..], values);
}

#[test]
fn mixes_json_and_binary_in_both_directions() {
    let signature = signature(
        &["a: string[n]", "b: int8[n]", "c: bfloat16[]"],
        &["y: string[n]", "z: int16[n]"],
    );
    let json = r#"{"parameters":{"binary_data_output":true},"inputs":[
      {"name":"c","datatype":"BF16","shape":[],"parameters":{"binary_data_size":2}},
      {"name":"b","datatype":"INT8","shape":[2],"data":[-1,1]},
      {"name":"a","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":11}}],
      "outputs":[{"name":"z","parameters":{"binary_data":false}},{"name":"y"}]}"#;
    let request = parse_binary(json, b"\x80\x3f\x03\0\0\0foo\0\0\0\0", &signature).unwrap();
    assert_eq!(request.inputs[0].1, tensor(&[], Data::BFloat16(vec![half::bf16::ONE])));
    assert_eq!(request.inputs[2].1, strings(&[2], &["foo", ""]));
    let outputs =
        named(&[("y", strings(&[1], &["bar"])), ("z", tensor(&[1], Data::Int16(vec![-2])))]);
    let reply = render(&request.reply, ModelName { name: "m", version: "" }, &outputs).unwrap();
    let header = reply.inference_header_content_length.unwrap();
    assert_eq!(
        str::from_utf8(&reply.body[..header]).unwrap(),
        r#"{"model_name":"m","outputs":[{"name":"z","shape":[1],"datatype":"INT16","data":[-2]},{"name":"y","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}]}"#
    );
    assert_eq!(&reply.body[header..], b"\x03\0\0\0bar");
}

#[test]
fn takes_the_16_bit_floats_as_numbers_too() {
    let signature = signature(&["x: float16[n]"], &["y: float16[n]"]);
    let body = r#"{"inputs":[{"name":"x","datatype":"FP16","shape":[2],"data":[0.1,65504]}]}"#;
    let request = parse_json(Open, body, &signature).unwrap();
    let (_, x) = &request.inputs[0];
    assert_eq!(x.data(), &Data::Float16(vec![half::f16::from_f32(0.1), half::f16::MAX]));
    let reply = reply_text(&request.reply, &[("y", x.clone())]);
    assert!(reply.contains(r#""datatype":"FP16","data":[0.099975586,65504.0]"#), "{reply}");
}

#[test]
fn takes_a_raw_binary_body_when_its_size_gives_the_shape() {
    let head = RequestHead { inference_header_content_length: Some("0"), content_type: None };
    let bytes: Vec<u8> = [1f32, 2., 3., 4.].iter().flat_map(|value| value.to_le_bytes()).collect();
    let parse = |input: &str, bytes: &[u8]| parse(Open, &head, bytes, &signature(&[input], &[]));
    let request = parse("x: float32[n,2]", &bytes).unwrap();
    assert_eq!(request.inputs, named(&[("x", floats(&[2, 2], &[1., 2., 3., 4.]))]));
    assert_eq!(request.reply, ReplyForm::OpenInference { id: None, outputs: vec![], binary: true });
    assert!(parse("x: float32[2,2]", &bytes).is_ok());
    for (input, expected) in [
        (
            "x: float32[n,3]",
            "input `x`: 12 bytes of binary data expected for float32[1, 3], got 16",
        ),
        (
            "x: float32[n,m]",
            "a raw binary body cannot be told apart for `x` (float32[n,m]): more than one dimension is open",
        ),
        (
            "x: string[n]",
            "a raw binary body cannot be told apart for `x` (string[n]): strings have no size",
        ),
        (
            "x: float32[...]",
            "a raw binary body cannot be told apart for `x` (float32[...]): the model declares no rank",
        ),
        ("x: float32[n,0]", "input `x`: 0 bytes of binary data expected for float32[0, 0], got 16"),
    ] {
        assert_eq!(refusal(parse(input, &bytes)), format!("400 {expected}"));
    }
}

/// A request whose only input has these members.
fn with_input(members: &str) -> String {
    format!(r#"{{"inputs":[{{{members}}}]}}"#)
}

/// A model of one input and two outputs, and the members of a good input of it.
fn one_input() -> Signature {
    signature(&["x: float32[n,2]"], &["y: float32[n]", "z: float32[n]"])
}

const GOOD: &str = r#""name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]"#;

#[test]
fn refuses_inputs_without_their_parts() {
    let cases = [
        (
            with_input(r#""datatype":"FP32","shape":[1,2],"data":[1,2]"#),
            "`inputs[0]` has no `name`",
        ),
        (
            with_input(r#""name":"w","datatype":"FP32""#),
            "`w` is not an input: this model takes `x` (float32[n,2])",
        ),
        (with_input(r#""name":"x","shape":[1,2],"data":[1,2]"#), "input `x` has no `datatype`"),
        (with_input(r#""name":"x","datatype":"FP32","data":[1,2]"#), "input `x` has no `shape`"),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[1,2]"#),
            "input `x` has neither `data` nor parameter `binary_data_size`: give one of them",
        ),
        (
            with_input(r#""name":"x","datatype":"FP64","shape":[1,2],"data":[1,2]"#),
            "input `x`: expected datatype FP32, got FP64",
        ),
        (
            with_input(r#""name":"x","datatype":32,"shape":[1,2],"data":[1,2]"#),
            "`inputs[0].datatype`: expected a string, got `32`",
        ),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[1,3],"data":[1,2]"#),
            "input `x`: expected float32[n,2], got shape [1, 3]",
        ),
    ];
    all_refused(Open, &one_input(), &cases);
}

#[test]
fn refuses_data_that_is_not_as_declared() {
    let cases = [
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[2,2],"data":[1,2]"#),
            "input `x`: shape [2, 2] does not hold the 2 elements given",
        ),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[2,2],"data":[[1,2,3,4]]"#),
            "input `x`: `data` is nested as [1, 4], but its shape is [2, 2]",
        ),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[2,2],"data":[[1,2],[3]]"#),
            "input `x` is ragged: a list of 1 where the first one has 2 at byte 69",
        ),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[1,-2],"data":[1,2]"#),
            "`inputs[0].shape`: expected a list of whole numbers, got `-2`",
        ),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":2,"data":[1,2]"#),
            "`inputs[0].shape`: expected a list of whole numbers, got `2`",
        ),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[1,2],"data":7"#),
            "`x.data`: expected a list, got `7`",
        ),
        (
            with_input(r#""name":"x","datatype":"FP32","shape":[1,2],"data":["a"]"#),
            "input `x`: expected float32 (a number), got `\"a\"` at byte 63",
        ),
    ];
    all_refused(Open, &one_input(), &cases);
}

#[test]
fn refuses_other_members_of_inputs() {
    let cases = [
        (with_input(r#""name":"x","name":"x""#), "key `inputs[0].name` appears twice"),
        (
            with_input(r#""name":"x","parameters":{"shared_memory_region":"r"}"#),
            "`inputs[0]`: parameter `shared_memory_region` is not served here",
        ),
        (
            with_input(r#""name":"x","parameters":{"binary_data_size":-1}"#),
            "`inputs[0].parameters.binary_data_size`: expected a number of bytes, got `-1`",
        ),
        (
            with_input(
                r#""name":"x","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}"#,
            ),
            "input `x`: 8 bytes of binary data declared, but 0 are left in the body",
        ),
        (
            with_input(&format!(r#"{GOOD},"parameters":{{"binary_data_size":8}}"#)),
            "input `x` has both `data` and parameter `binary_data_size`: give one of them",
        ),
        (format!(r#"{{"inputs":[{{{GOOD}}},{{{GOOD}}}]}}"#), "input `x` is given twice"),
        (r#"{"inputs":[]}"#.to_owned(), "input `x` is missing: expected float32[n,2]"),
    ];
    all_refused(Open, &one_input(), &cases);
}

#[test]
fn refuses_other_outputs_and_members_of_the_request() {
    let with = |more: &str| format!(r#"{{"inputs":[{{{GOOD}}}],{more}}}"#);
    let cases = [
        (
            with(r#""outputs":[{"name":"q"}]"#),
            "`q` is not an output: this model gives `y` (float32[n]), `z` (float32[n])",
        ),
        (with(r#""outputs":[{"name":"z"},{"name":"z"}]"#), "output `z` is asked for twice"),
        (with(r#""outputs":[{}]"#), "`outputs[0]` has no `name`"),
        (with(r#""outputs":["y"]"#), "`outputs[0]`: expected an object, got `\"y\"`"),
        (with(r#""outputs":"y""#), "`outputs`: expected a list, got `\"y\"`"),
        (
            with(r#""outputs":[{"name":"y","parameters":{"classification":2}}]"#),
            "`outputs[0]`: parameter `classification` is not served here",
        ),
        (
            with(r#""outputs":[{"name":"y","parameters":{"binary_data":1}}]"#),
            "`outputs[0].parameters.binary_data`: expected true or false, got `1`",
        ),
        (with(r#""id":42"#), "`id`: expected a string, got `42`"),
        (
            with(&format!(r#""id":"{}""#, "i".repeat(1025))),
            "`id`: expected a string of at most 1024 bytes, got 1025 bytes",
        ),
        (with(r#""id":"a","id":"b""#), "key `id` appears twice"),
        (with(r#""parameters":[]"#), "`parameters`: expected an object, got a list"),
    ];
    all_refused(Open, &one_input(), &cases);
}

#[test]
fn refuses_binary_data_that_does_not_fit() {
    let x = signature(&["x: float32[n]"], &[]);
    let text = signature(&["x: string[n]"], &[]);
    let bools = signature(&["x: bool[n]"], &[]);
    let json = |datatype, shape, size| {
        with_input(&format!(
            r#""name":"x","datatype":"{datatype}","shape":[{shape}],"parameters":{{"binary_data_size":{size}}}"#
        ))
    };
    for (signature, json, binary, expected) in [
        (
            &x,
            json("FP32", "2", 4),
            "abcd",
            "input `x`: 8 bytes of binary data expected for float32[2], got 4",
        ),
        (
            &x,
            json("FP32", "1", 8),
            "abcd",
            "input `x`: 8 bytes of binary data declared, but 4 are left in the body",
        ),
        (&x, json("FP32", "1", 4), "abcdef", "2 bytes of binary data belong to no input"),
        (
            &x,
            json("FP32", "4611686018427387904", 4),
            "abcd",
            "input `x`: a dimension of shape [4611686018427387904] is larger than the body",
        ),
        (
            &text,
            json("BYTES", "1", 4),
            "\u{9}\0\0\0",
            "input `x`: element 0 of its binary data is longer than the bytes that are left",
        ),
        (
            &text,
            json("BYTES", "1", 7),
            "\u{1}\0\0\0abc",
            "input `x`: 5 bytes of binary data expected for string[1], got 7",
        ),
        (
            &text,
            json("BYTES", "2", 8),
            "\u{1}\0\0\0abcd",
            "input `x`: element 1 of its binary data is cut off before its length",
        ),
        (
            &text,
            json("BYTES", "3", 8),
            "\0\0\0\0\0\0\0\0",
            "input `x`: 12 bytes of binary data expected for string[3], got 8",
        ),
        (
            &bools,
            json("BOOL", "2", 2),
            "\u{1}\u{2}",
            "input `x`: element 1 of its binary data is a byte other than 0 and 1",
        ),
    ] {
        let refused = refusal(parse_binary(&json, binary.as_bytes(), signature));
        assert_eq!(refused, format!("400 {expected}"), "{json}");
    }
    let refused = parse_binary(&json("BYTES", "1", 5), b"\x01\0\0\0\xff", &text);
    assert_eq!(
        refusal(refused),
        "400 input `x`: element 0 of its binary data is not UTF-8, and strings are UTF-8 here"
    );
}

#[test]
fn refuses_a_header_length_that_is_none_of_the_bodys() {
    let x = signature(&["x: float32[n]"], &[]);
    for given in ["x", "-1", "1000", ""] {
        let head = RequestHead { inference_header_content_length: Some(given), content_type: None };
        assert_eq!(
            refusal(parse(Open, &head, b"{}", &x)),
            format!(
                "400 header `Inference-Header-Content-Length` is `{given}`: \
                 expected a number up to the body's 2 bytes"
            )
        );
    }
}

#[test]
fn an_output_that_was_not_computed_is_the_servers_fault() {
    let request = parse_json(Open, REQUEST, &mymodel()).unwrap();
    let reply = render(&request.reply, ModelName { name: "m", version: "" }, &[]);
    assert_eq!(refusal(reply), "500 output `output0` was not computed");
}
