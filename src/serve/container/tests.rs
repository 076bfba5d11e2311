use super::*;
use crate::serve::Overrides;
use http::Method;
use serde_json::json;
use std::net::Ipv4Addr;

/// A container whose artefact holds a manifest and nothing else.
fn empty() -> (tempfile::TempDir, Container) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = json!({
        "schema": "gwtf.artefact/v1",
        "endpoint": "iris",
        "version": "v3",
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" },
        "model": "model/model.onnx",
        "model_digest": "00".repeat(32),
        "optimized": true,
        "onnxruntime": "lib/libonnxruntime.so",
        "onnxruntime_version": "1.32.0",
        "signature": {"inputs": [], "outputs": []},
    });
    fs_err::write(folder.path().join("gwtf.json"), manifest.to_string()).unwrap();
    let artefact = Artefact::read(folder.path(), Overrides::default()).unwrap();
    (folder, Container::new(artefact))
}

async fn answer(container: &Container, method: Method, path: &str) -> Response<Bytes> {
    let mut request = Request::new(Body::Whole(Bytes::new()));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    container.answer(request, Ipv4Addr::LOCALHOST.into()).await
}

#[tokio::test]
async fn a_container_that_loads_lives_and_is_not_ready() {
    let (_folder, container) = empty();
    let cases = [
        (Method::GET, "/v2/health/live", 200, "{\"live\":true}"),
        (Method::GET, "/v2/health/ready", 503, "{\"ready\":false}"),
        (Method::GET, "/v2/models/iris/ready", 503, "{\"ready\":false}"),
        (Method::POST, "/predict", 503, "{\"error\":\"the model is being loaded\"}"),
        (Method::GET, "/nothing", 404, "{\"error\":\"not found\"}"),
    ];
    for (method, path, status, body) in cases {
        let response = answer(&container, method, path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.body(), body, "{path}");
        assert!(response.headers().get("x-gwtf-cold-start").is_none(), "{path}");
    }
    assert!(container.load(1, now()).is_err(), "there is no library to load");
    assert!(!container.is_ready());
}

#[tokio::test]
async fn a_panic_is_no_reply() {
    assert_eq!(unless_it_panics(async { 7 }).await, Some(7));
    let list: [u8; 0] = [];
    assert_eq!(unless_it_panics(async { list[list.len()] }).await, None);
}

#[test]
fn only_what_has_the_form_of_a_trace_id_is_logged() {
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let cases = [
        (root.to_owned(), true),
        (format!("Self=1-67891234-12456789abcdef012345678;{root}"), true),
        ("Bearer abc".to_owned(), false),
        (format!("{root} secret"), false),
        (format!("{root}{}", "a".repeat(300)), false),
        (String::new(), false),
    ];
    for (text, is_logged) in cases {
        let mut headers = HeaderMap::new();
        headers.insert("x-amzn-trace-id", text.parse().unwrap());
        assert_eq!(trace_id(&headers).is_some(), is_logged, "{text}");
    }
}

#[test]
fn bodies_take_a_share_of_the_memory() {
    const MIB: u64 = 1 << 20;
    let cases = [
        (Some(512 * MIB), 16 * MIB),
        (Some(64 * MIB), 10 * MIB),
        (Some(64 * 1024 * MIB), 256 * MIB),
        (None, 256 * MIB),
    ];
    for (memory_bytes, expected) in cases {
        let found = options(memory_bytes).bodies_bytes_max as u64;
        assert_eq!(found, expected, "{memory_bytes:?}");
    }
}
