//! Idle expiry, drain, a caller that leaves, 1,000 requests over 20 sandboxes.

use super::function::{Function, ask, lives, pid, until};
use gwtf::gateway::sandbox::{InvokeError, ThrottleReason};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const REQUESTS: u32 = 1_000;
const SANDBOXES: u32 = 20;

/// Twenty hold a sandbox each; of a thousand at once exactly the rest are throttled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_1000_requests_at_once_20_sandboxes_take_20() {
    let mut function = Function::new();
    function.options.reserved_concurrency = Some(SANDBOXES);
    let fleet = Arc::new(function.start());
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = door.local_addr().unwrap().port();
    let mut requests = JoinSet::new();
    for n in 0..REQUESTS {
        let fleet = Arc::clone(&fleet);
        let event = json!({"do": "hold", "port": port, "n": n});
        requests.spawn(async move { (event.clone(), ask(&fleet, event).await) });
    }
    for _ in SANDBOXES..REQUESTS {
        let (_, reply) = requests.join_next().await.unwrap().unwrap();
        let reason = ThrottleReason::ReservedConcurrency;
        assert_eq!(reply, Err(InvokeError::Throttled { reason }));
    }
    let mut held = Vec::new();
    for _ in 0..SANDBOXES {
        held.push(door.accept().await.unwrap());
    }
    drop(held);
    while let Some(done) = requests.join_next().await {
        let (event, reply) = done.unwrap();
        assert_eq!(reply, Ok(event));
    }
    let stats = fleet.stats();
    assert_eq!(stats.throttled, u64::from(REQUESTS - SANDBOXES));
    assert_eq!(stats.cold_starts, u64::from(SANDBOXES));
}

/// Clients that come again are each answered with their own, by twenty sandboxes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reply_of_1000_is_another_clients() {
    let mut function = Function::new();
    function.options.reserved_concurrency = Some(SANDBOXES);
    let fleet = Arc::new(function.start());
    let mut requests = JoinSet::new();
    for n in 0..REQUESTS {
        let fleet = Arc::clone(&fleet);
        requests.spawn(async move {
            loop {
                match ask(&fleet, json!({"n": n})).await {
                    Err(InvokeError::Throttled { .. }) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    reply => return (n, reply),
                }
            }
        });
    }
    while let Some(done) = requests.join_next().await {
        let (n, reply) = done.unwrap();
        assert_eq!(reply, Ok(json!({"n": n})));
    }
    let stats = fleet.stats();
    assert_eq!(stats.invocations, u64::from(REQUESTS));
    assert!(stats.cold_starts <= u64::from(SANDBOXES), "{stats:?}");
}

#[tokio::test]
async fn a_sandbox_stays_busy_after_its_caller_has_gone() {
    let mut function = Function::new();
    function.options.reserved_concurrency = Some(1);
    let fleet = function.start();
    let before = pid(&fleet).await;
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let event = json!({"do": "hold", "port": door.local_addr().unwrap().port()});
    let held = tokio::select! {
        reply = ask(&fleet, event) => panic!("{reply:?}"),
        held = door.accept() => held.unwrap(),
    };
    let throttled = ask(&fleet, json!({})).await;
    assert!(matches!(throttled, Err(InvokeError::Throttled { .. })), "{throttled:?}");
    drop(held);
    until(|| fleet.stats().idle == 1).await;
    assert_eq!(pid(&fleet).await, before);
    assert_eq!(fleet.stats().invocations, 3);
}

#[tokio::test]
async fn what_is_idle_for_too_long_ends() {
    let mut function = Function::new();
    function.options.idle_expiry = Duration::from_millis(100);
    let fleet = function.start();
    let first = pid(&fleet).await;
    until(|| fleet.stats().expired == 1 && fleet.processes() == 0).await;
    assert!(!lives(first));
    assert_ne!(pid(&fleet).await, first);
}

#[tokio::test]
async fn drain_lets_invocations_end_and_leaves_no_process() {
    let function = Function::new();
    let fleet = Arc::new(function.start());
    let idle = pid(&fleet).await;
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let event = json!({"do": "hold", "port": door.local_addr().unwrap().port()});
    let held = {
        let (fleet, event) = (Arc::clone(&fleet), event.clone());
        tokio::spawn(async move { ask(&fleet, event).await })
    };
    let (connection, _) = door.accept().await.unwrap();
    let drained = {
        let fleet = Arc::clone(&fleet);
        tokio::spawn(async move { fleet.drain(Duration::from_secs(20)).await })
    };
    until(|| fleet.stats().in_flight == 1).await;
    drop(connection);
    assert_eq!(held.await.unwrap(), Ok(event));
    assert!(drained.await.unwrap());
    assert_eq!(ask(&fleet, json!({})).await, Err(InvokeError::Gone));
    assert!(!lives(idle) && fleet.processes() == 0);
}

#[tokio::test]
async fn dropping_a_fleet_ends_what_runs() {
    let function = Function::new();
    let fleet = function.start();
    let pids: Vec<u64> = {
        let found = ask(&fleet, json!({"do": "children"})).await.unwrap();
        found["pids"].as_array().unwrap().iter().take(2).map(|pid| pid.as_u64().unwrap()).collect()
    };
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let event = json!({"do": "hold", "port": door.local_addr().unwrap().port()});
    tokio::select! {
        reply = ask(&fleet, event) => panic!("{reply:?}"),
        _ = door.accept() => {}
    }
    drop(fleet);
    assert!(!lives(pids[0]));
    until(|| pids.iter().all(|pid| !lives(*pid)) && function.left() == 0).await;
}

/// Requests that need a sandbox each at the same instant start them side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_starts_do_not_wait_for_each_other() {
    let function = Function::new();
    let fleet = Arc::new(function.start());
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let event = json!({"do": "hold", "port": door.local_addr().unwrap().port()});
    let mut requests = JoinSet::new();
    for _ in 0..8 {
        let (fleet, event) = (Arc::clone(&fleet), event.clone());
        requests.spawn(async move { ask(&fleet, event).await });
    }
    // All eight are there before the first one may go.
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(door.accept().await.unwrap());
    }
    drop(held);
    assert!(requests.join_all().await.iter().all(Result::is_ok));
    let mut pids = BTreeSet::new();
    for _ in 0..3 {
        until(|| fleet.stats().idle == 8).await;
        pids.insert(pid(&fleet).await);
    }
    assert_eq!(pids.len(), 1, "the one that was busy last is used again");
}
