//! A server that keeps every request as it came, and has botocore say whether it is signed rightly.

use base64::Engine as _;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// The secret key that all tests sign with.
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A reply's status, header lines and body.
pub(crate) type Answer = (u16, String, Vec<u8>);

/// A server on a free port. It runs until the test's process ends.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    recorded: Arc<Mutex<Vec<Recorded>>>,
}

impl Recorder {
    /// Answers every request with 200 and an empty JSON object.
    pub(crate) fn start() -> Self {
        Self::answering(|_| (200, String::new(), b"{}".to_vec()))
    }

    /// Answers every request by its status, header lines and body.
    pub(crate) fn answering(answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let recorded: Arc<Mutex<Vec<Recorded>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&recorded), Arc::new(answer));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || converse(socket, &kept, answer.as_ref()));
            }
        });
        Self { address, recorded }
    }

    /// `http://ADDRESS` and a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came since the last call.
    pub(crate) fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.recorded.lock().unwrap())
    }
}

fn converse(socket: TcpStream, kept: &Mutex<Vec<Recorded>>, answer: &dyn Fn(&Recorded) -> Answer) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut writer = socket;
    while let Some(request) = read(&mut reader) {
        let (status, headers, body) = answer(&request);
        kept.lock().unwrap().push(request);
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Text\r\ncontent-length: {length}\r\n{headers}\r\n");
        if writer.write_all(&[head.as_bytes(), &body].concat()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Recorded> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end_matches(['\r', '\n']) {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let header = |line: &String| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_owned(), value.to_owned()))
    };
    let headers = lines[1..].iter().map(header).collect::<Option<Vec<_>>>()?;
    let mut recorded = Recorded { method, target, headers, body: Vec::new() };
    let length = recorded.header("content-length").map_or(0, |length| length.parse().unwrap());
    recorded.body = vec![0; length];
    reader.read_exact(&mut recorded.body).ok()?;
    Some(recorded)
}

/// Has botocore recompute the signature of every request; panics with what is wrong.
pub(crate) fn verify(requests: &[Recorded]) {
    let faults: Vec<String> = faults(requests).into_iter().flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What botocore finds wrong with each request.
pub(crate) fn faults(requests: &[Recorded]) -> Vec<Option<String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/sigv4_verify.py");
    let base64 = base64::engine::general_purpose::STANDARD;
    let requests: Vec<Value> = requests
        .iter()
        .map(|request| {
            json!({
                "method": request.method, "target": request.target, "headers": request.headers,
                "body": base64.encode(&request.body),
            })
        })
        .collect();
    let mut python = Command::new(crate::support::python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let given = json!({ "secret": SECRET, "requests": requests }).to_string();
    python.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{script} failed");
    let faults: Vec<Option<String>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(faults.len(), requests.len());
    faults
}
