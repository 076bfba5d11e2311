//! An account's concurrency in one Region, shared by the functions that run in it.

use super::options::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An account's default concurrency (Lambda developer guide, "Lambda quotas").
pub const ACCOUNT_CONCURRENCY: u32 = 1_000;
/// Concurrency that functions without a reservation keep between them (developer guide,
/// "Configuring reserved concurrency").
const UNRESERVED_MIN: u32 = 100;

/// What is left for functions without a reservation.
#[derive(Debug)]
pub(super) struct Pool {
    concurrency: u32,
    reserved: u32,
    in_flight: u32,
}

impl Pool {
    pub(super) fn new(concurrency: u32) -> Self {
        Self { concurrency, reserved: 0, in_flight: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_flight >= self.concurrency - self.reserved
    }

    pub(super) fn take(&mut self) {
        self.in_flight += 1;
    }

    pub(super) fn give_back(&mut self) {
        self.in_flight -= 1;
    }

    fn reserve(&mut self, reserved: u32) -> Result<(), Error> {
        let most = self.concurrency.saturating_sub(UNRESERVED_MIN).saturating_sub(self.reserved);
        if reserved > most {
            return Err(Error::Reservation { reserved, most });
        }
        self.reserved += reserved;
        Ok(())
    }
}

/// The account; a clone is the same account.
#[derive(Debug, Clone)]
pub struct Account(Arc<Mutex<Pool>>);

impl Account {
    /// An account with this concurrency.
    pub fn new(concurrency: u32) -> Self {
        Self(Arc::new(Mutex::new(Pool::new(concurrency))))
    }

    /// The pool; nothing under its lock panics.
    pub(super) fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn concurrency(&self) -> u32 {
        self.lock().concurrency
    }

    /// Takes a reservation out of the pool; it is given back when the value is dropped.
    pub(super) fn reserve(&self, reserved: u32) -> Result<Reservation, Error> {
        self.lock().reserve(reserved)?;
        Ok(Reservation { account: self.clone(), reserved })
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new(ACCOUNT_CONCURRENCY)
    }
}

/// Concurrency that one function has for itself.
#[derive(Debug)]
pub(super) struct Reservation {
    account: Account,
    reserved: u32,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.account.lock().reserved -= self.reserved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_stay_unreserved() {
        let account = Account::default();
        let first = account.reserve(600).unwrap();
        let error = account.reserve(301).unwrap_err();
        assert!(matches!(error, Error::Reservation { reserved: 301, most: 300 }), "{error}");
        let _second = account.reserve(300).unwrap();
        drop(first);
        let _third = account.reserve(600).unwrap();
        for _ in 0..100 {
            assert!(!account.lock().is_full());
            account.lock().take();
        }
        assert!(account.lock().is_full());
    }

    #[test]
    fn a_small_account_reserves_nothing() {
        assert!(Account::new(50).reserve(1).is_err());
        assert!(Account::new(50).reserve(0).is_ok());
    }
}
