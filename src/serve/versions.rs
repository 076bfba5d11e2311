//! The loaded versions of an endpoint, and which of them answers a route.
//!
//! A value of its own for each release: swapping it is one store, and a request that has begun
//! keeps the service it was given, whatever is released meanwhile.

use super::service::ModelService;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The version that a share of the unpinned requests reaches.
#[derive(Debug, Clone)]
pub struct CanaryShare {
    /// Its tag.
    pub version: String,
    /// Its share, percent, 1 to 99.
    pub percent: u8,
}

/// Loaded versions; at least the live one.
#[derive(Debug)]
pub struct Versions {
    services: Vec<Arc<ModelService>>,
    canary: Option<CanaryShare>,
    unpinned_count: AtomicU64,
}

impl Versions {
    /// These services, with this canary.
    pub fn new(services: Vec<Arc<ModelService>>, canary: Option<CanaryShare>) -> Self {
        Self { services, canary, unpinned_count: AtomicU64::new(0) }
    }

    /// The loaded versions.
    pub fn services(&self) -> &[Arc<ModelService>] {
        &self.services
    }

    /// The service of this tag.
    pub fn pinned(&self, version: &str) -> Option<&Arc<ModelService>> {
        self.services.iter().find(|service| service.version() == version)
    }

    /// The service for an unpinned request when `live` is the live version: the canary for its
    /// share of them, evenly spread (AWS draws at random; the share is the same).
    pub fn unpinned(&self, live: &str) -> Option<&Arc<ModelService>> {
        let canary = self.canary.as_ref().and_then(|canary| {
            let n = self.unpinned_count.fetch_add(1, Ordering::Relaxed);
            is_canary_turn(n, canary.percent).then_some(canary)
        });
        match canary {
            Some(canary) => self.pinned(&canary.version),
            None => self.pinned(live),
        }
    }
}

/// Whether the `n`-th request is one of the `percent` in a hundred: exactly `percent` of each
/// hundred, as evenly as whole requests allow.
fn is_canary_turn(n: u64, percent: u8) -> bool {
    let share = |n: u64| n.wrapping_mul(u64::from(percent)) / 100;
    share(n % 100 + 1) > share(n % 100)
}

#[cfg(test)]
mod tests {
    use super::is_canary_turn;

    #[test]
    fn each_hundred_requests_hold_the_share() {
        for percent in [1, 10, 33, 50, 99] {
            for start in [0, 100, 12_300] {
                let turns = (start..start + 100).filter(|n| is_canary_turn(*n, percent)).count();
                assert_eq!(turns, usize::from(percent));
            }
        }
    }
}
