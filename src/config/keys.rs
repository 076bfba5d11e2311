//! API keys of the local endpoint, with their values: from the environment, else from
//! `.gwtf/keys.json`.

use super::environment::Environment;
use super::resolved::Settings;
use crate::error::Failure;
use crate::model::Digest;
use crate::spec::ApiKey;

/// Characters of a key's id, as many as API Gateway's have.
const KEY_ID_CHARS: usize = 10;

impl Settings {
    /// Every API key that a usage plan names; a key without a value gets one from `rng`.
    ///
    /// # Errors
    /// A variable's value has the wrong form, or `.gwtf/keys.json` cannot be read or written.
    pub fn api_keys(
        &self,
        environment: &Environment,
        rng: &mut impl rand::CryptoRng,
    ) -> Result<Vec<ApiKey>, Failure> {
        let mut values = self.key_overrides(environment)?;
        let missing: Vec<&str> = self
            .key_plans
            .keys()
            .filter(|name| !values.contains_key(*name))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            values.extend(self.store().key_values(&missing, rng)?);
        }
        let keys = values.into_iter().map(|(name, value)| ApiKey {
            id: key_id(&name),
            usage_plan: self.key_plans.get(&name).cloned(),
            name,
            value,
            enabled: true,
        });
        Ok(keys.collect())
    }
}

/// What logs show of a key: made from its name, so that it says nothing of its value.
fn key_id(name: &str) -> String {
    Digest::of(name.as_bytes()).to_string()[..KEY_ID_CHARS].to_owned()
}
