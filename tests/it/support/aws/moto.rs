//! moto, held closer to AWS (`tests/aws/moto_server.py`), on a port of its own.

use super::{Announced, Endpoint, Place, python, script};
use std::process::Command;

/// A running moto that ends with the value. Its account is 123456789012.
pub(crate) struct Moto {
    // Held for its end.
    _server: Announced,
    pub(crate) endpoint: Endpoint,
}

impl Moto {
    /// Starts one; returns when it listens.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(python());
        command.arg(script("moto_server.py"));
        let server = Announced::start(command);
        let endpoint = Endpoint { url: server.url.clone(), place: Place::Here };
        Self { _server: server, endpoint }
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        assert_eq!(self.endpoint.call("POST", "/moto-api/reset", "").status, 200);
    }
}
