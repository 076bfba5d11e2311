//! A folder that is an artefact, whose function does what a request's header says
//! (`fixtures/lambda/bootstrap.py`).

use crate::support::served::{Reply, Served, request};
use crate::support::{fixture, gwtf, python};
use serde_json::json;
use std::fs::Permissions;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// A body that the request model of the artefact's signature takes.
pub(crate) const BODY: &str = r#"{"instances":[[1,2,3,4]]}"#;
/// API Gateway's 500 and 502.
pub(crate) const FAILED: &str = r#"{"message": "Internal server error"}"#;

/// Makes the artefact in `folder/artefact`.
pub(crate) fn make(folder: &Path) -> PathBuf {
    let artefact = folder.join("artefact");
    fs_err::create_dir_all(&artefact).unwrap();
    let script = fs_err::read_to_string(fixture("lambda/bootstrap.py")).unwrap();
    let bootstrap = artefact.join("bootstrap");
    fs_err::write(&bootstrap, format!("#!{}\n{script}", python().display())).unwrap();
    fs_err::set_permissions(&bootstrap, Permissions::from_mode(0o755)).unwrap();
    fs_err::write(artefact.join("gwtf.json"), manifest().to_string()).unwrap();
    artefact
}

/// The manifest of endpoint `iris`, version `v7`, with one input of four numbers a row.
pub(crate) fn manifest() -> serde_json::Value {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let signature = gwtf::model::Signature {
        inputs: vec![gwtf::model::TensorSpec {
            name: "x".into(),
            dtype: gwtf::model::DType::Float32,
            shape: Some(vec![gwtf::model::Dim::Symbol("n".into()), gwtf::model::Dim::Fixed(4)]),
        }],
        outputs: Vec::new(),
    };
    json!({
        "schema": "gwtf.artefact/v1", "endpoint": "iris", "version": "v7",
        "architecture": architecture, "model": "model/model.onnx",
        "model_digest": gwtf::model::Digest::of(b"").to_string(), "optimized": false,
        "onnxruntime": "lib/libonnxruntime.so", "onnxruntime_version": "1.0.0",
        "signature": signature,
    })
}

/// `gwtf serve --package` of the artefact.
pub(crate) struct Function {
    pub(crate) served: Served,
    pub(crate) folder: TempDir,
}

impl Function {
    /// Serves it with these arguments.
    pub(crate) fn serve(arguments: &[&str]) -> Self {
        Self::serve_with("", arguments)
    }

    /// Serves it under this `gwtf.toml`. Artefacts are unpacked into the folder `scratch`.
    pub(crate) fn serve_with(toml: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        fs_err::create_dir(folder.path().join("scratch")).unwrap();
        fs_err::write(folder.path().join("gwtf.toml"), toml).unwrap();
        let mut command = gwtf(folder.path());
        command.args(["serve", "--port", "0", "--json", "--limiter-header", "--package"]);
        command.arg("artefact").args(arguments).env("TMPDIR", folder.path().join("scratch"));
        Self { served: Served::spawn(command), folder }
    }

    /// `POST /prod/predict` that asks the function for `what`.
    pub(crate) fn ask(&self, what: &str) -> Reply {
        ask(self.served.authority(), what)
    }

    /// Has a request held by the function; returns once it is there.
    pub(crate) fn hold(&self) -> Held {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let what = format!("hold {}", listener.local_addr().unwrap().port());
        let authority = self.served.authority().to_owned();
        let reply = std::thread::spawn(move || ask(&authority, &what));
        let (connection, _) = listener.accept().unwrap();
        Held { connection, reply }
    }

    /// A file in `.gwtf`, once the server has ended; and what the server said.
    pub(crate) fn end(self) -> (TempDir, String) {
        let (status, talk) = self.served.end();
        assert!(status.success(), "{talk}");
        (self.folder, talk)
    }
}

fn ask(authority: &str, what: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("x-do", what)];
    request(authority, "POST", "/prod/predict", &headers, BODY.as_bytes())
}

/// A request that the function is busy with.
pub(crate) struct Held {
    connection: TcpStream,
    reply: JoinHandle<Reply>,
}

impl Held {
    /// Lets the function go on; the client's reply.
    pub(crate) fn release(self) -> Reply {
        drop(self.connection);
        self.reply.join().unwrap()
    }

    /// The client's reply while the function is still busy, and what lets the function go on.
    pub(crate) fn reply(self) -> (Reply, TcpStream) {
        (self.reply.join().unwrap(), self.connection)
    }
}

/// Waits until the function's end of the connection is closed: it has ended what it was at, or its
/// process was killed.
pub(crate) fn wait_for_end(mut connection: TcpStream) {
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    // A process that is killed may reset the connection.
    let _ = connection.read_to_end(&mut rest);
}
