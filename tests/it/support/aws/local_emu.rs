//! LocalEmu, held closer to AWS (`tests/aws/localemu_server.py`), in a network namespace of its own, with the uploaded zips running as child processes.

use super::{Call, Endpoint, Place, awaited_line, environment, script};
use crate::support::variable;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Alone in its namespace, it can have any.
const PORT: u16 = 4566;

/// A running LocalEmu that ends with the value, with all that it started. Its account is
/// 000000000000.
pub(crate) struct LocalEmu {
    child: Child,
    pub(crate) endpoint: Endpoint,
    _folder: tempfile::TempDir,
}

impl LocalEmu {
    /// Starts one; returns when it answers. `None`, said aloud, where there is no Python 3.13 or no
    /// right to make a namespace; with `CI` set that is a failure.
    pub(crate) fn start() -> Option<Self> {
        match Self::able() {
            Ok((python, user)) => Some(Self::launch(&python, user)),
            Err(reason) => {
                assert!(variable("CI").is_none(), "LocalEmu is required in CI: {reason}");
                skipped(&reason);
                None
            }
        }
    }

    /// Its interpreter, and whether a namespace needs the help of a user namespace.
    fn able() -> Result<(std::path::PathBuf, bool), String> {
        let python = environment("test-localemu").map_err(|path| {
            format!("{path} is missing: tests/run makes it where there is a Python 3.13")
        })?;
        let makes = |flags: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(flags).args(["ip", "link", "set", "lo", "up"]);
            command.output().is_ok_and(|output| output.status.success())
        };
        match (makes(&["--net"]), makes(&["--net", "--map-root-user"])) {
            (true, _) => Ok((python, false)),
            (_, true) => Ok((python, true)),
            _ => Err("this user may not make a network namespace".to_owned()),
        }
    }

    fn launch(python: &Path, user: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        // Killed with `unshare`, the first process of a PID namespace takes all others along.
        command.args(["--net", "--pid", "--fork", "--kill-child"]);
        if user {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$1\""]);
        command
            .arg(python)
            .arg(script("localemu_server.py"))
            .current_dir(folder.path())
            .env_clear();
        command
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("LOCALEMU_VOLUME_DIR", folder.path())
            .env("GATEWAY_LISTEN", format!("127.0.0.1:{PORT}"))
            .env("DNS_ADDRESS", "0")
            .env("LAMBDA_RUNTIME_EXECUTOR", "bootstrap")
            .env("DISABLE_EVENTS", "1")
            // Held until the value ends: it ends with this process, however that ends.
            .env("LIFELINE", "stdin");
        let log = fs_err::File::create(folder.path().join("log")).unwrap();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.into_parts().0)
            .spawn()
            .unwrap();
        let ready = awaited_line(child.stdout.take().unwrap(), |line| line == "Ready.");
        if ready.is_none() {
            let _ = child.kill();
            let log = fs_err::read_to_string(folder.path().join("log")).unwrap_or_default();
            panic!("LocalEmu did not start: {}: {log}", child.wait().unwrap());
        }
        let place = Place::NamespaceOf { pid: child.id(), user };
        let endpoint = Endpoint { url: format!("http://127.0.0.1:{PORT}"), place };
        Self { child, endpoint, _folder: folder }
    }

    /// The URL at which a stage's resource answers, inside the namespace.
    pub(crate) fn invoke_url(&self, api_id: &str, stage: &str, path: &str) -> String {
        format!("{}/_aws/execute-api/{api_id}/{stage}{path}", self.endpoint.url)
    }

    /// `POST` of a JSON body to a stage's resource.
    pub(crate) fn post(&self, api_id: &str, stage: &str, path: &str, body: &str) -> super::Answer {
        let call = Call {
            method: "POST".to_owned(),
            url: self.invoke_url(api_id, stage, path),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_owned(),
        };
        self.endpoint.place.call(&[call]).remove(0).unwrap()
    }
}

impl Drop for LocalEmu {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}
