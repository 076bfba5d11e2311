//! Images in registries: credentials, pulling, pushing.

use super::super::Context;
use crate::aws::ecr;
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::package::image::registry::{
    self, Credentials, ImageName, Progress, PushReport, Reference, find_credentials,
};
use crate::spec::Architecture;
use std::future::Future;
use std::path::{Path, PathBuf};

/// The folder of an image's layout: the one named, or that of a pull into the cache.
pub(super) fn layout(
    name: &ImageName,
    architecture: Option<Architecture>,
    settings: &Settings,
    context: &Context,
) -> Result<PathBuf, Failure> {
    let reference = match name {
        ImageName::Layout(folder) => return Ok(context.environment.folder().join(folder)),
        ImageName::Registry(reference) => reference,
    };
    let cache = settings.cache_folder.as_ref().ok_or_else(|| {
        Failure::new(
            Exit::Machine,
            "the cache folder is unknown: HOME and XDG_CACHE_HOME are unset",
        )
    })?;
    let images = cache.join("images");
    let bar = context.console.progress(0);
    let pulled = block_on(async {
        let credentials = credentials(reference, settings, context).await?;
        let mut tell = |progress: Progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
        };
        Ok(registry::pull(reference, architecture, credentials, &images, &mut tell).await?)
    });
    bar.finish_and_clear();
    pulled
}

/// Where an image goes, with what its registry is shown.
pub(super) struct Destination<'a> {
    reference: &'a Reference,
    credentials: Option<Credentials>,
}

impl<'a> Destination<'a> {
    /// # Errors
    /// The credentials cannot be read or had.
    pub(super) fn new(
        reference: &'a Reference,
        settings: &Settings,
        context: &Context,
    ) -> Result<Self, Failure> {
        let credentials = block_on(credentials(reference, settings, context))?;
        Ok(Self { reference, credentials })
    }

    /// Pushes the image of the layout in `folder`, which stays there when that fails.
    pub(super) fn push(self, folder: &Path, context: &Context) -> Result<PushReport, Failure> {
        let bar = context.console.progress(0);
        let mut tell = |progress: Progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
        };
        let pushed = block_on(async {
            Ok(registry::push(folder, self.reference, self.credentials, &mut tell).await?)
        });
        bar.finish_and_clear();
        pushed.map_err(|failure| {
            let again = "the image was made; to push it, give the same line with --force";
            let hint = match &failure.hint {
                Some(hint) => format!("{hint} ({again})"),
                None => again.to_owned(),
            };
            failure.with_hint(hint)
        })
    }
}

/// What `docker login` left for the registry; without that, ECR's own token for one of ECR.
async fn credentials(
    reference: &Reference,
    settings: &Settings,
    context: &Context,
) -> Result<Option<Credentials>, Failure> {
    let environment = &context.environment;
    let folder = environment
        .path("DOCKER_CONFIG")
        .or_else(|| environment.path("HOME").map(|home| home.join(".docker")));
    let search_path = environment.get_os("PATH").unwrap_or_default();
    let found = match &folder {
        Some(folder) => find_credentials(reference, folder, search_path).await?,
        None => None,
    };
    match (found, reference.ecr()) {
        (None, Some(ecr)) => {
            let login = ecr::login(&ecr.region, settings.profile.as_deref()).await?;
            Ok(Some(Credentials::Basic { username: login.username, password: login.password }))
        }
        (found, _) => Ok(found),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new(Exit::Machine, format!("the network cannot be used: {error}"))
    })?;
    runtime.block_on(work)
}
