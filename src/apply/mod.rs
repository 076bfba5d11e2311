//! Performs a plan through the port `Cloud`: in order, paced, resumable.
