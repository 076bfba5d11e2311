//! The workflow for GitHub Actions.

use super::requests;
use super::starter::Starter;
use super::template;
use crate::error::{Exit, Failure};
use std::path::{Path, PathBuf};

const WORKFLOW: &str = include_str!("../../../templates/ci/github.yml");
/// The steps that each job begins with.
const PREPARE: &str = include_str!("../../../templates/ci/github-prepare.yml");
/// Where GitHub looks for workflows, from the repository's root.
const FOLDER: &str = ".github/workflows";

/// Where the endpoint's folder lies in its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// From the repository's root to the folder, `/` between names; empty at the root.
    below: String,
}

impl Place {
    /// Looks for the repository that holds `folder`; without one the folder is taken for its root.
    ///
    /// # Errors
    /// The folder's name inside the repository is not UTF-8.
    pub(super) fn find(folder: &Path) -> Result<Self, Failure> {
        let root = folder.ancestors().find(|parent| parent.join(".git").exists());
        let below = folder.strip_prefix(root.unwrap_or(folder)).unwrap_or(Path::new(""));
        let names: Option<Vec<&str>> = below.iter().map(|name| name.to_str()).collect();
        let names = names.ok_or_else(|| {
            let text =
                format!("folder `{}`: its name is not UTF-8, which YAML is", below.display());
            Failure::new(Exit::Refused, text).with_hint("give the folder another name")
        })?;
        Ok(Self { below: names.join("/") })
    }

    /// The workflow's path from the endpoint's folder. A repository may hold several endpoints in
    /// folders: theirs have the endpoint's name.
    pub(super) fn shown(&self, endpoint: &str) -> String {
        if self.below.is_empty() {
            return format!("{FOLDER}/gwtf.yml");
        }
        let up: PathBuf = self.below.split('/').map(|_| "..").collect();
        format!("{}/{FOLDER}/gwtf-{endpoint}.yml", up.display())
    }
}

/// The workflow's text.
pub(super) fn workflow(starter: &Starter, place: &Place) -> String {
    let name = &starter.name;
    let (folder, workflow_name, report) = match place.below.as_str() {
        "" => (".", "gwtf".to_owned(), "junit.xml".to_owned()),
        below => (below, format!("gwtf {name}"), format!("{below}/junit.xml")),
    };
    template::fill(
        WORKFLOW,
        &[
            ("name", name.clone()),
            ("workflow_name", workflow_name),
            ("folder_yaml", yaml_string(folder)),
            ("report_yaml", yaml_string(&report)),
            ("request", requests::first(&starter.signature).to_owned()),
            ("prepare", PREPARE.trim_end().to_owned()),
        ],
    )
}

/// The text as a double-quoted YAML scalar, which every JSON string is.
fn yaml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
