//! Which form a request has: by route, header, content type, first bytes and keys.

use super::*;

fn iris() -> Signature {
    signature(&["x: float32[n,2]"], &["y: float32[n]"])
}

const ROW: &str = r#"{"instances": [[1, 2]]}"#;
const COLUMN: &str = r#"{"inputs": [[1, 2]]}"#;
const OPEN: &str =
    r#"{"inputs": [ {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]} ]}"#;

#[test]
fn tells_json_forms_apart_by_their_keys() {
    let open = ReplyForm::OpenInference { id: None, outputs: vec![], binary: false };
    for (body, expected) in
        [(ROW, ReplyForm::TensorflowRow), (COLUMN, ReplyForm::TensorflowColumn), (OPEN, open)]
    {
        let request = parse_json(Protocol::Auto, body, &iris()).unwrap();
        assert_eq!(request.reply, expected, "{body}");
        assert_eq!(request.inputs, named(&[("x", floats(&[1, 2], &[1., 2.]))]), "{body}");
    }
    let text = signature(&["x: string[n]"], &["y: float32[n]"]);
    let body = r#"{"inputs": [{"b64": "YQ=="}]}"#;
    assert_eq!(parse_json(Protocol::Auto, body, &text).unwrap().reply, ReplyForm::TensorflowColumn);
}

#[test]
fn a_route_takes_its_own_forms_alone() {
    let open = refusal(parse_json(Protocol::OpenInference, ROW, &iris()));
    assert_eq!(open, "400 the body has no `inputs`");
    let column = refusal(parse_json(Protocol::OpenInference, COLUMN, &iris()));
    assert_eq!(column, "400 `inputs[0]`: expected an object, got a list");
    let named = refusal(parse_json(Protocol::OpenInference, r#"{"inputs": {"x": []}}"#, &iris()));
    assert_eq!(named, "400 `inputs`: expected a list of tensors, got an object");
    let tensorflow = refusal(parse_json(Protocol::Tensorflow, OPEN, &iris()));
    assert_eq!(tensorflow, "400 input `x`: expected float32 (a number), got an object at byte 13");
}

#[test]
fn content_types_of_json_are_taken_and_others_refused() {
    let parse = |protocol, content_type| {
        let head = RequestHead { content_type: Some(content_type), ..RequestHead::default() };
        parse(protocol, &head, ROW.as_bytes(), &iris())
    };
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "application/problem+json",
        "text/plain;charset=UTF-8",
        "",
    ] {
        assert!(parse(Protocol::Auto, content_type).is_ok(), "{content_type}");
        assert!(parse(Protocol::Tensorflow, content_type).is_ok(), "{content_type}");
    }
    assert_eq!(
        refusal(parse(Protocol::Auto, "text/csv")),
        "415 content type `text/csv` is not taken here: send application/json, \
         application/octet-stream or application/x-npy"
    );
    assert_eq!(
        refusal(parse(Protocol::Tensorflow, "application/x-npy")),
        "415 content type `application/x-npy` is not taken here: send application/json"
    );
}

#[test]
fn npy_is_known_by_content_type_or_magic_where_it_is_taken() {
    let reply = ReplyForm::Npy;
    let outputs = named(&[("y", floats(&[1, 2], &[1., 2.]))]);
    let body = render(&reply, ModelName { name: "m", version: "1" }, &outputs).unwrap().body;
    for content_type in [None, Some("application/octet-stream"), Some("application/x-npy")] {
        let head = RequestHead { content_type, ..RequestHead::default() };
        let request = parse(Protocol::Auto, &head, &body, &iris()).unwrap();
        assert_eq!(request.inputs, named(&[("x", floats(&[1, 2], &[1., 2.]))]));
        assert_eq!(request.reply, reply);
        assert_eq!(
            parse(Protocol::OpenInference, &head, &body, &iris()).unwrap_err().status(),
            415
        );
    }
    let head = RequestHead { content_type: Some("application/x-npy"), ..RequestHead::default() };
    assert_eq!(
        refusal(parse(Protocol::Auto, &head, b"{}", &iris())),
        "400 npy: the body does not start with npy's magic bytes"
    );
}

#[test]
fn a_byte_order_mark_is_stepped_over() {
    let body = format!("\u{feff}{ROW}");
    assert!(parse_json(Protocol::Auto, body, &iris()).is_ok());
}
