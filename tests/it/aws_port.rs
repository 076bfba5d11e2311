//! The port to AWS: every question and change on moto, requests and failures on a scripted server.

/// What each kind of failure becomes.
mod failures;
/// A running moto.
/// Requests as they are sent, where moto forgets what it is told.
mod requests;
/// A server that answers what it is told and keeps what it was asked.
mod scripted;
/// Every question and change, a service at a time.
mod walk;

use gwtf::apply::{CallError, Cloud as _};
use gwtf::aws::Aws;
use gwtf::plan::change::{Change, Given};
use gwtf::plan::query::{Answer, Query};
use std::collections::BTreeMap;

const REGION: &str = "eu-west-1";

/// Asks, and fails the test on a refusal.
async fn ask(aws: &Aws, query: Query) -> Answer {
    aws.ask(&query).await.unwrap_or_else(|error| panic!("{query:?}: {error}"))
}

/// Changes something, and fails the test on a refusal.
async fn perform(aws: &Aws, change: Change) -> Given {
    aws.perform(&change).await.unwrap_or_else(|error| panic!("{change:?}: {error}"))
}

/// Changes something that gives an id.
async fn made(aws: &Aws, change: Change) -> String {
    match perform(aws, change).await {
        Given::Id(id) => id,
        Given::Nothing => panic!("it gives an id"),
    }
}

/// A change that is refused.
async fn refused(aws: &Aws, change: Change) -> CallError {
    aws.perform(&change).await.expect_err("it is refused")
}

fn tags() -> BTreeMap<String, String> {
    BTreeMap::from([("gwtf:endpoint".to_owned(), "iris".to_owned())])
}

fn text(value: &str) -> String {
    value.to_owned()
}
