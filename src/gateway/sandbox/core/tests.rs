//! The core on instants of the test's choice.

use super::super::account::{Account, Pool};
use super::*;
use proptest::prelude::*;

const SECOND_NS: u64 = 1_000_000_000;

fn core(reserved: Option<u32>, scale_out: &str) -> Core {
    let limits = Limits {
        reserved,
        account: 1_000,
        scale_out: scale_out.parse().unwrap(),
        idle_expiry_ns: 60 * SECOND_NS,
    };
    Core::new(limits, 0)
}

fn started(core: &mut Core, pool: &mut Pool, now_ns: u64) -> SandboxId {
    match core.request(pool, false, now_ns) {
        Decision::Start(id) => id,
        other => panic!("{other:?}"),
    }
}

fn free(core: &mut Core, pool: &mut Pool, id: SandboxId, now_ns: u64) {
    core.responded(id);
    core.ready(pool, id, now_ns);
}

#[test]
fn the_one_that_was_busy_last_is_used_first_and_the_others_expire() {
    let (mut core, mut pool) = (core(Some(10), "100:1000"), Pool::new(1_000));
    let ids: Vec<_> = (0..3).map(|_| started(&mut core, &mut pool, 0)).collect();
    for (id, at) in [(ids[1], 1), (ids[0], 2), (ids[2], 3)] {
        free(&mut core, &mut pool, id, at * SECOND_NS);
    }
    let now = 50 * SECOND_NS;
    assert_eq!(core.request(&mut pool, true, now), Decision::Reuse(ids[2]));
    free(&mut core, &mut pool, ids[2], now);
    assert_eq!(core.next_expiry_ns(), Some(61 * SECOND_NS));
    assert_eq!(core.expire(61 * SECOND_NS - 1), []);
    assert_eq!(core.expire(62 * SECOND_NS), [ids[1], ids[0]]);
    assert_eq!(core.request(&mut pool, true, 109 * SECOND_NS), Decision::Reuse(ids[2]));
    assert_eq!(core.expire(u64::MAX), [], "a busy one does not expire");
    assert_eq!(core.next_expiry_ns(), None);
}

#[test]
fn one_request_beyond_the_reservation_is_throttled() {
    let (mut core, mut pool) = (core(Some(2), "100:1000"), Pool::new(1_000));
    let first = started(&mut core, &mut pool, 0);
    started(&mut core, &mut pool, 0);
    let throttled = Decision::Throttle(ThrottleReason::ReservedConcurrency);
    assert_eq!(core.request(&mut pool, true, 0), throttled);
    core.responded(first);
    assert_eq!(core.request(&mut pool, true, 0), Decision::Finishing);
    assert_eq!(core.request(&mut pool, true, 0), throttled, "it is promised to the first");
    core.stop_waiting();
    assert_eq!(core.request(&mut pool, false, 0), throttled, "it is not free yet");
    core.ready(&mut pool, first, 0);
    assert_eq!(core.request(&mut pool, true, 0), Decision::Reuse(first));
    core.ended(&mut pool, first);
    let next = started(&mut core, &mut pool, 0);
    assert!(next > first, "numbers are not used again");
    let (mut off, mut pool) = (self::core(Some(0), "100:1000"), Pool::new(1_000));
    assert_eq!(off.request(&mut pool, true, 0), throttled);
}

#[test]
fn functions_without_a_reservation_share_what_is_left() {
    let account = Account::new(103);
    let _reservation = account.reserve(3).unwrap();
    let (mut one, mut two) = (core(None, "100:1000"), core(None, "100:1000"));
    let pool = &mut *account.lock();
    let first = started(&mut one, pool, 0);
    for _ in 1..100 {
        started(&mut two, pool, 0);
    }
    let throttled = Decision::Throttle(ThrottleReason::Concurrency);
    assert_eq!(one.request(pool, true, 0), throttled);
    assert_eq!(two.request(pool, true, 0), throttled);
    free(&mut one, pool, first, 0);
    started(&mut two, pool, 0);
    assert_eq!(one.request(pool, true, 0), throttled, "idle, but the account is full");
}

