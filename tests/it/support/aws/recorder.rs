//! Every AWS request on its way to a stand-in, and what AWS's own models say about it.

use super::{Announced, Endpoint, output, python, script};
use serde_json::Value;
use std::process::Command;

/// A recording proxy that ends with the value.
pub(crate) struct Recorder {
    _server: Announced,
    pub(crate) endpoint: Endpoint,
    folder: tempfile::TempDir,
}

/// What `tests/aws/validate_requests.py` found.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// One line each; none: AWS's models allow every request.
    pub(crate) faults: Vec<String>,
    /// `apigateway UpdateStage`, in order.
    pub(crate) operations: Vec<String>,
    /// Those that change something.
    pub(crate) mutating: Vec<String>,
}

impl Recorder {
    /// Starts one before `upstream`, in the same place.
    pub(crate) fn start(upstream: &Endpoint) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = upstream.place.command(&python());
        command.arg(script("recorder.py")).arg(&upstream.url).arg(folder.path().join("requests"));
        let server = Announced::start(command);
        let endpoint = Endpoint { url: server.url.clone(), place: upstream.place };
        Self { _server: server, endpoint, folder }
    }

    /// The requests that were answered so far: `service`, `method`, `path`, `query`, `headers`,
    /// `body`, `status`.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Holds those from `first` on (0: all) against AWS's models.
    pub(crate) fn verdict(&self, first: usize) -> Verdict {
        let requests: Vec<String> = self.lines().lines().skip(first).map(str::to_owned).collect();
        judge(&requests.join("\n"))
    }

    fn lines(&self) -> String {
        fs_err::read_to_string(self.folder.path().join("requests")).unwrap()
    }
}

/// Holds recorded requests, one JSON document a line, against AWS's models.
pub(crate) fn judge(requests: &str) -> Verdict {
    let mut command = Command::new(python());
    command.arg(script("validate_requests.py")).arg("--json");
    let found: Value = serde_json::from_str(&output(command, requests)).unwrap();
    let list = |name: &str| {
        let items = found[name].as_array().unwrap().iter();
        items.map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    Verdict { faults: list("faults"), operations: list("operations"), mutating: list("mutating") }
}
