//! A running `gwtf serve` and a plain HTTP client: one request a connection, every byte seen.

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// No reply takes this long; a hung server fails its test instead of hanging it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// A `gwtf serve` that ends with the value.
pub(crate) struct Served {
    child: Child,
    stderr: Option<JoinHandle<String>>,
    /// What it printed: `url`, `endpoint`, `live`, `versions`.
    pub(crate) announced: Value,
}

/// A reply, as it was on the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Served {
    /// Starts `gwtf serve --port 0` with these arguments in `folder`; returns when it serves.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = super::gwtf(folder);
        command.args(["serve", "--port", "0", "--json"]).args(arguments);
        Self::spawn(command)
    }

    /// Starts a whole command, which prints the document of `serve --json`.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut talk = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            talk.read_to_string(&mut text).unwrap();
            text
        });
        let stdout = child.stdout.take().unwrap();
        let mut documents = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>();
        match documents.next() {
            Some(Ok(announced)) => Self { child, stderr: Some(stderr), announced },
            _ => panic!("serve did not start: {}", stderr.join().unwrap()),
        }
    }

    /// The URL of `predict`.
    pub(crate) fn url(&self) -> &str {
        self.announced["url"].as_str().unwrap()
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> &str {
        self.url().split('/').nth(2).unwrap()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request on a connection of its own. `content-length` is added when there is a body.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        request(self.authority(), method, path, headers, body)
    }

    /// A JSON body to `path`.
    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        self.request("POST", path, &[("content-type", "application/json")], body.as_bytes())
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"")
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Sends SIGTERM, waits; how it ended and what it said.
    pub(crate) fn end(self) -> (ExitStatus, String) {
        self.terminate();
        self.ended()
    }

    /// Waits for the end of one that was told to stop, which a second signal would cut short.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.stderr.take().unwrap().join().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request to `authority` on a connection of its own.
pub(crate) fn request(
    authority: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses a large body may answer before it has read all of it.
    let _ = stream.write_all(body);
    read_reply(&mut stream)
}

/// The reply on a connection that the server closes after it.
pub(crate) fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A server that did not read everything may reset the connection behind its reply.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert!(!bytes.is_empty(), "no reply: {error}");
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a reply's head");
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Reply { status, headers, body: bytes[end + 4..].to_vec() }
}

impl Reply {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}
