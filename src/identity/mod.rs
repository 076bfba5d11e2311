//! Who may do what: IAM documents and their evaluation, and signed requests.

pub mod policy;
