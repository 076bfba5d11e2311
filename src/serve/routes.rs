//! The routes of an endpoint as a host looks them up: by path, then by method.

use crate::spec::Operation;
use crate::spec::route::routes_of;
use http::{Method, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;

/// One method of one path.
#[derive(Debug)]
pub(super) struct Entry {
    method: Method,
    pub(super) operation: Operation,
    /// The version it is pinned to; `None` follows live.
    pub(super) version: Option<String>,
    /// `POST /predict`, for the log.
    pub(super) label: Arc<str>,
}

/// All routes of an endpoint.
#[derive(Debug)]
pub(super) struct RouteTable {
    by_path: HashMap<String, Vec<Entry>>,
}

impl RouteTable {
    /// The routes of `endpoint` with these versions, under `prefix` (`/prod`, or nothing).
    pub(super) fn new(endpoint: &str, prefix: &str, versions: &[&str]) -> Self {
        let mut by_path: HashMap<String, Vec<Entry>> = HashMap::new();
        for route in routes_of(endpoint, versions) {
            let label = format!("{} {}", route.method, route.path).into();
            let entry = Entry {
                method: route.method,
                operation: route.operation,
                version: route.version,
                label,
            };
            by_path.entry(format!("{prefix}{}", route.path)).or_default().push(entry);
        }
        Self { by_path }
    }

    /// The route of a request.
    ///
    /// # Errors
    /// 404 for a path that there is not, 405 for a method that the path does not take.
    pub(super) fn find(&self, method: &str, path: &str) -> Result<&Entry, StatusCode> {
        let entries = self.by_path.get(path).ok_or(StatusCode::NOT_FOUND)?;
        let entry = entries.iter().find(|entry| entry.method.as_str() == method);
        entry.ok_or(StatusCode::METHOD_NOT_ALLOWED)
    }
}
