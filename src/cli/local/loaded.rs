//! Versions of an endpoint, loaded: from one model file or from the ledger.

use super::{PoolChoice, Served};
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::model::{Digest, onnx};
use crate::release::View;
use crate::runtime::{Engine, Pool};
use crate::serve::{CanaryShare, ModelService, Versions};
use crate::spec::{Integration, Version};
use std::path::Path;
use std::sync::Arc;

/// The tag of a model that is served from its file, without a release.
pub(in crate::cli) const UNRELEASED: &str = "v1";

/// What loads models.
pub(in crate::cli) struct Source {
    pub(in crate::cli) engine: Engine,
    pub(in crate::cli) pool: PoolChoice,
}

/// The versions of an endpoint, in memory.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Loaded {
    pub(in crate::cli) endpoint: String,
    pub(in crate::cli) services: Vec<Arc<ModelService>>,
    pub(in crate::cli) live: String,
    pub(in crate::cli) canary: Option<CanaryShare>,
    /// Digest of each service's artefact, in their order; empty for a model served from its file.
    digests: Vec<Digest>,
}

impl Source {
    /// One model file as the live and only version.
    pub(in crate::cli) fn load_model(
        &self,
        settings: &Settings,
        model: &Path,
    ) -> Result<Loaded, Failure> {
        let endpoint = settings.endpoint(None, Some(model));
        let service = self.open(&endpoint, UNRELEASED, model)?;
        Ok(Loaded {
            endpoint,
            services: vec![service],
            live: UNRELEASED.to_owned(),
            canary: None,
            digests: Vec::new(),
        })
    }

    /// What the ledger says; versions of `before` whose bytes are the same stay loaded. Others are
    /// held to their digests first: a file may be a model and not the one that was deployed.
    pub(in crate::cli) fn load_view(
        &self,
        settings: &Settings,
        view: &View,
        before: Option<&Loaded>,
    ) -> Result<Loaded, Failure> {
        let Some(live) = &view.live else {
            return Err(Failure::new(
                Exit::Refused,
                "nothing to serve: no release is recorded here",
            )
            .with_hint(
                "deploy one with `gwtf deploy MODEL --version v1 --target local`, or name a MODEL",
            ));
        };
        let endpoint = settings.endpoint(view.endpoint.as_deref(), settings.model.as_deref());
        let mut services = Vec::new();
        let mut digests = Vec::new();
        let store = settings.store();
        for version in &view.versions {
            let tag = version.kept.version.as_str();
            let digest = version.kept.artefact.digest;
            let service = match before.and_then(|before| before.same(&endpoint, tag, digest)) {
                Some(service) => service,
                None => {
                    store.verify(&version.kept)?;
                    self.open(&endpoint, tag, &version.model_path)?
                }
            };
            services.push(service);
            digests.push(digest);
        }
        let canary = view.canary.as_ref().map(|canary| CanaryShare {
            version: canary.version.as_str().to_owned(),
            percent: canary.percent,
        });
        Ok(Loaded { endpoint, services, live: live.as_str().to_owned(), canary, digests })
    }

    fn open(&self, endpoint: &str, tag: &str, path: &Path) -> Result<Arc<ModelService>, Failure> {
        servable_facts(path)?;
        let pool = Pool::open(&self.engine, path, &self.pool.options())?;
        Ok(Arc::new(ModelService::new(endpoint, tag, pool)))
    }
}

/// The facts of a model that can be served. One that is newer than the runtime is refused with words
/// that the runtime does not have.
pub(in crate::cli) fn servable_facts(path: &Path) -> Result<onnx::Facts, Failure> {
    let facts = onnx::read_facts(path)?;
    match onnx::check_runtime(&facts) {
        Ok(()) => Ok(facts),
        Err(error) => {
            let failure = Failure::from(error);
            let message = format!("model `{}`: {}", path.display(), failure.message);
            Err(Failure { message, ..failure })
        }
    }
}

impl Loaded {
    /// What a contract says of them.
    pub(in crate::cli) fn served(&self) -> Served<'_> {
        let services = self.services.iter();
        Served {
            endpoint: &self.endpoint,
            versions: services
                .map(|service| Version { tag: service.version(), signature: service.signature() })
                .collect(),
            live: &self.live,
            integration: Integration::HttpProxy,
        }
    }

    /// The versions as the inference service wants them.
    pub(in crate::cli) fn versions(&self) -> Versions {
        Versions::new(self.services.clone(), self.canary.clone())
    }

    /// These versions, and those that only `before` has: requests under way may need them.
    pub(in crate::cli) fn with_those_of(&self, before: &Self) -> Versions {
        let mut services = self.services.clone();
        for service in &before.services {
            if !services.iter().any(|kept| kept.version() == service.version()) {
                services.push(Arc::clone(service));
            }
        }
        Versions::new(services, self.canary.clone())
    }

    /// The live version's service.
    pub(in crate::cli) fn live_service(&self) -> &Arc<ModelService> {
        self.services
            .iter()
            .find(|service| service.version() == self.live)
            .expect("the live version is among those loaded")
    }

    fn same(&self, endpoint: &str, tag: &str, digest: Digest) -> Option<Arc<ModelService>> {
        let mut pairs = self.services.iter().zip(&self.digests);
        let found = pairs.find(|(service, kept)| service.version() == tag && **kept == digest);
        found.filter(|_| self.endpoint == endpoint).map(|(service, _)| Arc::clone(service))
    }
}
