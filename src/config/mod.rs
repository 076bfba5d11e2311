//! gwtf.toml as written, and resolved once with flags and environment.
//!
//! ```text
//! gwtf.toml -> check (schema, rules: every complaint at once) -> file::File ─┐
//! flags, environment::Environment ───────────────────────────────────────────┴-> resolved::Settings
//! ```
//!
//! Commands read [`Settings`] and nothing else of the outside; keys of features that this machine
//! cannot give yet are read, held to their form, and refused by name when a command needs them
//! ([`Unenforced`]).

mod check;
mod complaint;
pub mod environment;
mod error;
pub mod file;
mod keys;
mod read;
mod resolved;
mod rules;
pub mod schema;
mod unenforced;

pub use complaint::Complaint;
pub use environment::Environment;
pub use error::Error;
pub use file::{Auth, File, PackageForm, Target};
pub use resolved::{
    Flags, Function, KEEP_DEFAULT, STAGE_DEFAULT, Settings, endpoint_name_from, endpoint_name_of,
};
pub use rules::{is_endpoint_name, key_variable};
pub use unenforced::Unenforced;
