//! Proofs that are renewed while a run goes on: what a server gets, and when there are none.

use super::server::Server;
use super::{check, counts, open, plan};
use gwtf::error::{Exit, Explain as _};
use gwtf::load::authorize::{Authorize, Headers, NoProof};
use gwtf::load::outcome::Outcome;
use gwtf::load::plan::{Pace, Plan};
use gwtf::load::{Error, Snapshot, StopFlag, run};
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A wait that ends a test that hangs.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Numbers that threads wait for.
#[derive(Debug, Default)]
struct Gate {
    number: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn raise(&self, to: usize) {
        let mut number = self.number.lock().unwrap();
        *number = to.max(*number);
        self.changed.notify_all();
    }

    fn wait_for(&self, wanted: usize) {
        let number = self.number.lock().unwrap();
        let (_number, wait) =
            self.changed.wait_timeout_while(number, WAIT_MAX, |number| *number < wanted).unwrap();
        assert!(!wait.timed_out(), "waited in vain for {wanted}");
    }
}

/// Proof 1, 2, 3, …, each longer than the one before.
#[derive(Debug)]
struct Counting {
    /// Proofs asked for.
    asked: Gate,
    /// Proofs that the server has seen.
    seen: Gate,
    /// Whether the next proof waits until the server has seen the one before.
    waits: bool,
    /// From this one on there are none.
    fails_from: usize,
}

impl Counting {
    fn new(waits: bool, fails_from: usize) -> Arc<Self> {
        Arc::new(Self { asked: Gate::default(), seen: Gate::default(), waits, fails_from })
    }
}

impl Authorize for Counting {
    fn prove(&self) -> Result<Vec<Headers>, NoProof> {
        let number = *self.asked.number.lock().unwrap() + 1;
        if self.waits && number > 1 && number <= self.fails_from {
            self.seen.wait_for(number - 1);
        }
        self.asked.raise(number);
        if number >= self.fails_from {
            return Err("the credentials have ended".into());
        }
        Ok(vec![vec![("x-proof".to_owned(), "n".repeat(number))]])
    }

    fn renew_every(&self) -> Duration {
        Duration::from_millis(1)
    }
}

fn authorized(plan: Plan, authorize: &Arc<Counting>) -> Plan {
    let authorize: Arc<dyn Authorize> = Arc::<Counting>::clone(authorize);
    Plan { authorize: Some(authorize), ..plan }
}

