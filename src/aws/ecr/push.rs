//! Pushing an image into the account's registry, over the registry's own protocol.

use super::login_of;
use crate::apply::{Failed, Retry};
use crate::aws::fault::{Fault, required};
use crate::package::image::registry::{self, Credentials, Error, Progress, Reference};
use crate::plan::change::Given;
use aws_sdk_ecr::Client;
use std::path::Path;

/// Pushes the image of the layout in `folder` to `repository`: a name of the account's registry, or
/// `REGISTRY/NAME`.
pub(in crate::aws) async fn push(
    client: &Client,
    folder: &Path,
    repository: &str,
    tag: &str,
) -> Result<Given, Fault> {
    let name = if names_registry(repository) {
        repository.to_owned()
    } else {
        address(client, repository).await?
    };
    let reference: Reference =
        format!("{name}:{tag}").parse().map_err(|error| Fault::unsendable(&error))?;
    let credentials = if reference.ecr().is_some() { Some(login(client).await?) } else { None };
    let mut silent = |_: Progress| {};
    registry::push(folder, &reference, credentials, &mut silent)
        .await
        .map_err(|error| fault(&error))?;
    Ok(Given::Nothing)
}

/// Whether the part before the first slash is a host, as Docker tells.
fn names_registry(repository: &str) -> bool {
    repository.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']))
}

/// Where images of a repository are pushed to.
async fn address(client: &Client, repository: &str) -> Result<String, Fault> {
    let output = client.describe_repositories().repository_names(repository).send().await?;
    let first = output.repositories.and_then(|all| all.into_iter().next());
    required(first.and_then(|own| own.repository_uri), "repositoryUri")
}

async fn login(client: &Client) -> Result<Credentials, Fault> {
    let output = client.get_authorization_token().send().await?;
    let login = required(login_of(&output), "authorizationToken")?;
    Ok(Credentials::Basic { username: login.username, password: login.password })
}

/// A push has tried again by itself what may go better, so nothing is left to try.
fn fault(error: &Error) -> Fault {
    let (failed, code) = match error {
        Error::Unreachable { .. } | Error::TimedOut { .. } => (Failed::NoReply, "Unreachable"),
        Error::Refused { status, .. } => match status.as_u16() {
            401 | 403 => (Failed::Denied, "Denied"),
            429 => (Failed::Throttled, "TooManyRequests"),
            500.. => (Failed::Server, "ServerError"),
            _ => (Failed::Invalid, "Refused"),
        },
        Error::Misbehaved { .. } => (Failed::Server, "Misbehaved"),
        Error::Image(_) | Error::Configuration { .. } | Error::Helper { .. } => {
            (Failed::Invalid, "Unsendable")
        }
    };
    Fault::new(failed, Retry::Never, code, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_told_from_a_name() {
        for (repository, expected) in [
            ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/gwtf/iris", true),
            ("127.0.0.1:5000/gwtf/iris", true),
            ("gwtf/iris", false),
            ("iris", false),
        ] {
            assert_eq!(names_registry(repository), expected, "{repository}");
        }
    }
}
