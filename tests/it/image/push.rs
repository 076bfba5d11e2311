//! Pushes to and pulls from a real registry.

use super::registry::{Registry, docker_configuration};
use super::*;
use gwtf::error::{Explain, Failure};
use gwtf::package::image::registry::{
    Credentials, Error, Progress, PushReport, Reference, find_credentials, pull, push,
};
use gwtf::spec::Secret;
use serde_json::json;

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

/// A helper program in `folder` that gives these credentials for this registry alone.
fn helper(folder: &Path, name: &str, host: &str, user: &str) {
    use std::os::unix::fs::PermissionsExt;
    let script = format!(
        "#!/bin/sh\nread server\n[ \"$1 $server\" = \"get {host}\" ] || \\\n\
         {{ echo 'credentials not found in native keychain'; exit 1; }}\n\
         echo '{{\"ServerURL\":\"{host}\",\"Username\":\"{user}\",\"Secret\":\"kept\"}}'\n"
    );
    let path = folder.join(format!("docker-credential-{name}"));
    fs_err::write(&path, script).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn credentials_are_found_wherever_docker_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    helper(folder.path(), "store", "store.example", "stored");
    helper(folder.path(), "token", "token.example", "<token>");
    let broken = folder.path().join("docker-credential-broken");
    fs_err::write(&broken, "#!/bin/sh\necho kept; exit 2\n").unwrap();
    output(Command::new("chmod").arg("755").arg(&broken));
    let document = json!({
        "credsStore": "store",
        "credHelpers": {
            "token.example": "token", "broken.example": "broken", "gone.example": "../gone",
        },
        "auths": {
            "https://plain.example/v1/": { "auth": "bWU6YTpi" },
            "index.docker.io": { "auth": "aHViOng=" },
            "identity.example": { "auth": "bWU6", "identitytoken": "long" },
            "store.example": {},
            "bad.example": { "auth": "%" },
        },
    });
    fs_err::write(folder.path().join("config.json"), document.to_string()).unwrap();
    let path = std::env::join_paths([folder.path(), Path::new("/bin")]).unwrap();
    let find = |name: &str| {
        wait(find_credentials(&format!("{name}/a/b").parse().unwrap(), folder.path(), &path))
    };
    let basic = |username: &str, password: &str| {
        let (username, password) = (username.to_owned(), Secret::new(password));
        Some(Credentials::Basic { username, password })
    };
    let token = |text: &str| Some(Credentials::IdentityToken(Secret::new(text)));
    assert_eq!(find("plain.example").unwrap(), basic("me", "a:b"));
    assert_eq!(find("docker.io").unwrap(), basic("hub", "x"));
    assert_eq!(find("identity.example").unwrap(), token("long"));
    assert_eq!(find("store.example").unwrap(), basic("stored", "kept"));
    assert_eq!(find("token.example").unwrap(), token("kept"));
    assert_eq!(find("other.example").unwrap(), None);
    for (name, said) in [
        ("broken.example", "`docker-credential-broken`: it ended with"),
        ("gone.example", "there is no such program"),
        ("bad.example", "the entry for `bad.example`: `auth` is not base64"),
    ] {
        let failure = Failure::from(find(name).unwrap_err());
        assert!(failure.message.contains(said), "{failure:?}");
        assert!(!failure.message.contains("kept"), "{failure:?}");
    }
    fs_err::write(folder.path().join("config.json"), "{\"auths\": \"c2VjcmV0\"}").unwrap();
    let failure = Failure::from(find("plain.example").unwrap_err());
    assert!(failure.message.contains("line 1") && !failure.message.contains("c2VjcmV0"));
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
