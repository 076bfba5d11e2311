//! Every question and change on moto, a service at a time: what was made reads back.
//!
//! Where moto forgets what it is told, [`super::requests`] looks at the request instead.

/// REST APIs, deployments, stages, usage plans, keys.
mod api;
/// Functions, versions, aliases.
mod function;
/// Roles, log groups, repositories.
mod roles;
/// The bucket and its objects; lists of many pages.
mod storage;

use super::{perform, tags, text};
use base64::Engine as _;
use gwtf::aws::Aws;
use gwtf::plan::change::Change;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The account that moto plays.
const OWNER: &str = "123456789012";

/// A file with base64 of its SHA-256.
fn file(folder: &Path, bytes: &[u8]) -> (PathBuf, String) {
    let sha256 = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes));
    let path = folder.join(sha256.replace('/', "_"));
    fs_err::write(&path, bytes).unwrap();
    (path, sha256)
}

fn trust(service: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"Service": "{service}"}}, "Action": "sts:AssumeRole"}}]}}"#
    )
}

async fn create_role(aws: &Aws, role: &str, boundary: Option<&str>) {
    let change = Change::CreateRole {
        role: text(role),
        path: text("/gwtf/"),
        description: text("runs iris"),
        trust: trust("lambda.amazonaws.com"),
        boundary: boundary.map(text),
        tags: tags(),
    };
    perform(aws, change).await;
}
