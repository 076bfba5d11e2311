//! The requests of a whole life of an endpoint, as they go over the wire, decided by the documents that
//! `gwtf iam deployer` prints. What each is authorised as is said by `tests/aws/iam_requests.py`, which
//! knows nothing of gwtf's own list.

use crate::sigv4::recorder as endpoint;
use crate::support::aws::moto::Moto;
use crate::support::aws::recorder::Recorder;
use crate::support::aws::{output, python, script};
use crate::support::{library, model};
use gwtf::identity::policy::{Document, Effect, Policies, Request, evaluate, parse};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

const ACCOUNT: &str = "123456789012";
const REST_APIS: [(&str, &str); 3] =
    [("rest_apis", "/restapis"), ("usage_plans", "/usageplans"), ("api_keys", "/apikeys")];

/// An account, a recorder before it, and an endpoint that says to be the version that is asked for.
struct Wire {
    moto: Moto,
    recorder: Recorder,
    endpoint: endpoint::Recorder,
    version: Arc<Mutex<String>>,
    folder: tempfile::TempDir,
    runtime: PathBuf,
    /// Tags of what API Gateway ever had, by path.
    tags: BTreeMap<String, Value>,
}

impl Wire {
    fn start(toml: &str) -> Self {
        let moto = Moto::start();
        let recorder = Recorder::start(&moto.endpoint);
        let version = Arc::new(Mutex::new(String::new()));
        let asked = Arc::clone(&version);
        let endpoint = endpoint::Recorder::answering(move |_| {
            let header = format!("x-gwtf-model-version: {}\r\n", asked.lock().unwrap());
            (200, header, b"{\"predictions\":[0]}".to_vec())
        });
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("gwtf.toml"), toml).unwrap();
        let runtime = folder.path().join("gwtf-runtime");
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&runtime).arg(env!("CARGO_BIN_EXE_gwtf-runtime"));
        assert!(strip.status().unwrap().success());
        Self { moto, recorder, endpoint, version, folder, runtime, tags: BTreeMap::new() }
    }

    /// What the program prints, which must succeed; `answers` is the version that the endpoint is.
    #[track_caller]
    fn run(&mut self, arguments: &str, answers: &str) -> String {
        answers.clone_into(&mut self.version.lock().unwrap());
        let mut command = self.recorder.endpoint.client(Path::new(env!("CARGO_BIN_EXE_gwtf")));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("GWTF_EXECUTE_API_URL", self.endpoint.url("/{rest_api}/{stage}"))
            .env("GWTF_RUNTIME", &self.runtime)
            .env("ORT_DYLIB_PATH", library().path)
            .env_remove("AWS_ACCOUNT_ID")
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gwtf {arguments}: {told}");
        self.remember();
        String::from_utf8(output.stdout).unwrap()
    }

    fn deploy(&mut self, version: &str, name: &str, flags: &str, answers: &str) {
        let path = model(name);
        self.run(&format!("deploy {path} --version {version} {flags}"), answers);
    }

    fn remember(&mut self) {
        let state = self.moto.endpoint.state();
        for (kind, path) in REST_APIS {
            for one in state[kind].as_array().unwrap() {
                let id = one["id"].as_str().unwrap();
                self.tags.insert(format!("{path}/{id}"), one["tags"].clone());
            }
        }
    }

    /// A call with a client of AWS's own, past the recorder.
    fn by_hand(&self, code: &str) {
        let mut command = self.moto.endpoint.client(&python());
        let scripts = script("clients.py");
        command.env("PYTHONPATH", scripts.parent().unwrap());
        command.args(["-c", &format!("from clients import client\n{code}")]);
        output(command, "");
    }

    /// The document that the program prints.
    fn document(&mut self, flags: &str) -> Document {
        let printed = self.run(&format!("iam deployer --json {flags}"), "");
        let printed: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(printed["account_id"], ACCOUNT);
        parse(printed["policy"].to_string().as_bytes()).unwrap()
    }

    fn so_far(&self) -> usize {
        self.recorder.requests().len()
    }

    /// What IAM decides on for the requests of this range.
    fn decided(&self, requests: std::ops::Range<usize>) -> Vec<(String, Request)> {
        // Those before say what roles there are.
        let lines: Vec<String> =
            self.recorder.requests()[..requests.end].iter().map(Value::to_string).collect();
        let mut command = Command::new(python());
        command.arg(script("iam_requests.py")).arg(ACCOUNT).arg(json!(self.tags).to_string());
        let decided: Vec<Value> =
            serde_json::from_str(&output(command, &lines.join("\n"))).unwrap();
        let of_range = |one: &&Value| one["number"].as_u64().unwrap() > requests.start as u64;
        decided.iter().filter(of_range).map(as_request).collect()
    }

    /// The signed requests to the endpoint, as IAM decides on them.
    fn invoked(&self) -> Vec<(String, Request)> {
        let signed = self.endpoint.take().into_iter().filter(|request| {
            request.header("authorization").is_some_and(|text| text.contains("/execute-api/"))
        });
        let invoked = signed.map(|request| {
            let (id, rest) = request.target[1..].split_once('/').unwrap();
            let (stage, path) = rest.split_once('/').unwrap();
            let method = &request.method;
            let arn =
                format!("arn:aws:execute-api:eu-central-1:{ACCOUNT}:{id}/{stage}/{method}/{path}");
            ("invoke".to_owned(), Request::new("execute-api:Invoke", &arn))
        });
        invoked.collect()
    }
}