/// Each proof is used before the next is asked for, so that none can be skipped.
#[test]
fn each_new_proof_is_sent_from_then_on() {
    const LAST: usize = 8;
    let authorize = Counting::new(true, usize::MAX);
    let stop = StopFlag::new();
    let proofs = Arc::new(Mutex::new(Vec::new()));
    let server = {
        let (authorize, stop) = (Arc::clone(&authorize), stop.clone());
        let proofs = Arc::clone(&proofs);
        Server::answering(move |connection, received| {
            let number = received.header("x-proof").len();
            proofs.lock().unwrap().push(number);
            connection.reply(200, "", "");
            authorize.seen.raise(number);
            if number >= LAST {
                stop.raise();
            }
        })
    };
    let one = Plan { connections_max: 1, ..plan(server.address, open(500.0, 30_000)) };
    let plan = authorized(one, &authorize);
    let recording = run(&plan, &mut |_: &Snapshot| {}, &stop).unwrap();
    check(&recording);
    let mut proofs = proofs.lock().unwrap().clone();
    assert!(proofs.is_sorted(), "an old proof came back: {proofs:?}");
    proofs.dedup();
    assert_eq!(proofs[..LAST], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(recording.outcomes.keys().collect::<Vec<_>>(), [&Outcome::Ok]);
}

/// The second proof takes as long as twenty requests, the third longer than the run.
#[test]
fn neither_sends_nor_the_end_wait_for_a_proof() {
    #[derive(Debug, Default)]
    struct Slow {
        asked: Gate,
        requests: Gate,
        run_ended: Gate,
    }
    impl Authorize for Slow {
        fn prove(&self) -> Result<Vec<Headers>, NoProof> {
            let number = *self.asked.number.lock().unwrap() + 1;
            self.asked.raise(number);
            match number {
                1 => {}
                2 => self.requests.wait_for(20),
                _ => self.run_ended.wait_for(1),
            }
            Ok(vec![vec![("x-proof".to_owned(), number.to_string())]])
        }

        fn renew_every(&self) -> Duration {
            Duration::from_millis(1)
        }
    }
    let slow = Arc::new(Slow::default());
    let stop = StopFlag::new();
    let server = {
        let (slow, stop) = (Arc::clone(&slow), stop.clone());
        Server::answering(move |connection, received| {
            connection.reply(200, "", "");
            let number = *slow.requests.number.lock().unwrap() + 1;
            slow.requests.raise(number);
            assert!(received.header("x-proof") < "3");
            if received.header("x-proof") == "2" && *slow.asked.number.lock().unwrap() == 3 {
                stop.raise();
            }
        })
    };
    let authorize = Some(Arc::<Slow>::clone(&slow) as Arc<dyn Authorize>);
    let one = Plan { connections_max: 1, ..plan(server.address, open(500.0, 30_000)) };
    let recording = run(&Plan { authorize, ..one }, &mut |_: &Snapshot| {}, &stop).unwrap();
    slow.run_ended.raise(1);
    check(&recording);
    assert!(recording.interrupted, "the third proof was never asked for");
    assert_eq!(recording.outcomes.keys().collect::<Vec<_>>(), [&Outcome::Ok]);
}

/// The body is longer than sockets hold, so that most of it is written under later proofs.
#[test]
fn a_request_half_written_ends_as_it_began() {
    let authorize = Counting::new(false, usize::MAX);
    let body: Vec<u8> = (0..32 << 20).map(|index: u32| (index % 251) as u8).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut plan = plan(listener.local_addr().unwrap(), open(1.0, 500));
    plan.requests[0].body = body.clone().into();
    let plan = authorized(plan, &authorize);
    let server = std::thread::spawn(move || {
        let _probe = listener.accept().unwrap();
        let (mut socket, _) = listener.accept().unwrap();
        let mut received = vec![0; 4096];
        let count = socket.read(&mut received).unwrap();
        received.truncate(count);
        // The proof after the next one is asked for when the next one is in force.
        let asked = *authorize.asked.number.lock().unwrap();
        authorize.asked.wait_for(asked + 2);
        let end = received.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        received.resize(end + body.len(), 0);
        socket.read_exact(&mut received[count..]).unwrap();
        assert!(received[end..] == body, "the body was shifted");
        let reply = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        std::io::Write::write_all(&mut socket, reply.as_bytes()).unwrap();
    });
    let recording = super::record(&plan);
    server.join().unwrap();
    assert_eq!(counts(&recording), [(Outcome::Ok, 1)].into());
}

#[test]
fn without_a_proof_nothing_is_sent() {
    let server = Server::answering(|_, _| panic!("a request came"));
    let pace = Pace::Closed { connections: 2, duration: Duration::from_secs(30) };
    let plan = authorized(plan(server.address, pace), &Counting::new(false, 1));
    let error = run(&plan, &mut |_: &Snapshot| {}, &StopFlag::new()).unwrap_err();
    assert!(matches!(error, Error::NoProof { .. }), "{error:?}");
    assert_eq!(error.exit(), Exit::Machine);
    let text = gwtf::error::chain(&error);
    assert_eq!(text, "the requests cannot be authorized: the credentials have ended");
}

/// The server is the one to say that a proof holds no longer.
#[test]
fn a_proof_goes_on_when_the_next_one_fails() {
    let authorize = Counting::new(true, 3);
    let stop = StopFlag::new();
    let server = {
        let (authorize, stop) = (Arc::clone(&authorize), stop.clone());
        Server::answering(move |connection, received| {
            let number = received.header("x-proof").len();
            connection.reply(if number < 2 { 200 } else { 403 }, "", "");
            authorize.seen.raise(number);
            // Asked for in vain, and again.
            if *authorize.asked.number.lock().unwrap() >= 5 {
                stop.raise();
            }
        })
    };
    let plan = authorized(plan(server.address, open(500.0, 30_000)), &authorize);
    let recording = run(&plan, &mut |_: &Snapshot| {}, &stop).unwrap();
    check(&recording);
    assert!(recording.outcomes.contains_key(&Outcome::AccessDenied), "{:?}", counts(&recording));
}

#[test]
fn a_proof_is_no_way_around_what_headers_may_be() {
    #[derive(Debug)]
    struct Bad(Vec<Headers>);
    impl Authorize for Bad {
        fn prove(&self) -> Result<Vec<Headers>, NoProof> {
            Ok(self.0.clone())
        }
        fn renew_every(&self) -> Duration {
            WAIT_MAX
        }
    }
    let server = Server::answering(|_, _| panic!("a request came"));
    let header = |name: &str, value: &str| vec![vec![(name.to_owned(), value.to_owned())]];
    for bad in [
        header("x-proof", "a\r\nx: y"),
        header("x proof", "a"),
        header("content-length", "3"),
        vec![],
        vec![vec![], vec![]],
    ] {
        let authorize = Some(Arc::new(Bad(bad)) as Arc<dyn Authorize>);
        let plan = Plan { authorize, ..plan(server.address, open(1.0, 1_000)) };
        let error = run(&plan, &mut |_: &Snapshot| {}, &StopFlag::new()).unwrap_err();
        assert!(matches!(error, Error::Request { .. } | Error::Range { .. }), "{error:?}");
    }
}
