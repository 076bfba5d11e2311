//! Pushes to and pulls from a real registry.

use super::registry::{Registry, docker_configuration};
use super::*;
use gwtf::error::{Explain, Failure};
use gwtf::package::image::registry::{
    Credentials, Error, Progress, PushReport, Reference, find_credentials, pull, push,
};
use gwtf::spec::Secret;

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

pub(super) fn reference(host: &str) -> Reference {
    format!("{host}/models/iris:{TAG}").parse().unwrap()
}

pub(super) fn pushed(
    layout: &Path,
    host: &str,
    credentials: Option<Credentials>,
) -> Result<PushReport, Error> {
    wait(push(layout, &reference(host), credentials, &mut |_| {}))
}

#[test]
fn a_new_model_uploads_one_layer() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let first_report = write("a model", &first);
    let mut told: Vec<Progress> = Vec::new();
    let target = reference(&registry.host);
    let report = wait(push(&first, &target, None, &mut |at| told.push(at))).unwrap();
    assert_eq!(report.digest, first_report.digest);
    assert_eq!(report.uploaded.len(), 5, "four layers and a configuration");
    assert!(told.iter().all(|at| at.bytes <= at.total_bytes));
    assert_eq!(told.last().unwrap().bytes, report.uploaded_bytes);

    let place = format!("docker://{}/models/iris:{TAG}", registry.host);
    let seen: Value =
        serde_json::from_str(&skopeo(&["inspect", "--tls-verify=false", &place])).unwrap();
    assert_eq!(seen["Digest"], first_report.digest.as_str());

    let uploads = |registry: &Registry| {
        registry.requests().iter().filter(|line| line.starts_with("POST ")).count()
    };
    let before = uploads(&registry);
    let second_report = write("another model", &second);
    let reused: Vec<bool> = second_report.layers.iter().map(|layer| layer.reused).collect();
    assert_eq!(reused, [true, true, true, false], "the model's layer alone is compressed");
    let report = pushed(&second, &registry.host, None).unwrap();
    let model = &second_report.layers.last().unwrap().digest;
    assert_eq!(report.uploaded.len(), 2, "a layer and a configuration");
    assert_eq!(&report.uploaded[0], model);
    assert_eq!(uploads(&registry) - before, 2, "{:#?}", registry.requests());

    // Nothing is left to do, and nothing is sent.
    let report = pushed(&second, &registry.host, None).unwrap();
    assert_eq!((report.uploaded.len(), report.uploaded_bytes), (0, 0));
    assert_eq!(uploads(&registry) - before, 2);
}

#[test]
fn what_was_pushed_can_be_pulled_and_stood_on() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    let written = write("a model", &layout);
    pushed(&layout, &registry.host, None).unwrap();
    let cache = folder.path().join("bases");
    let architecture = Some(Architecture::X86_64);
    let get = || wait(pull(&reference(&registry.host), architecture, None, &cache, &mut |_| {}));
    let base = get().unwrap();
    assert_eq!(get().unwrap(), base, "the second time from the disk");
    let blobs = |registry: &Registry| {
        registry
            .requests()
            .iter()
            .filter(|l| l.contains("GET") && l.contains("/blobs/sha256"))
            .count()
    };
    assert_eq!(blobs(&registry), 5);

    let mut options = options();
    options.base = gwtf::package::image::Base::Layout(base);
    let above = folder.path().join("above");
    let model: Vec<Entry> =
        entries("on top").into_iter().filter(|e| e.part == Part::Model).collect();
    let model = model.into_iter().map(|e| Entry { path: format!("two/{}", e.path), ..e });
    let report = write_layout(&model.collect::<Vec<_>>(), &options, &above).unwrap();
    assert_eq!(report.layers.len(), 5);
    for (layer, below) in report.layers.iter().zip(&written.layers) {
        assert_eq!((&layer.digest, layer.raw_bytes), (&below.digest, below.raw_bytes));
        assert!(layer.reused);
    }
    skopeo(&["inspect", &format!("oci:{}:{TAG}", above.display())]);
}

#[test]
fn a_protected_registry_takes_the_credentials_that_docker_has() {
    let registry = Registry::start_protected("AWS", "secret-token");
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    write("a model", &layout);
    let found = || {
        let path = std::ffi::OsStr::new("");
        wait(find_credentials(&reference(&registry.host), folder.path(), path)).unwrap()
    };
    assert_eq!(found(), None);
    let refused = |credentials, hint: &str| {
        let error = pushed(&layout, &registry.host, credentials).unwrap_err();
        let failure = Failure::from(error);
        assert!(failure.message.contains("401"), "{}", failure.message);
        assert!(failure.hint.as_deref().unwrap().contains(hint), "{failure:?}");
        assert!(!format!("{failure:?}").contains("wrong"), "{failure:?}");
    };
    refused(None, "sign in first");
    let password = Secret::new("wrong");
    let wrong = Credentials::Basic { username: "AWS".to_owned(), password };
    refused(Some(wrong), "does not take the credentials");
    docker_configuration(folder.path(), &registry.host, "AWS", "secret-token");
    assert_eq!(pushed(&layout, &registry.host, found()).unwrap().uploaded.len(), 5);
}

#[test]
fn nobody_at_the_address_is_said_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    write("a model", &layout);
    let error = pushed(&layout, &host, None).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("check the host name"), "{error:?}");
}
