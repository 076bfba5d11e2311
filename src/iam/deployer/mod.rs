//! The document of whoever deploys: a person, or a CI job.
//!
//! It depends on what `gwtf.toml` asks for and is made before the first deploy: names are known, ids
//! that AWS makes stand as patterns, bound to the endpoint by its tag.

mod function;
mod gateway;
mod role;
mod storage;

use super::arn::{Arns, REST_API_ID};
use super::shape::{Reach, Shape};
use crate::identity::policy::{Compare, Document, Operator, Statement, Test};
use crate::plan::Names;
use crate::plan::names::ENDPOINT_TAG;

/// What the document is made from.
#[derive(Debug, Clone, Copy)]
pub struct Deployer<'a> {
    /// The endpoint's names.
    pub names: &'a Names,
    /// What it has.
    pub shape: &'a Shape,
    /// How far the deployer goes.
    pub reach: Reach,
    /// The REST API's id, once it is there; then the document names it, and does not make one.
    pub rest_api: Option<&'a str>,
}

/// The deployer's document.
pub fn deployer(deployer: &Deployer<'_>) -> Document {
    let mut statements = deployer.gateway();
    statements.extend(deployer.usage());
    statements.extend(deployer.smoke_test());
    statements.extend(deployer.function());
    statements.extend(deployer.roles());
    statements.extend(deployer.storage());
    Document::new(statements)
}

const EQUALS: Operator = Operator {
    set: None,
    test: Test { compare: Compare::String, negated: false },
    if_exists: false,
};

/// For keys that are ARNs.
const ARN_EQUALS: Operator =
    Operator { set: None, test: Test { compare: Compare::Arn, negated: false }, if_exists: false };

impl Deployer<'_> {
    fn arns(&self) -> Arns<'_> {
        Arns(self.names)
    }

    fn is_whole(&self) -> bool {
        self.reach == Reach::Whole
    }

    /// Whether anything is changed.
    fn writes(&self) -> bool {
        self.reach != Reach::Reads
    }

    /// The REST API's id, or what stands for one.
    fn rest_api_id(&self) -> &str {
        self.rest_api.unwrap_or(REST_API_ID)
    }

    /// Only on what carries the endpoint's tag.
    fn if_own(&self, statement: Statement) -> Statement {
        let key = format!("aws:ResourceTag/{ENDPOINT_TAG}");
        statement.when(EQUALS, &key, [self.names.endpoint.as_str()])
    }

    /// Only where the request gives the endpoint's tag.
    fn if_tagging(&self, statement: Statement) -> Statement {
        let key = format!("aws:RequestTag/{ENDPOINT_TAG}");
        statement.when(EQUALS, &key, [self.names.endpoint.as_str()])
    }

    /// The actions of these whose flag is set.
    fn chosen(of: &[(&'static str, bool)]) -> Vec<&'static str> {
        of.iter().filter(|(_, chosen)| *chosen).map(|(action, _)| *action).collect()
    }
}
