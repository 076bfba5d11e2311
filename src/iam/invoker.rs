//! The document of whoever calls the endpoint with signed requests.

use super::arn::REST_API_ID;
use crate::identity::policy::{Call, Document, Request, Statement};
use crate::plan::Names;
use crate::spec::route::{Route, routes_of};

const INVOKE: &str = "execute-api:Invoke";

/// Which routes may be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// Those that follow the live version.
    pub live: bool,
    /// Those pinned to these versions.
    pub versions: Vec<String>,
}

impl Routes {
    fn of(&self, names: &Names) -> Vec<Route> {
        let tags: Vec<&str> = self.versions.iter().map(String::as_str).collect();
        let mut routes = routes_of(&names.endpoint, &tags);
        routes.retain(|route| route.version.is_some() || self.live);
        routes
    }
}

/// May call these routes and nothing else. Without the REST API's id the document is for every API of
/// the account with such a stage and path: `execute-api` knows no condition on tags (Service
/// Authorization Reference, "Amazon API Gateway").
pub fn invoker(names: &Names, rest_api: Option<&str>, routes: &Routes) -> Document {
    let id = rest_api.unwrap_or(REST_API_ID);
    let arns = |pinned: Option<&str>| {
        let mut own = routes.of(names);
        own.retain(|route| route.version.as_deref() == pinned);
        own.iter()
            .map(|route| names.execute_arn(id, route.method.as_str(), &route.path))
            .collect::<Vec<_>>()
    };
    let vague = match rest_api {
        Some(_) => "",
        None => "; the API's id is not known yet, name it with --rest-api once it is",
    };
    let live = routes.live.then(|| {
        let reason = format!("the routes that follow the live version{vague}");
        Statement::allow("Live", reason).actions([INVOKE]).resources(arns(None))
    });
    let pinned = routes.versions.iter().enumerate().map(|(index, tag)| {
        let reason = format!("the routes of version {tag}{vague}");
        Statement::allow(&format!("Version{}", index + 1), reason)
            .actions([INVOKE])
            .resources(arns(Some(tag)))
    });
    Document::new(live.into_iter().chain(pinned))
}

/// A call of each route.
pub(super) fn invoker_calls(names: &Names, rest_api: Option<&str>, routes: &Routes) -> Vec<Call> {
    const SOME_ID: &str = "a1b2c3d4e5";
    let id = rest_api.unwrap_or(SOME_ID);
    let call = |route: Route| {
        let arn = names.execute_arn(id, route.method.as_str(), &route.path);
        let call = Call::new(
            format!("invoke: {} {}", route.method, route.path),
            Request::new(INVOKE, &arn),
        );
        if rest_api.is_some() { call } else { call.varying(SOME_ID) }
    };
    routes.of(names).into_iter().map(call).collect()
}
