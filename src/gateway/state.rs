//! Buckets and quotas that outlive a contract, not the process: a release changes limits, not what is
//! left of them.

use super::limiter::{SharedBucket, SharedQuota};
use super::options::Mode;
use crate::spec::{Quota, Throttle};
use std::collections::HashMap;
use std::sync::Arc;

/// Above this many, those that no contract uses are forgotten.
const LIMITERS_KEPT_MAX: usize = 100_000;

/// All limiters by name. A name says what is limited (`stage /predict/POST`), not how much.
#[derive(Debug)]
pub(super) struct State {
    mode: Mode,
    buckets: HashMap<String, Arc<SharedBucket>>,
    quotas: HashMap<String, Arc<SharedQuota>>,
}

impl State {
    pub(super) fn new(mode: Mode) -> Self {
        Self { mode, buckets: HashMap::new(), quotas: HashMap::new() }
    }

    /// The bucket of this name, with these limits from now on.
    pub(super) fn bucket(
        &mut self,
        name: String,
        throttle: Throttle,
        now_ns: u64,
    ) -> Arc<SharedBucket> {
        if let Some(bucket) = self.buckets.get(&name) {
            bucket.set(throttle, now_ns);
            return Arc::clone(bucket);
        }
        let bucket = Arc::new(SharedBucket::new(&name, throttle, self.mode, now_ns));
        self.buckets.insert(name, Arc::clone(&bucket));
        bucket
    }

    /// The quota of this name, with these limits from now on.
    pub(super) fn quota(&mut self, name: String, quota: Quota) -> Arc<SharedQuota> {
        if let Some(known) = self.quotas.get(&name) {
            known.set(quota);
            return Arc::clone(known);
        }
        let shared = Arc::new(SharedQuota::new(&name, quota, self.mode));
        self.quotas.insert(name, Arc::clone(&shared));
        shared
    }

    /// Forgets limiters that nobody uses, once there are very many.
    pub(super) fn prune(&mut self) {
        if self.buckets.len() + self.quotas.len() > LIMITERS_KEPT_MAX {
            self.buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1);
            self.quotas.retain(|_, quota| Arc::strong_count(quota) > 1);
        }
    }
}
