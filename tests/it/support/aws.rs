//! What plays AWS in tests: moto, LocalEmu with its data plane, faults and a recorder before either.

/// LocalEmu: functions run, endpoints answer.
pub(crate) mod local_emu;
/// microburst: faults between a client and a stand-in.
pub(crate) mod microburst;
/// moto: a recorder of the control plane.
pub(crate) mod moto;
/// Every request on its way, and what AWS's models say about it.
pub(crate) mod recorder;

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The region that clients are told, which is not the one with rules of its own (us-east-1).
pub(crate) const REGION: &str = "eu-central-1";
/// No part takes this long to listen; one that does fails its test instead of hanging it.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Where a stand-in listens: on this machine's loopback, or in a network namespace of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// This process's own.
    Here,
    /// That of a process which made it.
    NamespaceOf {
        /// The process.
        pid: u32,
        /// Whether it needed a user namespace to make one.
        user: bool,
    },
}

/// What an AWS client is to be pointed at.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    pub(crate) place: Place,
}

/// A plain HTTP call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Its reply.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: Value,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Place {
    /// A command that runs there.
    pub(crate) fn command(self, program: &Path) -> Command {
        match self {
            Self::Here => Command::new(program),
            Self::NamespaceOf { pid, user } => {
                let mut command = Command::new("nsenter");
                command.args(["--target", &pid.to_string(), "--net"]);
                if user {
                    command.args(["--user", "--preserve-credentials"]);
                }
                command.arg("--").arg(program);
                command
            }
        }
    }

    /// Plain HTTP calls from there, one after the other; a call without a reply is an error.
    pub(crate) fn call(self, calls: &[Call]) -> Vec<Result<Answer, String>> {
        let calls: Vec<Value> = calls
            .iter()
            .map(|call| {
                let headers: serde_json::Map<String, Value> = call
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                    .collect();
                json!({
                    "method": call.method, "url": call.url, "headers": headers, "body": call.body,
                })
            })
            .collect();
        let mut command = self.command(&python());
        command.arg(script("call.py"));
        let replies: Vec<Value> =
            serde_json::from_str(&output(command, &json!(calls).to_string())).unwrap();
        replies
            .into_iter()
            .map(|reply| match reply["error"].as_str() {
                Some(error) => Err(error.to_owned()),
                None => Ok(Answer {
                    status: u16::try_from(reply["status"].as_u64().unwrap()).unwrap(),
                    headers: reply["headers"].clone(),
                    body: reply["body"].as_str().unwrap().to_owned(),
                }),
            })
            .collect()
    }
}

impl Endpoint {
    /// A command for which this is AWS: region, made-up credentials, nothing of the caller's.
    pub(crate) fn client(&self, program: &Path) -> Command {
        let mut command = self.place.command(program);
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", REGION)
            // What boto3 reads.
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY"] {
            command.env_remove(name);
        }
        command
    }

    /// One call to a path of it, which must answer.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        if self.place == Place::Here {
            let authority = self.url.strip_prefix("http://").unwrap();
            let json = [("content-type", "application/json")];
            let reply = super::served::request(authority, method, path, &json, body.as_bytes());
            return Answer {
                status: reply.status,
                headers: reply.headers.into_iter().collect(),
                body: String::from_utf8(reply.body).unwrap(),
            };
        }
        let call = Call {
            method: method.to_owned(),
            url: format!("{}{path}", self.url),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_owned(),
        };
        self.place.call(&[call]).remove(0).unwrap()
    }

    /// Everything that is there, as `tests/aws/state.py` describes it.
    pub(crate) fn state(&self) -> Value {
        let mut command = self.client(&python());
        command.arg(script("state.py")).arg(&self.url);
        serde_json::from_str(&output(command, "")).unwrap()
    }
}

/// A program that prints a JSON document with its `url` once it listens, and ends with the value.
pub(crate) struct Announced {
    child: Child,
    pub(crate) url: String,
}

impl Announced {
    pub(crate) fn start(mut command: Command) -> Self {
        // Held until the value ends: the program ends with this process, however that ends.
        command.stdin(Stdio::piped()).env("LIFELINE", "stdin");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let first = awaited_line(child.stdout.take().unwrap(), |_| true);
        let Some(line) = first else {
            let _ = child.kill();
            panic!("{command:?} did not start: {}", child.wait().unwrap());
        };
        let announced: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: announced["url"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// [`Endpoint::state`] as often as it is wanted, from one process.
pub(crate) struct StateReader {
    child: Child,
    pipes: std::sync::Mutex<(std::process::ChildStdin, BufReader<std::process::ChildStdout>)>,
}

impl StateReader {
    pub(crate) fn start(endpoint: &Endpoint) -> Self {
        let mut command = endpoint.client(&python());
        command.arg(script("state.py")).arg(&endpoint.url).arg("--each-line");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, pipes: std::sync::Mutex::new(pipes) }
    }

    /// What is there now.
    pub(crate) fn state(&self) -> Value {
        let mut pipes = self.pipes.lock().unwrap();
        pipes.0.write_all(b"\n").unwrap();
        let mut line = String::new();
        pipes.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for StateReader {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first line of an output that is wanted, within the time that any part may take to start.
/// The rest is read whether or not anybody wants it, so that the program never waits.
fn awaited_line(
    output: impl std::io::Read + Send + 'static,
    wanted: impl Fn(&str) -> bool + Send + 'static,
) -> Option<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            if wanted(&line) {
                let _ = sender.try_send(line);
            }
        }
    });
    receiver.recv_timeout(START_TIMEOUT).ok()
}

/// What a command printed that was given `input`, and must succeed.
pub(crate) fn output(mut command: Command, input: &str) -> String {
    let (status, text) = run(&mut command, input);
    assert!(status, "{command:?} failed: {text}");
    text
}

/// Whether a command that was given `input` succeeded, and what it printed.
pub(crate) fn run(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that fails may end before it has read all.
        let _ = stdin.write_all(input.as_bytes());
    });
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    writer.join().unwrap();
    (child.wait().unwrap().success(), text)
}

/// The environment with moto, boto3 and the linters, which `tests/run` makes.
pub(crate) fn python() -> PathBuf {
    environment("test-aws").unwrap_or_else(|path| panic!("{path} is missing: run tests/run"))
}

/// The interpreter of one of `tests/run`'s environments, or the path where it is missing.
fn environment(name: &str) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("target").join(name).join("bin/python");
    if path.is_file() { Ok(path) } else { Err(path.display().to_string()) }
}

/// A script of `tests/aws`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws").join(name)
}
