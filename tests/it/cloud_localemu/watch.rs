//! A client that calls all the time, and what it saw.

use crate::support::aws::{Endpoint, python, script};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// No endpoint takes this long for a few replies; one that hangs fails its test.
const REPLIES_TIMEOUT: Duration = Duration::from_secs(60);

/// The versions that answered, in the order of the replies.
type Seen = Arc<(Mutex<Vec<Result<String, Value>>>, Condvar)>;

/// A client that calls until it is dropped or ended, one request after the other.
pub(super) struct Watch {
    child: Child,
    seen: Seen,
    reader: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts one; returns once the first reply is there.
    pub(super) fn start(endpoint: &Endpoint, url: &str, body: &str) -> Self {
        let mut command = endpoint.place.command(&python());
        command.arg(script("watch.py")).args([url, body]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = Seen::default();
        let kept = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let reply: Value = serde_json::from_str(&line).unwrap();
                let version = reply["version"].as_str().filter(|_| reply["status"] == 200);
                let one = version.map(str::to_owned).ok_or(reply.clone());
                kept.0.lock().unwrap().push(one);
                kept.1.notify_all();
            }
        });
        let watch = Self { child, seen, reader: Some(reader) };
        watch.next(1);
        watch
    }

    /// How many replies there were so far.
    pub(super) fn mark(&self) -> usize {
        self.seen.0.lock().unwrap().len()
    }

    /// The versions that answer the next `count` requests that are sent from now on.
    #[track_caller]
    pub(super) fn next(&self, count: usize) -> Vec<String> {
        // The reply that comes next may be to a request that was sent before.
        let first = self.mark() + 1;
        let seen = self.seen.0.lock().unwrap();
        let (seen, waited) = self
            .seen
            .1
            .wait_timeout_while(seen, REPLIES_TIMEOUT, |seen| seen.len() < first + count)
            .unwrap();
        assert!(!waited.timed_out(), "{} of {count} replies", seen.len().saturating_sub(first));
        versions(&seen[first..first + count])
    }

    /// The versions that answered since a mark.
    #[track_caller]
    pub(super) fn since(&self, mark: usize) -> Vec<String> {
        versions(&self.seen.0.lock().unwrap()[mark..])
    }

    /// Ends it; everything that it saw.
    #[track_caller]
    pub(super) fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
        self.since(0)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All of them are replies of the model; none failed.
#[track_caller]
fn versions(seen: &[Result<String, Value>]) -> Vec<String> {
    let failed: Vec<&Value> = seen.iter().filter_map(|one| one.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} of {} replies failed: {failed:?}", failed.len(), seen.len());
    seen.iter().map(|one| one.clone().unwrap()).collect()
}
