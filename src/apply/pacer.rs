//! How fast control-plane calls may be made: a token bucket a class of operations. Pure.
//!
//! A bucket of rate `r` and burst `b` is kept as the instant `t` at which it will be full again:
//! a call may go at `now` when `t - now <= (b - 1) / r`, and then `t = max(t, now) + 1 / r`. So a
//! window of length `w` never sees more than `b + r * w` calls of a class.
//!
//! API Gateway's rates: its developer guide, "Quotas for creating, deploying and managing an API"
//! (they cannot be raised). Lambda's: its developer guide, "Lambda quotas", "API requests". IAM,
//! CloudWatch Logs, ECR and S3 publish higher ones or none; theirs here are ours, well below.

use crate::plan::Service;
use std::time::Duration;

/// Calls that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    ApiGateway,
    CreateRestApi,
    DeleteRestApi,
    CreateDeployment,
    PutRestApi,
    CreateApiKey,
    DeleteApiKey,
    UpdateUsagePlan,
    UpdateAccount,
    Lambda,
    GetFunction,
    Iam,
    Logs,
    Ecr,
    S3,
    Sts,
}

/// Every class: the time between two calls, milliseconds, and the calls that may go at once.
const LIMITS: [(Class, u64, u32); 16] = [
    (Class::ApiGateway, 100, 40),
    (Class::CreateRestApi, 3_000, 1),
    (Class::DeleteRestApi, 30_000, 1),
    (Class::CreateDeployment, 5_000, 1),
    (Class::PutRestApi, 1_000, 1),
    (Class::CreateApiKey, 200, 5),
    (Class::DeleteApiKey, 200, 5),
    (Class::UpdateUsagePlan, 20_000, 1),
    (Class::UpdateAccount, 20_000, 1),
    // 15 a second; 66 ms would be a little more.
    (Class::Lambda, 67, 15),
    (Class::GetFunction, 10, 100),
    // Ours: some of IAM's calls are limited to a few a second for the whole account.
    (Class::Iam, 100, 10),
    // Ours: the quotas are per operation, of 5 a second and more; a throttled call is made again.
    (Class::Logs, 100, 10),
    (Class::Ecr, 50, 20),
    (Class::S3, 10, 100),
    (Class::Sts, 50, 20),
];

/// The classes that a call counts for.
fn classes(service: Service, operation: &str) -> (Class, Option<Class>) {
    match (service, operation) {
        (Service::ApiGateway, operation) => (
            Class::ApiGateway,
            match operation {
                "CreateRestApi" => Some(Class::CreateRestApi),
                "DeleteRestApi" => Some(Class::DeleteRestApi),
                "CreateDeployment" => Some(Class::CreateDeployment),
                "PutRestApi" => Some(Class::PutRestApi),
                "CreateApiKey" => Some(Class::CreateApiKey),
                "DeleteApiKey" => Some(Class::DeleteApiKey),
                "UpdateUsagePlan" => Some(Class::UpdateUsagePlan),
                "UpdateAccount" => Some(Class::UpdateAccount),
                _ => None,
            },
        ),
        // `GetFunction` has a rate of its own and does not count for the others.
        (Service::Lambda, "GetFunction") => (Class::GetFunction, None),
        (Service::Lambda, _) => (Class::Lambda, None),
        (Service::Iam, _) => (Class::Iam, None),
        (Service::Logs, _) => (Class::Logs, None),
        (Service::Ecr, _) => (Class::Ecr, None),
        (Service::S3, _) => (Class::S3, None),
        (Service::Sts, _) => (Class::Sts, None),
    }
}

/// The buckets of one run, all full at first.
#[derive(Debug, Clone, Default)]
pub struct Pacer {
    /// When each bucket will be full again, in the order of [`LIMITS`].
    full_at: [Duration; LIMITS.len()],
}

impl Pacer {
    /// Asks for a call at `now`, counted from any fixed instant: zero says that it may go and has
    /// been counted; else it has not, and it is asked again after that wait.
    pub fn admit(&mut self, service: Service, operation: &str, now: Duration) -> Duration {
        let (first, second) = classes(service, operation);
        let own =
            || (0..LIMITS.len()).filter(|i| LIMITS[*i].0 == first || Some(LIMITS[*i].0) == second);
        let wait = own().map(|i| self.wait(i, now)).max().unwrap_or_default();
        if wait.is_zero() {
            for i in own() {
                self.full_at[i] = self.full_at[i].max(now) + Duration::from_millis(LIMITS[i].1);
            }
        }
        wait
    }

