//! Who may invoke the function: API Gateway, alias by alias and method by method.

use super::super::action::Verb;
use super::super::change::Change;
use super::function::PlannedFunction;
use super::{Planner, Refused};

/// HTTP methods of an endpoint's routes; each has a permission of its own on each alias.
pub(in crate::plan) const VERBS: [&str; 2] = ["GET", "POST"];

impl Planner<'_> {
    /// API Gateway may invoke each kept version's alias, by method, from this stage alone.
    pub(super) fn permissions(
        &mut self,
        planned: &PlannedFunction,
        api: Option<usize>,
    ) -> Result<Vec<usize>, Refused> {
        let wanted = self.wanted;
        let mut tags: Vec<String> =
            self.ledger.kept.iter().map(|kept| kept.record.version.to_string()).collect();
        if !tags.iter().any(|tag| tag == wanted.version.as_str()) {
            tags.push(wanted.version.to_string());
        }
        let rest_api = self.rest_api_id();
        let mut actions = Vec::new();
        // One after another: of calls made side by side on one function AWS loses some.
        let mut last: Option<usize> = None;
        for tag in tags {
            let alias = wanted.names.alias(&tag)?;
            let observed = self.observed.function.as_ref();
            let observed =
                observed.and_then(|one| one.aliases.iter().find(|one| one.name == alias));
            for verb in VERBS {
                let statement = format!("gwtf-{alias}-{verb}");
                let source_arn = wanted.names.execute_arn(&rest_api, verb, "*");
                let there = observed.and_then(|alias| alias.permissions.get(&statement));
                if there == Some(&source_arn) {
                    continue;
                }
                let object = format!("{alias}: {verb}");
                let function = wanted.names.function();
                let mut after: Vec<usize> = api.into_iter().chain(last).collect();
                if tag == wanted.version.as_str() {
                    after.extend(planned.alias);
                }
                if there.is_some() {
                    let remove = Change::RemovePermission {
                        function: function.clone(),
                        alias: alias.clone(),
                        statement: statement.clone(),
                    };
                    let reason = "it is for another API or stage";
                    let object = ("permission", object.as_str());
                    after.push(self.act(Verb::Delete, object, reason, remove, last));
                }
                let add =
                    Change::AddPermission { function, alias: alias.clone(), statement, source_arn };
                let reason = format!("the API may invoke version `{tag}` by {verb}");
                let object = ("permission", object.as_str());
                let added = self.act(Verb::Create, object, reason, add, after);
                last = Some(added);
                actions.push(added);
            }
        }
        if actions.is_empty() {
            self.keep(
                ("permissions", &wanted.names.function()),
                "the API may invoke every version",
            );
        }
        Ok(actions)
    }
}
