//! How many sandboxes: those that the function alone may take, and those held warm.

use super::super::action::{Difference, Verb};
use super::super::change::Change;
use super::Planner;
use super::function::PlannedFunction;

impl Planner<'_> {
    pub(super) fn reserved_concurrency(&mut self, planned: &mut PlannedFunction) {
        let function = self.wanted.names.function();
        let observed = self.observed.function.as_ref().and_then(|one| one.reserved_concurrency);
        let wanted = self.wanted.function.reserved_concurrency;
        if observed == wanted {
            return;
        }
        let (change, reason) = match wanted {
            Some(reserved) => (
                Change::PutFunctionConcurrency { function: function.clone(), reserved },
                format!("at most {reserved} sandboxes, which no other function can take"),
            ),
            None => (
                Change::DeleteFunctionConcurrency { function: function.clone() },
                "it takes from the account's pool".to_owned(),
            ),
        };
        let object = ("reserved concurrency", function.as_str());
        let action = self.act(Verb::Update, object, reason, change, planned.published);
        let text = |value: Option<u32>| value.map(|value| value.to_string());
        let what = "reserved_concurrency".to_owned();
        let difference = Difference { what, observed: text(observed), desired: text(wanted) };
        self.differs(action, vec![difference]);
        planned.done.push(action);
    }

    /// Warm sandboxes for the live version; taken from versions that are live no more after the
    /// release.
    pub(super) fn provisioned_concurrency(
        &mut self,
        planned: &PlannedFunction,
        stage: Option<usize>,
    ) {
        let wanted = self.wanted;
        let count = wanted.function.provisioned_concurrency;
        let function = wanted.names.function();
        let Ok(alias) = wanted.names.alias(wanted.version.as_str()) else { return };
        let observed = self.observed.function.as_ref();
        let observed = observed.map(|one| one.provisioned_concurrency.clone()).unwrap_or_default();
        let object = ("provisioned concurrency", alias.as_str());
        if count > 0 && observed.get(&alias) != Some(&count) {
            let change = Change::PutProvisionedConcurrency {
                function: function.clone(),
                alias: alias.clone(),
                provisioned: count,
            };
            let reason = format!("{count} sandboxes are held warm");
            self.act(Verb::Update, object, reason, change, planned.done.iter().copied());
        }
        let leaves = |other: &String| *other != alias && wanted.canary_percent.is_none();
        for other in observed.keys().filter(|other| count == 0 || leaves(other)) {
            let change = Change::DeleteProvisionedConcurrency {
                function: function.clone(),
                alias: other.clone(),
            };
            let object = ("provisioned concurrency", other.as_str());
            self.act(Verb::Delete, object, "nothing is to be held warm there", change, stage);
        }
    }
}
