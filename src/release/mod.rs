//! Local releases: the ledger in `.gwtf/` and what deploy, promote and rollback do to it.
//!
//! The policy is pure ([`ledger`]): a [`Ledger`] and a request give a new ledger or a refusal. The
//! shell around it ([`store`]) keeps artefacts by content and replaces the ledger in one rename, so
//! that a kill at any moment leaves the old or the new state. A running `serve` reads a [`View`] and
//! follows it through [`watch::Follower`].
//!
//! ```text
//! .gwtf/ledger.json               the ledger, replaced as a whole
//! .gwtf/models/<sha256>/          one folder an artefact: model.onnx and its external data
//! .gwtf/keys.json                 values of local API keys, readable by their owner alone
//! .gwtf/lock                      held while a command writes; names its holder
//! ```

pub mod commit;
mod error;
pub mod keys;
pub mod ledger;
pub mod perform;
pub mod record;
mod refused;
pub mod render;
mod staging;
pub mod store;

pub mod watch;

pub use crate::plan::Stamp;
pub use crate::spec::timestamp::Timestamp;
pub use crate::spec::version::Version;
pub use error::{Error, Holder};
pub use ledger::Ledger;
pub use perform::{NewVersion, Outcome};
pub use record::{Artefact, ArtefactFile, Canary, Deploy, KeptVersion, Kind, Release};
pub use refused::Refused;
pub use render::Place;
pub use store::{ExtraFile, Store};

use std::path::PathBuf;

/// What a running endpoint needs to know of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The endpoint's name as of the latest release; `None` before the first.
    pub endpoint: Option<String>,
    /// The version that unpinned routes reach; `None` before the first release.
    pub live: Option<Version>,
    /// The version that a share of the unpinned requests reaches, and that share.
    pub canary: Option<Canary>,
    /// Every version that can be pinned, live and canary among them, oldest first.
    pub versions: Vec<ServedVersion>,
}

/// One version that an endpoint can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedVersion {
    /// What the ledger says of it.
    pub kept: KeptVersion,
    /// The stored model file; external data lies beside it. Nobody has looked whether the bytes are
    /// those of the ledger: [`Store::verify`] does.
    pub model_path: PathBuf,
}

/// The view of a ledger whose artefacts are in `store`.
pub fn view(ledger: &Ledger, store: &Store) -> View {
    View {
        endpoint: ledger.endpoint().map(str::to_owned),
        live: ledger.live().cloned(),
        canary: ledger.canary().cloned(),
        versions: ledger
            .versions()
            .iter()
            .map(|kept| ServedVersion {
                model_path: store.model_path(&kept.artefact),
                kept: kept.clone(),
            })
            .collect(),
    }
}
