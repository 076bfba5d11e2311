use super::*;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// A Runtime API that answers with the given replies, some on a connection, and tells what it got.
fn api(connections: Vec<Vec<&'static str>>) -> (Api, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Api::new(listener.local_addr().unwrap().to_string());
    let peer = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for replies in connections {
            let (mut stream, _) = listener.accept().unwrap();
            for reply in replies {
                requests.push(request(&mut stream));
                stream.write_all(reply.as_bytes()).unwrap();
            }
        }
        requests
    });
    (client, peer)
}

/// One whole request.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
        if !bytes.ends_with(b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8(bytes).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).unwrap();
        return head + std::str::from_utf8(&body).unwrap();
    }
}

const NEXT: &str = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-1\r\n\
                    Content-Length: 2\r\n\r\n{}";
const TAKEN: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{\"status\":\"OK\"}";
const REFUSED: &str = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

#[test]
fn an_invocation_is_taken_and_answered_on_one_connection() {
    let (mut api, peer) = api(vec![vec![NEXT, TAKEN, NEXT, TAKEN, REFUSED]]);
    let invocation = api.next().unwrap();
    assert_eq!(invocation.request_id, "id-1");
    assert_eq!(api.event(invocation.event.unwrap()), b"{}");
    assert!(api.respond("id-1", b"{\"statusCode\":200}").unwrap());
    api.next().unwrap();
    assert!(api.fail("id-1", &Fault::new("Runtime.InvalidEvent", "no \"event\"")).unwrap());
    assert!(!api.respond("id-1", b"x").unwrap());
    let requests = peer.join().unwrap();
    assert!(requests[0].starts_with("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"));
    assert!(requests[1].starts_with("POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1"));
    assert!(requests[1].ends_with("\r\n\r\n{\"statusCode\":200}"));
    assert!(requests[3].starts_with("POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1"));
    let kind = "\r\nLambda-Runtime-Function-Error-Type: Runtime.InvalidEvent\r\n";
    assert!(requests[3].contains(kind), "{}", requests[3]);
    let body = "\r\n\r\n{\"errorMessage\":\"no \\\"event\\\"\",\
                \"errorType\":\"Runtime.InvalidEvent\",\"stackTrace\":[]}";
    assert!(requests[3].ends_with(body), "{}", requests[3]);
}

#[test]
fn a_connection_closed_in_between_is_opened_anew() {
    let (mut api, peer) = api(vec![vec![NEXT], vec![TAKEN]]);
    api.next().unwrap();
    assert!(api.respond("id-1", b"{}").unwrap());
    assert_eq!(peer.join().unwrap().len(), 2);
}

#[test]
fn a_fresh_connection_that_says_nothing_is_the_end() {
    let (mut api, peer) = api(vec![vec![""]]);
    let error = api.next().unwrap_err();
    assert!(matches!(error, ApiError::Exchange(_)), "{error}");
    peer.join().unwrap();
}

#[test]
fn a_broken_api_ends_the_program() {
    let (mut api, peer) = api(vec![vec![BROKEN, BROKEN]]);
    assert!(matches!(api.next().unwrap_err(), ApiError::Status { status: 500, .. }));
    assert!(matches!(api.respond("a", b"").unwrap_err(), ApiError::Status { status: 500, .. }));
    peer.join().unwrap();
}
