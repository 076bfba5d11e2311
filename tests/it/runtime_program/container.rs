//! The HTTP host of an artefact.

use super::root::{TaskRoot, ended, request_lines};
use crate::support::served::{Reply, read_reply, request};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

const ROW: &[u8] = b"{\"instances\":[[5.1,3.5,1.4,0.2]]}";

/// A container that serves.
pub(crate) struct Container {
    child: Child,
    authority: String,
    log: Option<JoinHandle<String>>,
}

impl Container {
    /// Starts the command, which is `bootstrap` or ends in it; returns when it is ready.
    pub(crate) fn start(command: Command) -> Self {
        let container = Self::start_loading(command);
        while container.get("/v2/health/ready").status != 200 {
            std::thread::yield_now();
        }
        container
    }

    /// The same, returning when it listens.
    fn start_loading(mut command: Command) -> Self {
        command.env("PORT", "0").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(listening["event"], "listening", "{line}");
        let (_, port) = listening["message"].as_str().unwrap().rsplit_once(':').unwrap();
        let authority = format!("127.0.0.1:{port}");
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            reader.read_to_string(&mut log).unwrap();
            log
        });
        Self { child, authority, log: Some(log) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        request(&self.authority, "GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Reply {
        let headers = [("content-type", "application/json"), ("x-api-key", "s3cret")];
        request(&self.authority, "POST", path, &headers, body)
    }

    /// Sends SIGTERM.
    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Sends SIGTERM, waits; how it ended and what it logged.
    pub(crate) fn end(self) -> (ExitStatus, String) {
        self.terminate();
        self.ended()
    }

    /// Waits for the end of one that was told to stop.
    fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_container_serves_and_ends_with_zero() {
    let root = TaskRoot::new("iris");
    let container = Container::start(root.bootstrap());
    assert_eq!(container.get("/v2/health/live").text(), "{\"live\":true}");
    assert_eq!(container.get("/v2/health/ready").text(), "{\"ready\":true}");
    let first = container.post("/predict", ROW);
    assert_eq!((first.status, first.header("x-gwtf-cold-start")), (200, Some("true")));
    assert_eq!(first.header("x-gwtf-model-version"), Some("v3"));
    assert!(first.json()["predictions"][0][0].as_f64().unwrap() > 0.99);
    let second = container.post("/v3/predict", ROW);
    assert_eq!((second.status, second.header("x-gwtf-cold-start")), (200, None));
    assert_eq!(second.body, first.body);
    assert_eq!(container.get("/s3cret").status, 404);
    let (status, log) = container.end();
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("s3cret"), "{log}");
    let lines = request_lines(&log);
    let predicts: Vec<&Value> =
        lines.iter().filter(|line| line["route"] == "POST /predict").collect();
    assert_eq!(predicts.len(), 1);
    assert_eq!((&predicts[0]["ColdStart"], &predicts[0]["status"]), (&json!(1), &json!(200)));
    assert!(predicts[0]["InferenceTime"].is_number());
    assert_eq!(predicts[0]["request_bytes"], ROW.len());
    assert!(lines.iter().any(|line| line["error"] == "no_route"));
}

#[test]
fn the_environment_names_version_and_endpoint() {
    let root = TaskRoot::new("iris");
    let mut command = root.bootstrap();
    command.env("GWTF_VERSION", "v7").env("GWTF_ENDPOINT", "flowers");
    let container = Container::start(command);
    let reply = container.post("/v1/models/flowers/versions/7:predict", ROW);
    assert_eq!((reply.status, reply.header("x-gwtf-model-version")), (200, Some("v7")));
    assert_eq!(container.get("/v2/models/iris").status, 404);
}

#[test]
fn the_task_root_of_the_environment_stands_above_the_programs_folder() {
    let (program, artefact) = (TaskRoot::new("iris"), TaskRoot::new("slow"));
    let mut command = program.bootstrap();
    command.env("LAMBDA_TASK_ROOT", artefact.path());
    let container = Container::start(command);
    assert_eq!(container.get("/v2/models/slow").status, 200);
    // A task root without a manifest says nothing.
    let mut command = program.bootstrap();
    command.env("LAMBDA_TASK_ROOT", artefact.path().join("lib"));
    let container = Container::start(command);
    assert_eq!(container.get("/v2/models/iris").status, 200);
}

