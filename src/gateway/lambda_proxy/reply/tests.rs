use super::*;
use proptest::prelude::*;

fn read(payload: &str, decodes: bool) -> Result<Response<Bytes>, IntegrationError> {
    read_reply(&Bytes::copy_from_slice(payload.as_bytes()), decodes)
}

/// Status and body of a reply, or the status that the client gets in its place.
fn outcome(payload: &str) -> (u16, String) {
    match read(payload, false) {
        Ok(response) => {
            (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
        }
        Err(IntegrationError::FunctionError(_)) => (502, String::new()),
        Err(other) => panic!("{payload}: {other}"),
    }
}

#[test]
fn a_reply_is_what_the_format_says_and_nothing_else() {
    for (payload, status, body) in [
        // Recorded from AWS or documented.
        (r#"{"statusCode":200,"body":"ok"}"#, 200, "ok"),
        (r#"{"body":"ok"}"#, 200, "ok"),
        (r#"{"statusCode":"201","body":"ok"}"#, 201, "ok"),
        (r#"{"statusCode":"test","body":"ok"}"#, 502, ""),
        (r#"{"statusCode":200,"headers":null,"body":"ok"}"#, 200, "ok"),
        (r#"{"statusCode":200,"wrongValue":"x","body":"ok"}"#, 502, ""),
        (r#"{"statusCode":200,"cookies":[],"body":"ok"}"#, 502, ""),
        (r#""a string""#, 502, ""),
        (r#"{"statusCode":200,"multiValueHeaders":{"k":"v"}}"#, 502, ""),
        (r#"{"statusCode":200,"body":{"a":1}}"#, 502, ""),
        (r#"{"statusCode":200,"body":"AAA=","isBase64Encoded":true}"#, 200, "AAA="),
        // Assumed.
        ("null", 502, ""),
        ("[]", 502, ""),
        ("", 502, ""),
        ("{", 502, ""),
        (r#"{"statusCode":200} x"#, 502, ""),
        ("{}", 200, ""),
        (r#"{"statusCode":null,"body":null,"isBase64Encoded":null}"#, 200, ""),
        (r#"{"statusCode":503,"body":"busy"}"#, 503, "busy"),
        (r#"{"statusCode":199}"#, 502, ""),
        (r#"{"statusCode":600}"#, 502, ""),
        (r#"{"statusCode":-200}"#, 502, ""),
        (r#"{"statusCode":200.5}"#, 502, ""),
        (r#"{"statusCode":18446744073709551616}"#, 502, ""),
        (r#"{"statusCode":true}"#, 502, ""),
        (r#"{"body":1}"#, 502, ""),
        (r#"{"isBase64Encoded":"true"}"#, 502, ""),
        (r#"{"headers":[]}"#, 502, ""),
        (r#"{"headers":{"k":["v"]}}"#, 502, ""),
        (r#"{"headers":{"k":{"v":1}}}"#, 502, ""),
        (r#"{"headers":{"a b":"v"}}"#, 502, ""),
        (r#"{"headers":{"k":"a\r\nset-cookie: b"}}"#, 502, ""),
        (r#"{"statusCode":500,"statusCode":201,"body":"a","body":"b"}"#, 201, "b"),
    ] {
        assert_eq!(outcome(payload), (status, body.to_owned()), "{payload}");
    }
}

#[test]
fn headers_are_sent_multi_values_first_and_scalars_as_text() {
    let response = read(
        r#"{"headers":{"Set-Cookie":"c=3","x-true":true,"x-number":1,"x-float":1.5,"x-null":null},
            "multiValueHeaders":{"set-cookie":["a=1","b=2"],"x-list":[1,false,null]},"body":"\u00e9"}"#,
        false,
    )
    .unwrap();
    let values = |name: &str| -> Vec<&str> {
        response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    };
    assert_eq!(values("set-cookie"), ["a=1", "b=2", "c=3"]);
    assert_eq!(values("x-true"), ["true"]);
    assert_eq!(values("x-number"), ["1"]);
    assert_eq!(values("x-float"), ["1.5"]);
    assert_eq!(values("x-list"), ["1", "false"]);
    assert!(values("x-null").is_empty() && values("content-type").is_empty());
    assert_eq!(response.body().as_ref(), "é".as_bytes());
}

/// An escaped name is a copy for each of its values.
#[test]
fn headers_are_counted_while_they_are_read() {
    let name = format!("\\u0061{}", "b".repeat(1_000));
    let many = ["1"; 1_000].join(",");
    for payload in [
        format!(r#"{{"multiValueHeaders":{{"{name}":[{many}]}},"body":"x"}}"#),
        format!(r#"{{"multiValueHeaders":{{"":[{many}]}},"body":"x"}}"#),
    ] {
        let error = read(&payload, false).unwrap_err().to_string();
        let column: usize = error.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(column < payload.len() - many.len() + 30, "{error}");
    }
}

#[test]
fn headers_beyond_the_gateways_limit_are_no_reply() {
    let with = |count: usize| {
        let headers: Vec<String> = (0..count).map(|n| format!("\"x-{n:06}\":\"\"")).collect();
        outcome(&format!("{{\"headers\":{{{}}}}}", headers.join(",")))
    };
    assert_eq!(with(HEADERS_BYTES_MAX / 8).0, 200);
    assert_eq!(with(HEADERS_BYTES_MAX / 8 + 1).0, 502);
    assert_eq!(with(100_000).0, 502);
}

#[test]
fn a_base64_body_is_decoded_only_for_who_accepts_it() {
    let payload = r#"{"body":"/wBh","isBase64Encoded":true}"#;
    assert_eq!(read(payload, true).unwrap().body().as_ref(), b"\xff\x00a");
    assert_eq!(read(payload, false).unwrap().body().as_ref(), b"/wBh");
    let text = r#"{"body":"/wBh","isBase64Encoded":false}"#;
    assert_eq!(read(text, true).unwrap().body().as_ref(), b"/wBh");
    let error = read(r#"{"body":"no base64","isBase64Encoded":true}"#, true).unwrap_err();
    assert!(matches!(error, IntegrationError::Configuration(_)), "{error}");
}

#[test]
fn a_plain_body_is_not_copied() {
    let payload = Bytes::from_static(br#"{"body":"a plain text"}"#);
    let response = read_reply(&payload, false).unwrap();
    assert_eq!(response.body().as_ptr(), payload[9..].as_ptr());
}

#[test]
fn errors_quote_nothing_that_the_function_wrote() {
    for payload in [
        r#"{"statusCode":"secret","body":""}"#,
        r#"{"secret":1}"#,
        r#"{"body":["secret"]}"#,
        r#"{"isBase64Encoded":"secret"}"#,
        r#"{"headers":"secret"}"#,
        r#"{"headers":{"secret secret":"secret"}}"#,
        r#""secret""#,
        r#""secret \" secret""#,
    ] {
        let error = read(payload, true).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(error.contains("malformed Lambda proxy response"), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_reply_or_an_error(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_reply(&Bytes::from(payload), true);
    }

    #[test]
    fn any_text_comes_through(text in any::<String>()) {
        let payload = serde_json::json!({ "body": text }).to_string();
        let response = read(&payload, false).unwrap();
        prop_assert_eq!(response.body().as_ref(), text.as_bytes());
    }
}
