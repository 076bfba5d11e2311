//! Reports of a run: one value, [`Report`], and one renderer for each format.
//!
//! Renderers are pure functions to bytes; nothing here prints, reads or asks the clock.

pub mod build;
pub mod document;
pub mod histogram;
pub mod junit;
pub mod markdown;
pub mod terminal;
pub mod text;
pub mod words;

pub use document::{Report, RunFacts};