    fn wait(&self, i: usize, now: Duration) -> Duration {
        let (_, interval_ms, burst) = LIMITS[i];
        let room = Duration::from_millis(interval_ms) * (burst - 1);
        self.full_at[i].saturating_sub(now + room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPERATIONS: [(Service, &str); 13] = [
        (Service::ApiGateway, "GetRestApis"),
        (Service::ApiGateway, "CreateRestApi"),
        (Service::ApiGateway, "DeleteRestApi"),
        (Service::ApiGateway, "CreateDeployment"),
        (Service::ApiGateway, "PutRestApi"),
        (Service::ApiGateway, "CreateApiKey"),
        (Service::ApiGateway, "UpdateUsagePlan"),
        (Service::ApiGateway, "UpdateAccount"),
        (Service::ApiGateway, "UpdateStage"),
        (Service::Lambda, "GetFunction"),
        (Service::Lambda, "UpdateAlias"),
        (Service::Iam, "CreateRole"),
        (Service::S3, "PutObject"),
    ];

    /// The published limits, apart from the table: calls a second and burst.
    fn published(operation: &str) -> Option<(f64, f64)> {
        Some(match operation {
            "CreateRestApi" => (1.0 / 3.0, 1.0),
            "DeleteRestApi" => (1.0 / 30.0, 1.0),
            "CreateDeployment" => (1.0 / 5.0, 1.0),
            "PutRestApi" => (1.0, 1.0),
            "CreateApiKey" => (5.0, 5.0),
            "UpdateUsagePlan" | "UpdateAccount" => (1.0 / 20.0, 1.0),
            "GetFunction" => (100.0, 100.0),
            _ => return None,
        })
    }

    fn assert_within(starts: &[Duration], (rate, burst): (f64, f64)) {
        for (i, from) in starts.iter().enumerate() {
            for (j, to) in starts.iter().enumerate().skip(i) {
                let window = (*to - *from).as_secs_f64();
                let calls = (j - i + 1) as f64;
                assert!(calls <= burst + rate * window + 1e-6, "{calls} calls in {window} s");
            }
        }
    }

    proptest! {
        #[test]
        fn no_window_exceeds_a_rate(
            calls in prop::collection::vec((0..OPERATIONS.len(), 0_u64..400), 1..200),
        ) {
            let mut pacer = Pacer::default();
            let mut now = Duration::ZERO;
            let mut started: Vec<(usize, Duration)> = Vec::new();
            for (index, gap_ms) in calls {
                now += Duration::from_millis(gap_ms);
                let (service, operation) = OPERATIONS[index];
                let wait = pacer.admit(service, operation, now);
                if !wait.is_zero() {
                    now += wait;
                    prop_assert_eq!(pacer.admit(service, operation, now), Duration::ZERO);
                }
                started.push((index, now));
            }
            for (index, (_, operation)) in OPERATIONS.iter().enumerate() {
                if let Some(limit) = published(operation) {
                    let own = started.iter().filter(|(i, _)| *i == index).map(|(_, at)| *at);
                    assert_within(&own.collect::<Vec<_>>(), limit);
                }
            }
            let of = |service: Service, besides: &str| -> Vec<Duration> {
                let own = |i: &usize| OPERATIONS[*i].0 == service && OPERATIONS[*i].1 != besides;
                started.iter().filter(|(i, _)| own(i)).map(|(_, at)| *at).collect()
            };
            assert_within(&of(Service::ApiGateway, ""), (10.0, 40.0));
            assert_within(&of(Service::Lambda, "GetFunction"), (15.0, 15.0));
        }
    }

    #[test]
    fn each_first_call_goes_at_once_and_a_refused_one_is_not_counted() {
        for (service, operation) in OPERATIONS {
            assert!(Pacer::default().admit(service, operation, Duration::ZERO).is_zero());
        }
        let mut pacer = Pacer::default();
        let mut delete =
            |s| pacer.admit(Service::ApiGateway, "DeleteRestApi", Duration::from_secs(s));
        assert_eq!([delete(0), delete(1), delete(10)].map(|wait| wait.as_secs()), [0, 29, 20]);
        assert!(delete(30).is_zero());
    }
}
