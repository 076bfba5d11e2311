//! Sandboxes under concurrency and time: A8, A9 and A12 of AWS's conformance assertions.

use super::artefact::{FAILED, Function, wait_for_end};
use crate::sandbox::function::lives;
use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};

#[test]
fn one_request_beyond_the_reserved_concurrency_is_a_500_and_never_a_429() {
    let function = Function::serve(&["--reserved-concurrency", "2"]);
    let held = [function.hold(), function.hold()];
    let reply = function.ask("pid");
    assert_eq!((reply.status, reply.text()), (500, FAILED));
    assert_eq!(reply.header("x-amzn-errortype"), Some("InternalServerErrorException"));
    assert_eq!(reply.header("x-gwtf-limiter"), Some("concurrency"));
    for held in held {
        assert_eq!(held.release().text(), "held");
    }
    assert_eq!(function.ask("pid").status, 200);
}

#[test]
fn a_reserved_concurrency_of_nothing_switches_the_function_off() {
    let function = Function::serve(&["--reserved-concurrency", "0"]);
    let reply = function.ask("pid");
    assert_eq!((reply.status, reply.text()), (500, FAILED));
}

#[test]
fn sandboxes_take_one_request_at_a_time_and_are_used_again() {
    let function = Function::serve(&[]);
    let first = function.ask("pid");
    assert_eq!(first.header("x-gwtf-cold-start"), Some("true"));
    let again = function.ask("pid");
    assert_eq!(again.header("x-gwtf-cold-start"), None);
    assert_eq!(first.text(), again.text());
    let held = function.hold();
    let beside = function.ask("pid");
    assert_eq!(beside.header("x-gwtf-cold-start"), Some("true"));
    assert_ne!(beside.text(), first.text());
    assert_eq!(held.release().status, 200);
    let known = BTreeSet::from([first.text(), beside.text()]);
    assert!(known.contains(function.ask("pid").text()));
}

#[test]
fn after_a_504_the_function_goes_on_and_stays_busy() {
    let toml = "[gateway]\ntimeout_ms = 200\n";
    let function = Function::serve_with(toml, &["--reserved-concurrency", "1"]);
    // The first start may take longer than the timeout.
    let mut pid = function.ask("pid");
    while pid.status != 200 {
        assert!(matches!(pid.status, 504 | 500), "{pid:?}");
        pid = function.ask("pid");
    }
    let (reply, connection) = function.hold().reply();
    assert_eq!((reply.status, reply.text()), (504, r#"{"message": "Endpoint request timed out"}"#));
    let busy = function.ask("pid");
    assert_eq!((busy.status, busy.header("x-gwtf-limiter")), (500, Some("concurrency")));
    wait_for_end(connection);
    // It has still to say so to its sandbox.
    let free = std::iter::repeat_with(|| function.ask("pid")).find(|reply| reply.status != 500);
    assert_eq!(free.unwrap().text(), pid.text(), "the same sandbox goes on");
}

#[test]
fn a_crash_is_a_502_and_the_next_request_works() {
    let function = Function::serve(&["--reserved-concurrency", "1"]);
    let before = function.ask("pid");
    for _ in 0..2 {
        let reply = function.ask("crash");
        assert_eq!((reply.status, reply.text()), (502, FAILED));
        let after = function.ask("pid");
        assert_eq!(after.status, 200);
        assert_ne!(after.text(), before.text());
    }
    let (folder, _) = function.end();
    let log = fs_err::read_to_string(folder.path().join(".gwtf/access.log")).unwrap();
    assert!(log.contains("502"), "{log}");
}

#[test]
fn an_error_that_the_function_reports_is_a_502_and_its_sandbox_goes_on() {
    let function = Function::serve(&[]);
    let before = function.ask("pid");
    let reply = function.ask("error");
    assert_eq!((reply.status, reply.text()), (502, FAILED));
    assert_eq!(function.ask("pid").text(), before.text());
}

#[test]
fn the_functions_own_timeout_is_a_502_and_ends_its_sandbox() {
    let function = Function::serve(&["--function-timeout", "1s"]);
    let before = function.ask("pid");
    let (reply, connection) = function.hold().reply();
    assert_eq!((reply.status, reply.text()), (502, FAILED));
    wait_for_end(connection);
    let after = function.ask("pid");
    assert_eq!(after.status, 200);
    assert_ne!(after.text(), before.text());
}

/// A reply is out before its function is done, and its report comes after that.
#[test]
fn the_last_report_is_written_before_the_server_ends() {
    let function = Function::serve(&[]);
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let what = format!("linger {}", door.local_addr().unwrap().port());
    assert_eq!(function.ask(&what).text(), "lingers");
    let (lingering, _) = door.accept().unwrap();
    function.served.terminate();
    until_closed(function.served.authority());
    drop(lingering);
    let (status, talk) = function.served.ended();
    assert!(status.success(), "{talk}");
    let log = fs_err::read_to_string(function.folder.path().join(".gwtf/function.log")).unwrap();
    assert_eq!(log.matches("REPORT RequestId: ").count(), 1, "{log}");
    assert!(!log.contains("Status: "), "{log}");
}

/// Waits until a server takes no connection any more.
fn until_closed(authority: &str) {
    while TcpStream::connect(authority).is_ok() {
        std::thread::yield_now();
    }
}

/// Also one that left its sandbox's process group, where control groups hold it.
#[test]
fn nothing_survives_a_server_that_is_interrupted_twice() {
    let function = Function::serve(&[]);
    let pid: u64 = function.ask("pid").text().parse().unwrap();
    let stray: u64 = function.ask("stray").text().parse().unwrap();
    let groups = fs_err::read_to_string(format!("/proc/{stray}/cgroup")).unwrap();
    let held = function.hold();
    function.served.terminate();
    // Whoever still connects is too early for the second signal.
    until_closed(function.served.authority());
    function.served.terminate();
    let (status, talk) = function.served.ended();
    assert_eq!(status.code(), Some(130), "{talk}");
    assert!(!lives(pid), "{talk}");
    assert!(!lives(stray) || !groups.contains("/gwtf-"), "{talk}");
    drop(held);
}