/// A request that the host has taken up: it has asked for the body, which is still to come.
fn begun(container: &Container, route: &str, body_bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&container.authority).unwrap();
    let head = format!(
        "{route} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {body_bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn requests_under_way_at_sigterm_are_answered() {
    let root = TaskRoot::new("slow");
    let container = Container::start(root.bootstrap());
    let body = b"{\"instances\":[[1,2,3,4]]}";
    let mut streams: Vec<TcpStream> =
        (0..6).map(|_| begun(&container, "POST /predict", body.len())).collect();
    let mut health = begun(&container, "GET /v2/health/ready", 1);
    container.terminate();
    while TcpStream::connect(&container.authority).is_ok() {
        std::thread::yield_now();
    }
    health.write_all(b" ").unwrap();
    let reply = read_reply(&mut health);
    assert_eq!((reply.status, reply.text()), (503, "{\"ready\":false}"));
    for stream in &mut streams {
        stream.write_all(body).unwrap();
    }
    for stream in &mut streams {
        assert_eq!(read_reply(stream).status, 200);
    }
    let (status, log) = container.ended();
    assert_eq!(status.code(), Some(0));
    let answered = request_lines(&log);
    assert_eq!(answered.iter().filter(|line| line["route"] == "POST /predict").count(), 6);
}

#[expect(clippy::disallowed_methods, reason = "a wait is compared with a run")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn sigterm_waits_for_no_run_whose_client_is_gone() {
    let root = TaskRoot::new("slow");
    let container = Container::start(root.bootstrap());
    // Seconds of work, which nothing can break off.
    let rows = vec!["[1,2,3,4]"; 100_000].join(",");
    let body = format!("{{\"instances\":[{rows}]}}");
    let begun_at = now();
    assert_eq!(container.post("/predict", body.as_bytes()).status, 200);
    let took = begun_at.elapsed();
    let mut stream = begun(&container, "POST /predict", body.len());
    let ticks = || -> u64 {
        let task = format!("/proc/{}/task", container.pid());
        let threads = fs_err::read_dir(task).unwrap().flatten().map(|thread| {
            let read = |name| fs_err::read_to_string(thread.path().join(name)).unwrap_or_default();
            let stat = read("stat");
            // Fields 14 and 15, user and system time, counted behind the thread's name.
            let fields = stat.rsplit(')').next().unwrap().split_ascii_whitespace().skip(11);
            fields.take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>()
        });
        threads.sum()
    };
    let before = ticks();
    stream.write_all(body.as_bytes()).unwrap();
    // Longer than reading the body takes.
    while ticks() < before + 60 {
        std::thread::yield_now();
    }
    drop(stream);
    let told_at = now();
    let (status, log) = container.end();
    assert_eq!(status.code(), Some(0), "{log}");
    let waited = told_at.elapsed();
    assert!(waited < took / 2, "waited {waited:?}, the run takes {took:?}");
}

#[test]
fn sigterm_waits_for_no_model_that_is_being_loaded() {
    let root = TaskRoot::new("external-data");
    // Opening it takes until somebody writes it.
    let weights = root.path().join("model/weights.bin");
    assert!(Command::new("mkfifo").arg(weights).status().unwrap().success());
    let container = Container::start_loading(root.bootstrap());
    assert_eq!(container.get("/v2/health/live").status, 200);
    assert_eq!(container.get("/v2/health/ready").status, 503);
    assert_eq!(container.end().0.code(), Some(0));
}

#[test]
fn what_cannot_be_served_ends_the_program_with_its_reason() {
    for (variable, value, damage, words) in [
        ("PORT", "http", false, "PORT"),
        ("GWTF_VERSION", "latest", false, "reserved"),
        ("PORT", "0", true, "no ONNX model"),
    ] {
        let root = TaskRoot::new("iris");
        if damage {
            fs_err::write(root.path().join("model/model.onnx"), b"no model").unwrap();
        }
        let mut command = root.bootstrap();
        let command = command.env("PORT", "0").env(variable, value).stdout(Stdio::piped());
        let (status, log) = ended(command.spawn().unwrap());
        assert_eq!(status.code(), Some(3), "{log}");
        let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!((&last["level"], &last["event"]), (&json!("error"), &json!("ended")));
        assert!(last["message"].as_str().unwrap().contains(words), "{last}");
    }
}
