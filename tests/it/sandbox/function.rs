//! A function's folder, its fleet, its lines.

use crate::support::{fixture, python};
use gwtf::gateway::sandbox::{Fleet, FunctionOptions, InvokeError, InvokeRequest};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// `fixtures/sandbox/function.py` as the bootstrap of a function with 512 MiB and 5 seconds.
pub(crate) struct Function {
    pub(crate) options: FunctionOptions,
    folder: TempDir,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Function {
    pub(crate) fn new() -> Self {
        let script = fs_err::read_to_string(fixture("sandbox/function.py")).unwrap();
        // Without the search for packages it starts in half the time.
        Self::of(&format!("#!{} -IS\n{script}", python().display()))
    }

    /// With this bootstrap.
    pub(crate) fn of(bootstrap: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["task", "scratch"] {
            fs_err::create_dir(folder.path().join(name)).unwrap();
        }
        let (task, scratch) = (folder.path().join("task"), folder.path().join("scratch"));
        fs_err::write(task.join("bootstrap"), bootstrap).unwrap();
        fs_err::set_permissions(task.join("bootstrap"), Permissions::from_mode(0o755)).unwrap();
        let lines = <Arc<Mutex<Vec<String>>>>::default();
        let into = Arc::clone(&lines);
        let log = Arc::new(move |line: &[u8]| {
            into.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
        });
        let mut options = FunctionOptions::new(task, scratch, "f", "7", log);
        options.memory_mib = 512;
        options.timeout = Duration::from_secs(20);
        Self { options, folder, lines }
    }

    pub(crate) fn task_root(&self) -> &Path {
        &self.options.task_root
    }

    pub(crate) fn start(&self) -> Fleet {
        Fleet::start(self.options.clone()).unwrap()
    }

    /// All lines, once there is one that holds `text`.
    pub(crate) async fn lines_until(&self, text: &str) -> Vec<String> {
        let holds = || self.lines.lock().unwrap().iter().any(|line| line.contains(text));
        let waited = tokio::time::timeout(Duration::from_secs(20), until(holds)).await;
        let lines = self.lines.lock().unwrap().clone();
        assert!(waited.is_ok(), "no `{text}` in {lines:#?}");
        lines
    }

    /// Files of sandboxes that are left.
    pub(crate) fn left(&self) -> usize {
        fs_err::read_dir(self.folder.path().join("scratch")).unwrap().count()
    }
}

/// Invokes with a document, gets a document.
pub(crate) async fn ask(fleet: &Fleet, event: Value) -> Result<Value, InvokeError> {
    let invoked = fleet.invoke(event.to_string().into(), InvokeRequest::default()).await?;
    Ok(serde_json::from_slice(&invoked.payload).unwrap())
}

/// The process that answers.
pub(crate) async fn pid(fleet: &Fleet) -> u64 {
    let event = serde_json::json!({"do": "pid"});
    ask(fleet, event).await.unwrap()["pid"].as_u64().unwrap()
}

/// Whether a process exists and is not merely waiting to be reaped.
pub(crate) fn lives(pid: u64) -> bool {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
}

/// Waits for something that another process does.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("it never came to be so");
}
