//! What a registry may answer: refusals, tokens, cuts.

use super::push::pushed;
use super::scripted::{Reply, Request, Scripted};
use super::*;
use gwtf::error::{Exit, Failure};
use gwtf::package::image::registry::Credentials;
use gwtf::spec::Secret;
use rand::SeedableRng as _;
use std::sync::{Arc, Mutex};

/// A registry that has nothing and takes everything; what it got of each upload is kept.
#[derive(Default)]
struct Taker {
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Taker {
    fn answer(&mut self, request: &mut Request<'_>) -> Reply {
        let path = request.path.clone();
        let upload: Option<usize> = path
            .split_once("/blobs/uploads/")
            .and_then(|(_, rest)| rest.split('?').next().and_then(|number| number.parse().ok()));
        let mut received = self.received.lock().unwrap();
        let standing = |bytes: &[u8], at: usize| {
            let range = format!("0-{}", bytes.len().saturating_sub(1));
            vec![("Location", format!("/v2/models/iris/blobs/uploads/{at}")), ("Range", range)]
        };
        match (request.method.as_str(), upload) {
            ("HEAD", _) => Some((404, Vec::new(), String::new())),
            ("POST", _) => {
                received.push(Vec::new());
                Some((202, standing(&[], received.len() - 1), String::new()))
            }
            ("PATCH", Some(at)) => {
                let start = request
                    .header("content-range")
                    .map_or(0, |range| range.split('-').next().unwrap().parse().unwrap());
                assert_eq!(start, received[at].len(), "a chunk begins where the last one ended");
                let bytes = request.read_body(usize::MAX);
                received[at].extend(bytes);
                Some((202, standing(&received[at], at), String::new()))
            }
            ("GET", Some(at)) => Some((204, standing(&received[at], at), String::new())),
            ("PUT", _) => Some((201, vec![("Location", "/x".to_owned())], String::new())),
            _ => Some((404, Vec::new(), String::new())),
        }
    }
}

/// An image with one layer that takes several chunks.
fn large_image(folder: &Path) -> PathBuf {
    let mut model = vec![0; 24 << 20];
    // Bytes that do not compress, the same in every run.
    rand::RngCore::fill_bytes(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1), &mut model);
    let entries = [
        entry("bootstrap", Part::Runtime, Source::File(PROGRAM.into())),
        entry("model/model.onnx", Part::Model, Source::Bytes(model.into())),
    ];
    let layout = folder.join("image");
    write_layout(&entries, &options(), &layout).unwrap();
    layout
}

#[test]
fn an_upload_goes_on_from_where_the_registry_stands() {
    let folder = tempfile::tempdir().unwrap();
    let layout = large_image(folder.path());
    let mut taker = Taker::default();
    let received = Arc::clone(&taker.received);
    let mut cuts_left = 2;
    let server = Scripted::start(move |request| {
        let is_large = request.header("content-length").is_some_and(|n| n.len() >= 8);
        if request.method == "PATCH" && is_large && cuts_left > 0 {
            cuts_left -= 1;
            let at: usize = request.path.rsplit('/').next().unwrap().parse().unwrap();
            let half = request.read_body(5 << 20);
            taker.received.lock().unwrap()[at].extend(half);
            return None;
        }
        taker.answer(request)
    });
    let report = pushed(&layout, &server.host, None).unwrap();
    // Each blob was begun once, and each arrived as it is: nothing was sent from the start again.
    assert_eq!(server.count("POST "), report.uploaded.len());
    for (bytes, digest) in received.lock().unwrap().iter().zip(&report.uploaded) {
        assert_eq!(format!("sha256:{}", gwtf::model::Digest::of(bytes)), *digest);
    }
    assert_eq!(server.count("GET "), 2, "{:?}", server.seen);
}

#[test]
fn an_upload_that_is_cut_arrives_whole_in_a_real_registry() {
    let folder = tempfile::tempdir().unwrap();
    let layout = large_image(folder.path());
    let registry = super::registry::Registry::start();
    // Between the two, the first large chunk is cut half way.
    let proxy = super::scripted::cutting_proxy(&registry.host, 20 << 20);
    let report = pushed(&layout, &proxy, None).unwrap();
    assert_eq!(report.uploaded.len(), 4);
    let begun = registry.requests().iter().filter(|line| line.starts_with("POST ")).count();
    // This registry forgets an upload whose connection broke, once it has noticed: begun again then,
    // or gone on with before.
    assert!(begun == 4 || begun == 5, "{begun} uploads were begun");
    let place = format!("docker://{}/models/iris:{TAG}", registry.host);
    let copy = format!("oci:{}:{TAG}", folder.path().join("copy").display());
    skopeo(&["copy", "--src-tls-verify=false", &place, &copy]);
}

