//! A run of the program that is not waited for.

use super::account::{Account, Ended};
use crate::support::aws::Endpoint;
use crate::support::aws::microburst::Microburst;
use std::process::Child;
use std::time::Duration;

/// It is killed with the value, if it has not ended.
pub(crate) struct Started {
    child: Option<Child>,
}

impl Started {
    pub(crate) fn new(account: &Account, endpoint: &Endpoint, arguments: &str) -> Self {
        Self::of(account.command(endpoint, arguments))
    }

    pub(crate) fn of(mut command: std::process::Command) -> Self {
        Self { child: Some(command.spawn().unwrap()) }
    }

    /// Reads what it says until a word comes; what it said until then. It keeps its stderr.
    pub(crate) fn wait_for_word(&mut self, word: &str) -> String {
        use std::io::Read as _;
        let stderr = self.child.as_mut().unwrap().stderr.as_mut().unwrap();
        let (mut said, mut byte) = (Vec::new(), [0]);
        while stderr.read(&mut byte).unwrap() > 0 {
            said.push(byte[0]);
            if said.ends_with(word.as_bytes()) {
                return String::from_utf8(said).unwrap();
            }
        }
        panic!("`{word}` is not in: {}", String::from_utf8_lossy(&said));
    }

    /// Returns when rules have fired so often; the test runner bounds this.
    pub(crate) fn wait_for_faults(&self, faults: &Microburst, count: usize) {
        while faults.fired().len() < count {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends Ctrl-C's signal.
    pub(crate) fn interrupt(&self) {
        let pid = i32::try_from(self.child.as_ref().unwrap().id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Ends it as no program can prevent.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        Ended::of(self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
