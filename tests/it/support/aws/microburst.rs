//! microburst before a stand-in: AWS-shaped errors, latency, resets, by service and operation.

use super::{Announced, Endpoint, python, script};
use serde_json::Value;

/// A running fault proxy that ends with the value.
pub(crate) struct Microburst {
    _server: Announced,
    pub(crate) endpoint: Endpoint,
}

impl Microburst {
    /// Starts one before `upstream`, in the same place, without any rule.
    pub(crate) fn start(upstream: &Endpoint) -> Self {
        let mut command = upstream.place.command(&python());
        command.arg(script("microburst_server.py")).arg(&upstream.url);
        let server = Announced::start(command);
        let endpoint = Endpoint { url: server.url.clone(), place: upstream.place };
        Self { _server: server, endpoint }
    }

    /// Replaces the rules; the first that matches a request applies. `[]` lets everything through.
    ///
    /// `{"service", "operation", "times": 1, "error": {"code", "status"}}` answers in AWS's place;
    /// `"reset": true` cuts the connection before the upstream is asked, and
    /// `"response": {"abort_bytes": 0}` loses the body of a reply to a request that was carried out,
    /// `"response": {"set_headers": {"x-lose-reply": "1"}}` all of it.
    pub(crate) fn set_rules(&self, rules: &Value) {
        let answer = self.endpoint.call("POST", "/_microburst/rules", &rules.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Forgets what fired.
    pub(crate) fn forget(&self) {
        let answer = self.endpoint.call("DELETE", "/_microburst/fired", "");
        assert!(answer.status < 300, "{}", answer.body);
    }

    /// What fired, oldest first: `service`, `operation`, the rule's effects.
    pub(crate) fn fired(&self) -> Vec<Value> {
        let answer = self.endpoint.call("GET", "/_microburst/fired?limit=1000", "");
        serde_json::from_str(&answer.body).unwrap()
    }
}
