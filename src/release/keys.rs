//! Values of local API keys: `.gwtf/keys.json`, made at first need and readable by their owner alone.
//!
//! # Invariants
//! A value is never printed and stands in no error; the file is mode 0600 from its first byte.

use super::error::Error;
use super::store::{Store, replace};
use crate::spec::Secret;
use crate::spec::limits::API_KEY_CHARS;
use fs_err as fs;
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;

/// The `schema` of `.gwtf/keys.json`.
pub const KEYS_SCHEMA: &str = "gwtf.local-keys/v1";
/// Length of the values made here, characters of `[A-Za-z0-9]`: 238 bits.
pub const KEY_VALUE_CHARS: usize = 40;
/// Largest key file read, bytes.
const KEYS_BYTES_MAX: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysForm {
    schema: String,
    keys: BTreeMap<String, String>,
}

impl Store {
    /// The values of these keys; those that have none get one from `rng`, kept for the next time.
    ///
    /// # Errors
    /// The file is damaged, cannot be read, or a new value cannot be kept.
    pub fn key_values(
        &self,
        names: &[&str],
        rng: &mut impl rand::CryptoRng,
    ) -> Result<BTreeMap<String, Secret>, Error> {
        let is_complete =
            |keys: &BTreeMap<String, String>| names.iter().all(|name| keys.contains_key(*name));
        let mut keys = self.read_keys()?;
        if !is_complete(&keys) {
            // Two commands that start at once must end with the same values, so this waits.
            let io_error = Error::io(self.folder());
            fs::create_dir_all(self.folder()).map_err(&io_error)?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(false);
            let lock = options.open(self.folder().join("keys.lock")).map_err(&io_error)?;
            lock.lock().map_err(&io_error)?;
            self.ignore_in_git()?;
            keys = self.read_keys()?;
            for name in names {
                keys.entry((*name).to_owned())
                    .or_insert_with(|| Alphanumeric.sample_string(rng, KEY_VALUE_CHARS));
            }
            let form = KeysForm { schema: KEYS_SCHEMA.to_owned(), keys: keys.clone() };
            let bytes = serde_json::to_vec_pretty(&form).expect("the form has string keys");
            replace(&self.keys_path(), &bytes, 0o600)?;
        }
        let wanted = keys.into_iter().filter(|(name, _)| names.contains(&name.as_str()));
        Ok(wanted.map(|(name, value)| (name, Secret::new(value))).collect())
    }

    /// The file of the key values.
    pub fn keys_path(&self) -> std::path::PathBuf {
        self.folder().join("keys.json")
    }

    fn read_keys(&self) -> Result<BTreeMap<String, String>, Error> {
        let path = self.keys_path();
        let damaged = |reason: String| Error::KeysDamaged { path: path.clone(), reason };
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(BTreeMap::new());
            }
            Err(error) => return Err(Error::io(self.folder())(error)),
        };
        let mut bytes = Vec::new();
        file.take(KEYS_BYTES_MAX).read_to_end(&mut bytes).map_err(Error::io(self.folder()))?;
        // The parser's own message may quote a value; its place is enough.
        let form: KeysForm = serde_json::from_slice(&bytes).map_err(|error| {
            damaged(format!("it is no key file (line {}, column {})", error.line(), error.column()))
        })?;
        if form.schema != KEYS_SCHEMA {
            return Err(damaged(format!("this gwtf reads the schema `{KEYS_SCHEMA}`")));
        }
        for (name, value) in &form.keys {
            if !is_key_value(value) {
                return Err(damaged(format!(
                    "the value of `{name}` is not 20 to 128 visible ASCII characters"
                )));
            }
        }
        Ok(form.keys)
    }
}

/// Whether API Gateway would take a text as the value of an API key.
pub fn is_key_value(text: &str) -> bool {
    API_KEY_CHARS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn makes_values_once_and_keeps_them_private() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let first = store.key_values(&["alice"], &mut StdRng::seed_from_u64(1)).unwrap();
        let both = store.key_values(&["alice", "bob"], &mut StdRng::seed_from_u64(2)).unwrap();
        assert_eq!(first["alice"], both["alice"]);
        assert_ne!(both["alice"], both["bob"]);
        assert_eq!(both["bob"].expose().len(), KEY_VALUE_CHARS);
        assert!(is_key_value(both["bob"].expose()));
        let mode = fs::metadata(store.keys_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{both:?}").contains(both["bob"].expose()));
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_values() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        fs::create_dir_all(store.folder()).unwrap();
        for text in [
            "",
            "{",
            r#"{"schema":"other/v1","keys":{"alice":"very-secret-value-1234567"}}"#,
            r#"{"schema":"gwtf.local-keys/v1","keys":{"alice":"very-secret"}}"#,
            r#"{"schema":"gwtf.local-keys/v1","keys":["very-secret"]}"#,
        ] {
            fs::write(store.keys_path(), text).unwrap();
            let error = store.key_values(&["alice"], &mut StdRng::seed_from_u64(1)).unwrap_err();
            assert!(matches!(error, Error::KeysDamaged { .. }), "{text}: {error}");
            assert!(!error.to_string().contains("very-secret"), "{error}");
            assert_eq!(fs::read_to_string(store.keys_path()).unwrap(), text);
        }
    }
}
