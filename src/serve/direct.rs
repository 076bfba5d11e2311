//! The inference service without a gateway in front: the routes of an endpoint, nothing else.
//!
//! What runs behind API Gateway's VPC link or a load balancer; locally it is what the twin's own
//! cost is measured against.

use super::http::{Answer, Body};
use super::reply;
use super::routes::RouteTable;
use super::service::ModelService;
use super::versions::Versions;
use crate::model::payload::Protocol;
use crate::spec::Operation;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers an endpoint's routes by path.
#[derive(Debug, Clone)]
pub struct Direct(Arc<Routes>);

#[derive(Debug)]
struct Routes {
    table: RouteTable,
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
        let table = RouteTable::new(endpoint, prefix, &tags);
        Self(Arc::new(Routes { table, versions, live: live.into(), timeout }))
    }
}

impl Routes {
    fn find(&self, request: &Request<Body>) -> Result<(Operation, &Arc<ModelService>), StatusCode> {
        let entry = self.table.find(request.method().as_str(), request.uri().path())?;
        let service = match &entry.version {
            Some(version) => self.versions.pinned(version),
            None => self.versions.unpinned(&self.live),
        };
        Ok((entry.operation, service.ok_or(StatusCode::NOT_FOUND)?))
    }
}

impl Answer for Direct {
    async fn answer(&self, request: Request<Body>, _peer: IpAddr) -> Response<Bytes> {
        let (operation, service) = match self.0.find(&request) {
            Ok(found) => found,
            Err(status) => {
                return reply::no_route(status);
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
