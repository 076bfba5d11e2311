//! Local releases: the ledger in `.gwtf/` and what deploy, promote and rollback do to it.
