//! Where the twin, the inference service and the HTTP host meet. Each knows none of the others.

use super::host::Hosting;
use crate::gateway::{self, Call, IntegrationError, IntegrationResult, Invocation, Twin, Upstream};
use crate::serve::http::{Answer, Body};
use crate::serve::{DeadlinePassed, Direct, Versions};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

/// What answers behind the twin, and how it ends.
pub(in crate::cli) trait Backend: Upstream + Send + Sync + 'static {
    /// Lets what no client waits for any more end, within limits.
    fn end(&self) -> impl Future<Output = ()> + Send;

    /// Ends it at once.
    fn kill(&self);
}

/// The loaded versions as the twin's integration.
pub(in crate::cli) struct LocalUpstream(ArcSwap<Versions>);

impl LocalUpstream {
    /// These versions.
    pub(in crate::cli) fn new(versions: Versions) -> Self {
        Self(ArcSwap::from_pointee(versions))
    }

    /// Other versions for requests that have not begun.
    pub(in crate::cli) fn replace(&self, versions: Versions) {
        self.0.store(Arc::new(versions));
    }
}

impl Upstream for LocalUpstream {
    async fn invoke(&self, invocation: Invocation) -> IntegrationResult {
        let route = &invocation.route;
        let service = {
            let versions = self.0.load();
            let found = match &route.version {
                Some(version) => versions.pinned(version),
                None => versions.unpinned(&route.serves),
            };
            found.map(Arc::clone)
        };
        let Some(service) = service else {
            let message = format!("version `{}` is not loaded", route.serves);
            return Err(IntegrationError::FunctionError(message));
        };
        let deadline = invocation.deadline.into_std();
        let answered = service.answer(route.operation, &invocation.request, deadline).await;
        answered.map_err(|DeadlinePassed| IntegrationError::Timeout)
    }
}

/// Sessions end with this process.
impl Backend for LocalUpstream {
    async fn end(&self) {}

    fn kill(&self) {}
}

/// The twin in front of whatever serves the versions.
pub(in crate::cli) struct Front<U> {
    pub(in crate::cli) twin: Arc<Twin>,
    pub(in crate::cli) upstream: Arc<U>,
}

impl<U> Clone for Front<U> {
    fn clone(&self) -> Self {
        Self { twin: Arc::clone(&self.twin), upstream: Arc::clone(&self.upstream) }
    }
}

impl<U: Backend> Answer for Front<U> {
    async fn answer(&self, request: Request<Body>, peer: IpAddr) -> Response<Bytes> {
        let request = request.map(|body| match body {
            Body::Whole(bytes) => gateway::Body::Full(bytes),
            Body::TooLarge => gateway::Body::TooLarge,
        });
        self.twin.call(Call { request, peer }, self.upstream.as_ref()).await
    }
}

impl<U: Backend> Hosting for Front<U> {
    async fn end(&self) {
        self.upstream.end().await;
    }
}

impl Hosting for Direct {
    async fn end(&self) {}
}

/// The versions on their own routes, without the twin.
pub(in crate::cli) type DirectFront = Direct;
