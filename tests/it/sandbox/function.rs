//! A function of `fixtures/sandbox` and its fleet.

use crate::support::{fixture, python};
use bytes::Bytes;
use gwtf::gateway::sandbox::{
    Fault, Fleet, FunctionOptions, InvokeError, InvokeRequest, Invoked, Knobs,
};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A fleet whose function is in a folder of its own.
pub(crate) struct Function {
    pub(crate) fleet: Fleet,
    pub(crate) folder: TempDir,
    lines: Arc<Mutex<Vec<String>>>,
}

/// Writes the function as `folder/bootstrap`.
pub(crate) fn write_bootstrap(folder: &Path) {
    let script = fs_err::read_to_string(fixture("sandbox/bootstrap.py")).unwrap();
    let path = folder.join("bootstrap");
    fs_err::write(&path, format!("#!{}\n{script}", python().display())).unwrap();
    fs_err::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
}

/// There is no such process any more, not even a zombie that this one has to wait for.
pub(crate) fn has_ended(pid: &Value) {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that its parent left behind waits for the machine's first process.
    let is_zombie = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
    let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
    let is_ours = parent == Some(&std::process::id().to_string());
    assert!(stat.is_empty() || is_zombie && !is_ours, "{pid}: {stat}");
}

impl Function {
    /// The function of the fixture.
    pub(crate) fn start() -> Self {
        Self::start_with(|_, _| {})
    }

    /// With other options and knobs.
    pub(crate) fn start_with(change: impl FnOnce(&mut FunctionOptions, &mut Knobs)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bootstrap(folder.path());
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let taken = Arc::clone(&lines);
        let mut options = FunctionOptions {
            task_root: folder.path().to_owned(),
            name: "iris".into(),
            version: "7".into(),
            memory_mib: 1_769,
            timeout: Duration::from_secs(60),
            reserved_concurrency: None,
            cold_starts: None,
            log: Arc::new(move |line| {
                taken.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
            }),
        };
        let mut knobs = Knobs { init_limit: Duration::from_secs(60), ..Knobs::default() };
        change(&mut options, &mut knobs);
        Self { fleet: Fleet::start_with(options, knobs).unwrap(), folder, lines }
    }

    /// Invokes it with an event.
    pub(crate) async fn invoke(&self, event: Value) -> Result<Invoked, InvokeError> {
        let event = Bytes::from(event.to_string());
        self.fleet.invoke(event, InvokeRequest::default()).await
    }

    /// The payload that it gives.
    pub(crate) async fn ask(&self, event: Value) -> Value {
        serde_json::from_slice(&self.invoke(event).await.unwrap().payload).unwrap()
    }

    /// The error that it gives.
    pub(crate) async fn fault(&self, event: Value) -> Fault {
        self.invoke(event).await.unwrap_err().fault().unwrap().clone()
    }

    /// Ends it; the lines that it logged.
    pub(crate) async fn end(self) -> Vec<String> {
        self.fleet.drain().await;
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        lines
    }
}