fn as_request(decided: &Value) -> (String, Request) {
    let text = |name: &str| decided[name].as_str().unwrap();
    let mut request = Request::new(text("action"), text("resource"));
    for (key, values) in decided["context"].as_object().unwrap() {
        let values = values.as_array().unwrap().iter().map(|value| value.as_str().unwrap());
        request = request.with(key, values);
    }
    (format!("request {}: {}", decided["number"], text("operation")), request)
}

/// The requests that a document does not allow.
fn denied(document: &Document, requests: &[(String, Request)]) -> Vec<String> {
    let identity = std::slice::from_ref(document);
    let policies = Policies { identity, ..Policies::default() };
    let denied = requests.iter().filter(|(_, request)| !evaluate(&policies, request).is_allowed());
    denied.map(|(from, request)| format!("{from}: {request:?}")).collect()
}

/// Actions that a document allows and none of the requests is.
fn unused(document: &Document, requests: &[(String, Request)]) -> Vec<String> {
    let used: BTreeSet<&str> =
        requests.iter().map(|(_, request)| request.action.as_str()).collect();
    let allows = document.statements.iter().filter(|one| one.effect == Effect::Allow);
    let actions: BTreeSet<&String> =
        allows.flat_map(|statement| statement.actions.patterns()).collect();
    actions.into_iter().filter(|action| !used.contains(action.as_str())).cloned().collect()
}

const SIGNED: &str = "[endpoint]\nname = \"iris\"\ntarget = \"lambda\"\n";
/// From nothing to nothing again; returns where the first deploy and where `prune` ended.
fn live(wire: &mut Wire, changed_toml: &str) -> (usize, usize) {
    wire.deploy("v1", "iris", "", "v1");
    let first = wire.so_far();
    wire.deploy("v2", "iris-v2", "--canary 10 --yes", "v2");
    wire.run("promote", "v2");
    wire.run("rollback", "v1");
    let looking = wire.so_far();
    wire.run("history", "");
    wire.run(&format!("plan {} --version v3", model("iris")), "");
    let looked = wire.so_far();
    let reads = wire.document("--read-only");
    assert_eq!(denied(&reads, &wire.decided(looking..looked)), Vec::<String>::new());
    fs_err::write(wire.folder.path().join("gwtf.toml"), changed_toml).unwrap();
    wire.deploy("v1", "iris", "--yes", "v1");
    wire.run("prune --keep 1", "");
    (first, wire.so_far())
}

#[test]
fn the_requests_of_a_signed_endpoint_are_those_of_its_documents() {
    let mut wire = Wire::start(SIGNED);
    let whole = wire.document("");
    let began = wire.so_far();
    let changed = format!("{SIGNED}[function]\nmemory_mib = 2048\n");
    let (first, pruned) = live(&mut wire, &changed);
    let api = wire.tags.keys().find_map(|path| path.strip_prefix("/restapis/")).unwrap().to_owned();
    let releases = wire.document(&format!("--without-bootstrap --rest-api {api}"));
    assert_eq!(denied(&releases, &wire.decided(first..pruned)), Vec::<String>::new());
    // Somebody has the account's hands on it; then everything goes.
    wire.by_hand(&format!("client('apigateway').delete_rest_api(restApiId='{api}')"));
    wire.by_hand(
        "client('iam').update_assume_role_policy(RoleName='gwtf-iris-eu-central-1', \
         PolicyDocument='{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\
         \"Principal\":{\"Service\":\"ec2.amazonaws.com\"}}]}')",
    );
    wire.deploy("v1", "iris", "--yes --break-lock", "v1");
    wire.run("destroy --yes", "");
    let mut requests = wire.decided(began..wire.so_far());
    let invoked = wire.invoked();
    assert!(invoked.len() >= 6, "{invoked:?}");
    assert_eq!(denied(&releases, &invoked[..1]), Vec::<String>::new());
    requests.extend(invoked);
    assert_eq!(denied(&whole, &requests), Vec::<String>::new());
    // Asked for when the code that is there is a new version's, which this life has no case of.
    assert_eq!(unused(&whole, &requests), ["lambda:PublishVersion"]);
}
