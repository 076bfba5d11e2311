//! Seeded sample inputs made from a signature.
