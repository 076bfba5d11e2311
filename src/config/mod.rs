//! gwtf.toml as written, and resolved once with flags and environment.
