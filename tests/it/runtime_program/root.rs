//! A task root made by hand, AWS's emulator in front of it, and proxy events.

use crate::support::{fixture, library};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gwtf::model::{Digest, onnx};
use gwtf::runtime::VERSION;
use gwtf::spec::ArtefactManifest;
use gwtf::spec::artefact::{Architecture, MANIFEST_FILE, SCHEMA};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// An unpacked artefact in a folder of its own.
pub(crate) struct TaskRoot {
    folder: tempfile::TempDir,
}

impl TaskRoot {
    /// An artefact of a fixture model, as endpoint of the model's name and version `v3`.
    pub(crate) fn new(model: &str) -> Self {
        Self::within(&std::env::temp_dir(), model)
    }

    /// The same under `parent`.
    pub(crate) fn within(parent: &Path, model: &str) -> Self {
        let root = Self { folder: tempfile::tempdir_in(parent).unwrap() };
        for folder in ["lib", "model"] {
            fs_err::create_dir(root.path().join(folder)).unwrap();
        }
        fs_err::copy(env!("CARGO_BIN_EXE_gwtf-runtime"), root.path().join("bootstrap")).unwrap();
        let source = fixture("models").join(model).join("model.onnx");
        fs_err::copy(&source, root.path().join("model/model.onnx")).unwrap();
        let name = format!("libonnxruntime.so.{VERSION}");
        fs_err::copy(library().path, root.path().join("lib").join(&name)).unwrap();
        let manifest = ArtefactManifest {
            schema: SCHEMA.to_owned(),
            endpoint: model.to_owned(),
            version: "v3".to_owned(),
            architecture: match std::env::consts::ARCH {
                "aarch64" => Architecture::Arm64,
                _ => Architecture::X86_64,
            },
            model: "model/model.onnx".to_owned(),
            model_digest: Digest::of(&fs_err::read(&source).unwrap()),
            optimized: false,
            onnxruntime: format!("lib/{name}"),
            onnxruntime_version: VERSION.to_owned(),
            signature: onnx::read_facts(&source).unwrap().signature,
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        fs_err::write(root.path().join(MANIFEST_FILE), manifest).unwrap();
        root
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program, with nothing of the caller's environment.
    pub(crate) fn bootstrap(&self) -> Command {
        let mut command = Command::new(self.path().join("bootstrap"));
        command.env_clear().stdin(Stdio::null());
        command
    }
}

/// AWS's Runtime Interface Emulator with an artefact behind it. Takes one call at a time.
pub(crate) struct Emulator {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Emulator {
    /// Starts it; the function has this timeout and memory.
    pub(crate) fn start(root: &TaskRoot, timeout_s: u32, memory_mib: u32) -> Self {
        Self::start_as(Command::new(emulator_path()), root, timeout_s, memory_mib)
    }

    /// The same through a command that takes the emulator's arguments.
    pub(crate) fn start_as(
        mut command: Command,
        root: &TaskRoot,
        timeout_s: u32,
        memory_mib: u32,
    ) -> Self {
        let (address, runtime_api) = (free_address(), free_address());
        let log = root.path().join("emulator.log");
        let file = fs_err::File::create(&log).unwrap().into_file();
        let child = command
            .args(["--runtime-interface-emulator-address", &address])
            .args(["--runtime-api-address", &runtime_api, "./bootstrap"])
            .current_dir(root.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("AWS_LAMBDA_FUNCTION_NAME", "iris")
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", timeout_s.to_string())
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mib.to_string())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut emulator = Self { child, address, log };
        while TcpStream::connect(&emulator.address).is_err() {
            assert!(emulator.child.try_wait().unwrap().is_none(), "{}", emulator.read_log());
            std::thread::sleep(Duration::from_millis(5));
        }
        emulator
    }

    /// Status and document of an invocation with these bytes.
    pub(crate) fn invoke_bytes(&self, payload: &[u8]) -> (u16, Value) {
        let path = "/2015-03-31/functions/function/invocations";
        let reply = crate::support::served::request(&self.address, "POST", path, &[], payload);
        (reply.status, reply.json())
    }

    /// The proxy reply to an event.
    pub(crate) fn invoke(&self, event: &Value) -> ProxyReply {
        let (_, document) = self.invoke_bytes(event.to_string().as_bytes());
        ProxyReply(document)
    }

    /// The process id of the function that runs.
    pub(crate) fn function_pid(&self) -> Option<i32> {
        let id = self.child.id();
        let tasks = fs_err::read_dir(format!("/proc/{id}/task")).unwrap();
        let children = tasks
            .filter_map(|task| fs_err::read_to_string(task.ok()?.path().join("children")).ok())
            .collect::<String>();
        children.split_whitespace().next().map(|pid| pid.parse().unwrap())
    }

    /// What the emulator and the function wrote so far.
    pub(crate) fn read_log(&self) -> String {
        fs_err::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Told to end, it ends its function as well.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A proxy reply, or the error document of a function.
#[derive(Debug)]
pub(crate) struct ProxyReply(pub(crate) Value);

impl ProxyReply {
    pub(crate) fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().unwrap_or_else(|| panic!("no reply: {}", self.0))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0["headers"][name].as_str()
    }

    /// The body's bytes, as API Gateway sends them on.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = self.0["body"].as_str().unwrap();
        match self.0["isBase64Encoded"].as_bool().unwrap() {
            true => STANDARD.decode(body).unwrap(),
            false => body.as_bytes().to_vec(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap()
    }
}

/// A proxy event as API Gateway makes it; a body that is no text goes in base64.
pub(crate) fn event(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let single: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let multiple: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    let (body, is_base64) = match std::str::from_utf8(body) {
        Ok("") => (Value::Null, false),
        Ok(text) => (json!(text), false),
        Err(_) => (json!(STANDARD.encode(body)), true),
    };
    json!({
        "resource": path, "path": path, "httpMethod": method,
        "headers": single, "multiValueHeaders": multiple,
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": null, "stageVariables": null,
        "requestContext": {
            "accountId": "111122223333", "apiId": "abcde12345", "stage": "prod",
            "path": format!("/prod{path}"), "resourcePath": path, "httpMethod": method,
            "requestId": "6f0b0f9e-0000-4000-8000-000000000000",
            "identity": {"accessKey": null, "sourceIp": "203.0.113.9"},
        },
        "body": body, "isBase64Encoded": is_base64,
    })
}

/// The request lines of a log.
pub(crate) fn request_lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.starts_with("{\"_aws\""));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits for a process; its exit status and what it wrote to stdout.
pub(crate) fn ended(child: Child) -> (ExitStatus, String) {
    let output = child.wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stdout).unwrap())
}

/// An address that nothing listens on.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// AWS's emulator as this machine has it.
pub(crate) fn emulator_path() -> PathBuf {
    let arch = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        arch => arch,
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools");
    let path = crate::support::variable("GWTF_TEST_RIE")
        .map_or_else(|| folder.join(format!("aws-lambda-rie-{arch}")), PathBuf::from);
    assert!(path.is_file(), "{} is missing: run tests/run", path.display());
    path
}
