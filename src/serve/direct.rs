//! The inference service without a gateway in front: the routes of an endpoint, nothing else.
//!
//! What runs behind API Gateway's VPC link or a load balancer; locally it is what the twin's own
//! cost is measured against.

use super::http::{Answer, Body};
use super::reply;
use super::service::ModelService;
use super::versions::Versions;
use crate::model::payload::Protocol;
use crate::spec::Operation;
use crate::spec::route::routes_of;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers an endpoint's routes by path.
#[derive(Debug, Clone)]
pub struct Direct(Arc<Routes>);

#[derive(Debug)]
struct Routes {
    by_path: HashMap<String, Vec<(Method, Operation, Option<String>)>>,
    versions: Versions,
    live: String,
    timeout: Duration,
}

impl Direct {
    /// The routes of `endpoint` under `prefix` (`/prod`, or nothing).
    pub fn new(
        endpoint: &str,
        prefix: &str,
        versions: Versions,
        live: impl Into<String>,
        timeout: Duration,
    ) -> Self {
        let tags: Vec<&str> = versions.services().iter().map(|service| service.version()).collect();
        let mut by_path: HashMap<String, Vec<_>> = HashMap::new();
        for route in routes_of(endpoint, &tags) {
            by_path.entry(format!("{prefix}{}", route.path)).or_default().push((
                route.method,
                route.operation,
                route.version,
            ));
        }
        Self(Arc::new(Routes { by_path, versions, live: live.into(), timeout }))
    }
}

impl Routes {
    fn find(&self, request: &Request<Body>) -> Result<(Operation, &Arc<ModelService>), StatusCode> {
        let methods = self.by_path.get(request.uri().path()).ok_or(StatusCode::NOT_FOUND)?;
        let (_, operation, version) = methods
            .iter()
            .find(|(method, _, _)| method == request.method())
            .ok_or(StatusCode::METHOD_NOT_ALLOWED)?;
        let service = match version {
            Some(version) => self.versions.pinned(version),
            None => self.versions.unpinned(&self.live),
        };
        Ok((*operation, service.ok_or(StatusCode::NOT_FOUND)?))
    }
}

impl Answer for Direct {
    async fn answer(&self, request: Request<Body>, _peer: IpAddr) -> Response<Bytes> {
        let (operation, service) = match self.0.find(&request) {
            Ok(found) => found,
            Err(status) => {
                let reason = status.canonical_reason().unwrap_or("not found");
                return reply::error(Protocol::Auto, status, &reason.to_ascii_lowercase());
            }
        };
        let (parts, body) = request.into_parts();
        let Body::Whole(body) = body else {
            let message = "the request body is larger than 10485760 bytes";
            return reply::error(Protocol::Auto, StatusCode::PAYLOAD_TOO_LARGE, message);
        };
        let deadline = now() + self.0.timeout;
        let answered = service.answer(operation, &Request::from_parts(parts, body), deadline).await;
        answered.unwrap_or_else(|passed| {
            reply::error(Protocol::Auto, StatusCode::GATEWAY_TIMEOUT, &passed.to_string())
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the host is where a request's time begins")]
fn now() -> Instant {
    Instant::now()
}