#[test]
fn sandboxes_are_added_at_aws_rate() {
    let (mut core, mut pool) = (core(None, "100:1000"), Pool::new(5_000));
    let mut count = |now_ns| {
        let start = |_: &u32| matches!(core.request(&mut pool, false, now_ns), Decision::Start(_));
        (0..1_500).filter(start).count()
    };
    assert_eq!(count(0), 1_000);
    assert_eq!(count(SECOND_NS / 2), 50);
    assert_eq!(count(10 * SECOND_NS), 950);
}

#[test]
fn requests_are_capped_at_ten_times_the_concurrency() {
    let (mut core, mut pool) = (core(Some(5), "100:1000"), Pool::new(1_000));
    let mut count = |now_ns| {
        let mut answered = 0;
        loop {
            match core.request(&mut pool, false, now_ns) {
                Decision::Start(id) | Decision::Reuse(id) => {
                    free(&mut core, &mut pool, id, now_ns);
                    answered += 1;
                }
                other => {
                    assert_eq!(other, Decision::Throttle(ThrottleReason::ReservedRate));
                    return answered;
                }
            }
        }
    };
    assert_eq!(count(0), 50);
    assert_eq!(count(SECOND_NS / 10), 5);
}

#[derive(Debug, Clone)]
enum Step {
    Request { waits: bool },
    Respond(usize),
    Ready(usize),
    End(usize),
    Expire,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<bool>().prop_map(|waits| Step::Request { waits }),
        3 => any::<usize>().prop_map(Step::Respond),
        4 => any::<usize>().prop_map(Step::Ready),
        1 => any::<usize>().prop_map(Step::End),
        1 => Just(Step::Expire),
        3 => (0..30 * SECOND_NS).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    #[test]
    fn invariants_hold_whatever_happens(
        reserved in prop::option::of(0u32..8),
        account in 1u32..8,
        steps in steps(),
    ) {
        let (mut core, mut pool) = (core(reserved, "1:5"), Pool::new(account));
        let limit = reserved.unwrap_or(account);
        let mut now = 0;
        // What the core must believe: who is in flight, and who is idle since when, in order.
        let (mut busy, mut idle) = (Vec::new(), Vec::<(SandboxId, u64)>::new());
        let mut starts = Vec::new();
        for step in steps {
            match step {
                Step::Pass(by) => now += by,
                Step::Expire => {
                    let expired = core.expire(now);
                    let due = idle.iter().filter(|(_, since)| since + 60 * SECOND_NS <= now);
                    prop_assert_eq!(&expired, &due.map(|(id, _)| *id).collect::<Vec<_>>());
                    idle.retain(|(id, _)| !expired.contains(id));
                }
                Step::Request { waits } => match core.request(&mut pool, waits, now) {
                    Decision::Start(id) => {
                        prop_assert!(idle.is_empty() && !busy.contains(&id));
                        busy.push(id);
                        starts.push(now);
                    }
                    Decision::Reuse(id) => {
                        prop_assert_eq!(idle.pop().map(|(last, _)| last), Some(id));
                        busy.push(id);
                    }
                    Decision::Finishing => {
                        prop_assert!(waits);
                        core.stop_waiting();
                    }
                    Decision::Throttle(_) => {}
                },
                Step::Respond(at) if !busy.is_empty() => core.responded(busy[at % busy.len()]),
                Step::Ready(at) if !busy.is_empty() => {
                    let id = busy.remove(at % busy.len());
                    core.ready(&mut pool, id, now);
                    idle.push((id, now));
                }
                Step::End(at) if !(busy.is_empty() && idle.is_empty()) => {
                    let at = at % (busy.len() + idle.len());
                    let id = match busy.len() {
                        busy_count if at < busy_count => busy.remove(at),
                        busy_count => idle.remove(at - busy_count).0,
                    };
                    core.ended(&mut pool, id);
                }
                _ => {}
            }
            prop_assert!(core.in_flight() <= limit);
            prop_assert_eq!(core.in_flight() as usize, busy.len());
            prop_assert_eq!(core.idle(), idle.len());
        }
        for (first, start) in starts.iter().enumerate() {
            for (last, end) in starts.iter().enumerate().skip(first) {
                prop_assert!((last - first + 1) as u64 <= 5 + (end - start) / SECOND_NS + 1);
            }
        }
    }
}