#[test]
fn a_refusal_is_said_with_its_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    write("a model", &layout);
    let cases = [
        (403, "DENIED", "may not do this"),
        (404, "NAME_UNKNOWN", "check its name"),
        (429, "TOOMANYREQUESTS", "run it again later"),
        (500, "UNKNOWN", "run it again later"),
        (503, "UNAVAILABLE", "run it again later"),
    ];
    for (status, code, hint) in cases {
        let server = Scripted::start(move |request| match request.method.as_str() {
            "HEAD" => Some((404, Vec::new(), String::new())),
            _ => {
                let body = format!(r#"{{"errors":[{{"code":"{code}","message":"said"}}]}}"#);
                Some((status, vec![("Retry-After", "0".to_owned())], body))
            }
        });
        let failure = Failure::from(pushed(&layout, &server.host, None).unwrap_err());
        let said = format!("starting an upload: {status}");
        assert!(failure.message.contains(&said), "{failure:?}");
        assert!(failure.message.ends_with(&format!("{code}: said")), "{failure:?}");
        assert!(failure.hint.as_deref().unwrap().contains(hint), "{failure:?}");
        assert_eq!(failure.exit, Exit::Machine);
        let tries = if status < 429 { 1 } else { 5 };
        assert_eq!(server.count("POST "), tries, "{status}");
    }
}

#[test]
fn a_token_is_asked_for_where_the_registry_says() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    write("a model", &layout);
    let basic = Credentials::Basic { username: "me".to_owned(), password: Secret::new("it") };
    let cases = [
        (None, "GET /token?scope="),
        (Some(basic), "GET /token?scope="),
        (Some(Credentials::IdentityToken(Secret::new("long-lived"))), "POST /token"),
    ];
    for (credentials, asked) in cases {
        let mut taker = Taker::default();
        let shown = credentials.clone();
        let server = Scripted::start(move |request| {
            if request.path.starts_with("/token") {
                let authorization = request.header("authorization").map(str::to_owned);
                let body = String::from_utf8(request.read_body(1 << 16)).unwrap();
                match &shown {
                    None => assert_eq!(authorization, None),
                    Some(Credentials::Basic { .. }) => {
                        assert_eq!(authorization.as_deref(), Some("Basic bWU6aXQ="));
                    }
                    Some(_) => assert!(body.contains("refresh_token=long-lived"), "{body}"),
                }
                return Some((200, Vec::new(), r#"{"token":"short-lived"}"#.to_owned()));
            }
            if request.header("authorization") != Some("Bearer short-lived") {
                let host = request.header("host").unwrap();
                let challenge = format!(r#"Bearer realm="http://{host}/token",service="test""#);
                return Some((401, vec![("WWW-Authenticate", challenge)], String::new()));
            }
            taker.answer(request)
        });
        pushed(&layout, &server.host, credentials).unwrap();
        assert_eq!(server.count(asked), 1, "{:?}", server.seen);
    }
}

#[test]
fn uploads_are_never_led_to_plain_http_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    write("a model", &layout);
    let server = Scripted::start(|request| match request.method.as_str() {
        "HEAD" => Some((404, Vec::new(), String::new())),
        _ => Some((202, vec![("Location", "http://host.example/up".to_owned())], String::new())),
    });
    let failure = Failure::from(pushed(&layout, &server.host, None).unwrap_err());
    assert!(failure.message.contains("not HTTPS"), "{failure:?}");
}

#[test]
fn a_long_lived_token_is_not_led_to_another_service() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    write("a model", &layout);
    let other = Scripted::start(|_| Some((200, Vec::new(), r#"{"token":"short"}"#.to_owned())));
    let elsewhere = format!("http://{}/token", other.host);
    let server = Scripted::start(move |request| {
        if request.path == "/token" {
            return Some((307, vec![("Location", elsewhere.clone())], String::new()));
        }
        let host = request.header("host").unwrap();
        let challenge = format!(r#"Bearer realm="http://{host}/token""#);
        Some((401, vec![("WWW-Authenticate", challenge)], String::new()))
    });
    let token = Credentials::IdentityToken(Secret::new("long-lived"));
    let failure = Failure::from(pushed(&layout, &server.host, Some(token)).unwrap_err());
    assert!(failure.message.contains("asking for a token: 307"), "{failure:?}");
    assert_eq!(other.count(""), 0, "{:?}", other.seen);
}
