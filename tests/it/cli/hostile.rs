//! Load on servers that misbehave: the run ends by itself and says what became of each request.

use crate::support::served::Served;
use crate::support::{gwtf, held_to_schema, model};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// What a server does with a request whose head it has read.
#[derive(Clone, Copy)]
enum Conduct {
    Answer,
    Garbage,
    NoReply,
    Reset,
    Stall,
}

/// A server on a free port, a thread a connection; says when the first request came.
fn start(conduct: Conduct) -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || attend(&stream, conduct, &sender));
        }
    });
    (url, receiver)
}

fn attend(mut stream: &TcpStream, conduct: Conduct, sender: &mpsc::Sender<()>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while lines.any(|line| line.is_empty()) {
        // A test that has what it wants does not listen any more.
        let _ = sender.send(());
        let reply: &[u8] = match conduct {
            Conduct::Answer => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            Conduct::Garbage => b"\x00\xff not a reply \r\n\r\n",
            Conduct::NoReply => b"",
            Conduct::Stall => b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\nhalf of",
            Conduct::Reset => {
                // Closing with unread time to linger of zero sends a reset.
                let zero = Some(std::time::Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(stream, zero).unwrap();
                return;
            }
        };
        // The client may have given up.
        let _ = stream.write_all(reply);
    }
}

fn loadtest(folder: &Path, url: &str, flags: &str) -> Command {
    let mut command = gwtf(folder);
    command.args(["loadtest", "--json", "--url", url]).args(flags.split(' '));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_server_that_misbehaves_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (conduct, outcome) in [
        (Conduct::Garbage, "protocol_error"),
        (Conduct::NoReply, "client_timeout"),
        (Conduct::Stall, "client_timeout"),
        (Conduct::Reset, "connect_error"),
    ] {
        let (url, _requests) = start(conduct);
        let flags = "--rps 20 --duration 1s --timeout 500ms --assert rate(error)=0";
        let output = loadtest(folder.path(), &url, flags).output().unwrap();
        let report = held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
        assert_eq!(output.status.code(), Some(1), "{outcome}: the objective is missed");
        assert_eq!(report["offered"], 20);
        assert_eq!(report["outcomes"][outcome]["count"], 20, "{outcome}: {:#}", report["outcomes"]);
    }
}

#[test]
fn an_interrupt_ends_the_run_and_still_reports() {
    let folder = tempfile::tempdir().unwrap();
    let (url, requests) = start(Conduct::Answer);
    let child = loadtest(folder.path(), &url, "--rps 50 --duration 60s --report x.json").spawn();
    let child = child.unwrap();
    for _ in 0..10 {
        requests.recv().unwrap();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report = held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(report["interrupted"], true);
    assert!(report["outcomes"]["ok"]["count"].as_u64().unwrap() >= 9, "{:#}", report["outcomes"]);
    assert!(report["offered"].as_u64().unwrap() < 3_000, "only what was due by then");
    let kept = fs_err::read_to_string(folder.path().join("x.json")).unwrap();
    assert_eq!(held_to_schema(&kept)["interrupted"], true);
}

#[test]
fn serve_outlives_what_is_sent_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    let deep = format!("{{\"instances\":{}", "[".repeat(1_000_000));
    assert_eq!(served.post("/prod/predict", &deep).status, 400);
    let closed = format!("{{\"instances\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(served.post("/prod/predict", &closed).status, 400);
    // Past the gateway's check, to the parser itself.
    let text = [("content-type", "text/plain")];
    let reply = served.request("POST", "/prod/predict", &text, closed.as_bytes());
    assert_eq!(reply.status, 400, "{}", reply.text());

    let hundred_megabytes = format!("{{\"instances\":[[{}]]}}", "1,".repeat(50_000_000));
    let reply = served.post("/prod/predict", &hundred_megabytes);
    assert_eq!(reply.status, 413, "{reply:?}");

    // Bytes that are no request, a request that ends early, one that never ends.
    for bytes in [
        &b"\x16\x03\x01 not HTTP\r\n\r\n"[..],
        b"POST /prod/predict HTTP/1.1\r\ncontent-length: 9\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(served.authority()).unwrap();
        stream.write_all(bytes).unwrap();
    }
    let unending = TcpStream::connect(served.authority()).unwrap();
    (&unending).write_all(b"POST /prod/predict HTTP/1.1\r\nx: ").unwrap();
    let reply = served.post("/prod/predict", r#"{"instances":[[5.1,3.5,1.4,0.2]]}"#);
    assert_eq!(reply.status, 200);
    let document: Value = reply.json();
    assert!(document["predictions"][0][0].as_f64().unwrap() > 0.99, "{document}");
}
