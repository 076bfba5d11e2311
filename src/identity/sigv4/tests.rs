use super::*;
use std::time::Duration;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new(SECRET),
        session_token: token.map(Secret::new),
        expires_at: None,
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// 2026-01-01T00:00:00Z.
const NEW_YEAR_S: u64 = 1_767_225_600;

fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is sent, by name.
fn signed(
    method: &str,
    url: &str,
    given: &[(&str, &str)],
    body: &[u8],
    token: Option<&str>,
) -> std::collections::BTreeMap<String, String> {
    let (given, body) = (headers(given), BodyHash::of(body));
    let request = Request { method, url, headers: &given, body: &body };
    let scope = Scope { region: "eu-west-1", service: EXECUTE_API };
    let added = sign(request, scope, &credentials(token), at(NEW_YEAR_S)).unwrap();
    added.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect()
}

const HOST: &str = "https://abcde12345.execute-api.eu-west-1.amazonaws.com";

fn signature(path_and_query: &str) -> String {
    let added = signed("GET", &format!("{HOST}{path_and_query}"), &[], b"", None);
    added["authorization"].rsplit_once("Signature=").unwrap().1.to_owned()
}

/// AWS's published example: a GET of IAM's `ListUsers`.
#[test]
fn the_published_example_is_signed_as_published() {
    let given = headers(&[("content-type", "application/x-www-form-urlencoded; charset=utf-8")]);
    let body = BodyHash::of(b"");
    let request = Request {
        method: "GET",
        url: "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        headers: &given,
        body: &body,
    };
    let scope = Scope { region: "us-east-1", service: "iam" };
    // 2015-08-30T12:36:00Z.
    let added = sign(request, scope, &credentials(None), at(1_440_938_160)).unwrap();
    let added: Vec<(&str, &str)> =
        added.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(
        added,
        [
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, Signature=\
                 5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
            ),
        ]
    );
}

#[test]
fn a_call_of_an_api_is_signed_over_stage_query_and_body() {
    let url = format!("{HOST}/prod/v1/predict?model=resnet%2050&v=1");
    let given = [("content-type", "application/json")];
    let added = signed("POST", &url, &given, br#"{"x":1}"#, None);
    assert_eq!(
        added["authorization"],
        "AWS4-HMAC-SHA256 \
         Credential=AKIDEXAMPLE/20260101/eu-west-1/execute-api/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=17e9900cbc5b23460d778188e3e0f8dcd0cf9e6a08acf0765423008326b590dc"
    );
    assert_eq!(added["x-amz-date"], "20260101T000000Z");
    assert_eq!(added.len(), 2);
}

#[test]
fn the_token_of_temporary_credentials_is_sent_and_signed() {
    let added = signed("GET", HOST, &[], b"", Some("a/token=="));
    assert_eq!(added["x-amz-security-token"], "a/token==");
    let authorization = &added["authorization"];
    assert!(authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token"));
    let other = signed("GET", HOST, &[], b"", Some("another"));
    assert_ne!(&other["authorization"], authorization);
}

#[test]
fn paths_are_normalised_and_queries_sorted() {
    assert_eq!(signature("/prod//predict"), signature("/prod/predict"));
    assert_eq!(signature("/prod/./x/../predict"), signature("/prod/predict"));
    assert_ne!(signature("/prod/predict/"), signature("/prod/predict"));
    // Sent encoded once, signed encoded twice: what looks alike after one decoding is told apart.
    assert_ne!(signature("/prod/a%20b"), signature("/prod/a%2520b"));
    assert_ne!(signature("/prod/a%2Fb"), signature("/prod/a/b"));
    assert_eq!(signature("/p?b=2&a=2&a=1"), signature("/p?a=1&a=2&b=2"));
    assert_eq!(signature("/p?a"), signature("/p?a="));
    assert_ne!(signature("/p?a=1"), signature("/p?a=2"));
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let credentials = credentials(Some("the-token"));
    let given = headers(&[("x-amz-meta", "the\u{1}value")]);
    let body = BodyHash::of(b"");
    let request = Request { method: "GET", url: HOST, headers: &given, body: &body };
    let scope = Scope { region: "eu-west-1", service: EXECUTE_API };
    let error = sign(request, scope, &credentials, at(NEW_YEAR_S)).unwrap_err();
    let shown = format!("{credentials:?} {request:?} {error:?} {error}");
    for secret in [SECRET, "the-token", "value"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
