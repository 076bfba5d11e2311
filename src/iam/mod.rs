//! Least-privilege IAM documents, and the proof that they are sufficient and minimal.
