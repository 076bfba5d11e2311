//! What a worker has to send next: arrivals, retries, and requests that a client's own rate limit
//! holds back.

use super::super::plan::{Choice, Pace, Plan};
use super::super::retry::{Admission, Client};
use super::super::schedule::{Arrival, Arrivals};
use super::super::seeded::{self, Stream};
use super::attempts::Operation;
use super::gathering::GROUP_MAX;
use super::lock;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Mutex;

/// The most requests that wait inside a worker. Beyond that arrivals stay in the schedule, where
/// their intended instants are safe.
const WAITING_MAX: usize = 1 << 20;
/// Arrivals that can be looked at: two groups that leave together.
const AHEAD: usize = 2 * GROUP_MAX;

/// Something to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An arrival of the schedule.
    Arrival(Arrival),
    /// A retry whose back-off is over.
    Retry(Operation),
    /// An operation that its client's rate limit lets go.
    Released(Operation),
}

/// A retry in the heap: the earliest first, equal ones in order of arrival.
#[derive(Debug, PartialEq, Eq)]
struct Delayed(Operation);

impl Delayed {
    fn key(&self) -> (u64, u64) {
        (self.0.due_ns, self.0.index)
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Operations that one client holds back, in order.
#[derive(Debug, Default)]
struct Held {
    queue: VecDeque<Operation>,
    /// When the first of them may ask again.
    ask_ns: u64,
}

/// Arrivals, the next few of which can be looked at.
#[derive(Debug)]
struct Upcoming {
    ahead: VecDeque<Arrival>,
    rest: Arrivals,
}

impl Upcoming {
    fn new(mut rest: Arrivals) -> Self {
        Self { ahead: rest.by_ref().take(AHEAD).collect(), rest }
    }

    fn next(&mut self) -> Option<Arrival> {
        self.ahead.extend(self.rest.next());
        self.ahead.pop_front()
    }
}

/// Where a worker's requests come from.
#[derive(Debug)]
pub(super) struct Source {
    /// `None` in a closed loop.
    arrivals: Option<Upcoming>,
    none_ahead: VecDeque<Arrival>,
    /// The next index of a closed loop, and the step to the one after.
    closed_index: u64,
    closed_step: u64,
    retries: BinaryHeap<Reverse<Delayed>>,
    held: Vec<Held>,
    held_count: usize,
    choice: Choice,
    requests: u64,
    /// Running sums of the keys' weights.
    weights: Vec<f64>,
    seed: u64,
}

impl Source {
    /// The part `part` of `of` of a plan's requests.
    pub(super) fn new(plan: &Plan, part: usize, of: usize) -> Self {
        let arrivals = match &plan.pace {
            Pace::Open(schedule) => Some(Upcoming::new(schedule.arrivals(part, of))),
            Pace::Closed { .. } => None,
        };
        let mut sum = 0.0;
        let weights = plan.keys.iter().map(|key| {
            sum += key.weight;
            sum
        });
        Self {
            arrivals,
            none_ahead: VecDeque::new(),
            closed_index: part as u64,
            closed_step: of as u64,
            retries: BinaryHeap::new(),
            held: (0..plan.keys.len().max(1)).map(|_| Held::default()).collect(),
            held_count: 0,
            choice: plan.choice,
            requests: plan.requests.len() as u64,
            weights: weights.collect(),
            seed: plan.seed,
        }
    }

    /// Whether the next request waits for a reply.
    pub(super) fn is_closed_loop(&self) -> bool {
        self.arrivals.is_none()
    }

    /// The place of a closed loop's next request in the run.
    pub(super) fn closed_loop_index(&mut self) -> u64 {
        let index = self.closed_index;
        self.closed_index += self.closed_step;
        index
    }

    /// The prepared request and the key of an arrival.
    pub(super) fn choose(&self, index: u64) -> (usize, usize) {
        let request = match self.choice {
            Choice::RoundRobin => index,
            Choice::Seeded => seeded::draw(self.seed, Stream::Request, index),
        } % self.requests;
        let key = match self.weights.last() {
            None => 0,
            Some(total) => {
                let drawn = seeded::unit(self.seed, Stream::Key, index) * total;
                self.weights.partition_point(|sum| *sum < drawn).min(self.weights.len() - 1)
            }
        };
        (request as usize, key)
    }

    /// What is due by `now_ns`, the earliest first; `waiting` requests wait in the backlog.
    pub(super) fn next_due(
        &mut self,
        now_ns: u64,
        waiting: usize,
        clients: Option<&[Mutex<Client>]>,
    ) -> Option<Next> {
        if let Some(operation) = self.release(now_ns, clients) {
            return Some(Next::Released(operation));
        }
        let arrival_ns = self.arrival_ns(waiting).filter(|at_ns| *at_ns <= now_ns);
        let retry_ns = self.retry_ns().filter(|at_ns| *at_ns <= now_ns);
        match (arrival_ns, retry_ns) {
            (Some(arrival), Some(retry)) if retry < arrival => self.pop_retry(),
            (Some(_), _) => self.arrivals.as_mut()?.next().map(Next::Arrival),
            (None, Some(_)) => self.pop_retry(),
            (None, None) => None,
        }
    }

    /// When something is due next.
    pub(super) fn next_ns(&mut self, waiting: usize) -> Option<u64> {
        let held_ns = match self.held_count {
            0 => None,
            _ => {
                self.held.iter().filter(|held| !held.queue.is_empty()).map(|held| held.ask_ns).min()
            }
        };
        [self.arrival_ns(waiting), self.retry_ns(), held_ns].into_iter().flatten().min()
    }

    /// Whether anything is still to be sent before `until_ns`, and `now_ns` leaves the time.
    pub(super) fn has_more(&mut self, now_ns: u64, until_ns: u64) -> bool {
        let has_time = now_ns < until_ns;
        let arrival_ns = self.arrival_ns(0);
        [arrival_ns, self.retry_ns()].into_iter().flatten().any(|at_ns| at_ns < until_ns)
            || has_time && (self.held_count > 0 || self.is_closed_loop())
    }

    /// Lets an operation pass its client's rate limit, or holds it back behind those that wait.
    pub(super) fn admit(
        &mut self,
        operation: Operation,
        now_ns: u64,
        client: &mut Client,
    ) -> Option<Operation> {
        let held = &mut self.held[operation.client];
        if held.queue.is_empty() {
            match client.admit(std::time::Duration::from_nanos(now_ns)) {
                Admission::Now => return Some(operation),
                Admission::Wait(wait) => held.ask_ns = now_ns + wait.as_nanos() as u64,
            }
        }
        held.queue.push_back(operation);
        self.held_count += 1;
        None
    }

    /// Takes a retry that is due later.
    pub(super) fn retry(&mut self, operation: Operation) {
        self.retries.push(Reverse(Delayed(operation)));
    }

    /// The schedule's next arrival before `until_ns`, due or not.
    pub(super) fn next_arrival(&mut self, until_ns: u64) -> Option<Arrival> {
        let arrivals = self.arrivals.as_mut()?;
        if arrivals.ahead.front()?.at_ns < until_ns { arrivals.next() } else { None }
    }

    /// The schedule's next few arrivals.
    pub(super) fn ahead(&self) -> &VecDeque<Arrival> {
        self.arrivals.as_ref().map_or(&self.none_ahead, |arrivals| &arrivals.ahead)
    }

    /// Gives up what clients hold back.
    pub(super) fn take_held(&mut self) -> Vec<Operation> {
        self.held_count = 0;
        self.held.iter_mut().flat_map(|held| std::mem::take(&mut held.queue)).collect()
    }

    /// Gives up the retries that are not due yet.
    pub(super) fn take_retries(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.retries).into_iter().map(|Reverse(Delayed(it))| it).collect()
    }

    fn arrival_ns(&self, waiting: usize) -> Option<u64> {
        if waiting + self.held_count >= WAITING_MAX {
            return None;
        }
        self.arrivals.as_ref()?.ahead.front().map(|arrival| arrival.at_ns)
    }

    fn retry_ns(&self) -> Option<u64> {
        self.retries.peek().map(|Reverse(Delayed(operation))| operation.due_ns)
    }

    fn pop_retry(&mut self) -> Option<Next> {
        self.retries.pop().map(|Reverse(Delayed(operation))| Next::Retry(operation))
    }

    /// An operation that was held back and may go.
    fn release(&mut self, now_ns: u64, clients: Option<&[Mutex<Client>]>) -> Option<Operation> {
        if self.held_count == 0 {
            return None;
        }
        for (held, client) in self.held.iter_mut().zip(clients?) {
            if held.queue.is_empty() || held.ask_ns > now_ns {
                continue;
            }
            match lock(client).admit(std::time::Duration::from_nanos(now_ns)) {
                Admission::Now => {
                    self.held_count -= 1;
                    return held.queue.pop_front();
                }
                Admission::Wait(wait) => held.ask_ns = now_ns + wait.as_nanos() as u64,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::{Request, Target, WeightedKey};
    use super::super::super::schedule::{ArrivalProcess, Schedule};
    use super::*;
    use std::time::Duration;

    fn source(keys: &[f64], requests: usize, choice: Choice) -> Source {
        let second = Duration::from_secs(1);
        let schedule = Schedule::constant(10.0, second, ArrivalProcess::Constant, 0).unwrap();
        let request = Request {
            method: "GET".into(),
            path: "/".into(),
            headers: vec![],
            body: bytes::Bytes::new(),
        };
        let target = Target::parse("http://localhost/").unwrap();
        let mut plan = Plan::new(target, vec![request; requests], Pace::Open(schedule));
        plan.choice = choice;
        plan.keys = keys
            .iter()
            .map(|weight| WeightedKey { name: "k".into(), value: "v".into(), weight: *weight })
            .collect();
        Source::new(&plan, 0, 1)
    }

    fn retry(index: u64, due_ns: u64) -> Operation {
        Operation {
            index,
            started_ns: 0,
            due_ns,
            ended_ns: 0,
            attempt: 2,
            tokens_taken: 5,
            variant: 0,
            client: 0,
        }
    }

    #[test]
    fn keys_are_chosen_by_weight_and_requests_in_turn_or_evenly() {
        let in_turn = source(&[3.0, 1.0], 3, Choice::RoundRobin);
        let drawn = source(&[3.0, 1.0], 3, Choice::Seeded);
        let (mut first_key, mut requests) = (0, [0; 3]);
        for index in 0..30_000 {
            assert_eq!(in_turn.choose(index).0, index as usize % 3);
            let (request, key) = drawn.choose(index);
            assert_eq!(key, in_turn.choose(index).1, "keys do not hang on requests");
            requests[request] += 1;
            first_key += usize::from(key == 0);
        }
        assert!(first_key.abs_diff(22_500) < 400, "{first_key}");
        assert!(requests.iter().all(|count: &i32| count.abs_diff(10_000) < 400), "{requests:?}");
    }

    #[test]
    fn arrivals_and_retries_come_in_order_of_time() {
        let mut source = source(&[], 1, Choice::RoundRobin);
        source.retry(retry(7, 250_000_000));
        source.retry(retry(5, 150_000_000));
        let mut order = Vec::new();
        while let Some(next) = source.next_due(300_000_000, 0, None) {
            order.push(
                match next {
                    Next::Arrival(arrival) => arrival.at_ns,
                    Next::Retry(operation) | Next::Released(operation) => operation.due_ns,
                } / 1_000_000,
            );
        }
        assert_eq!(order, [0, 100, 150, 200, 250, 300]);
        assert_eq!(source.next_ns(0), Some(400_000_000));
        assert!(source.has_more(0, 1_000_000_000) && !source.has_more(0, 400_000_000));
    }

    #[test]
    fn a_full_backlog_leaves_arrivals_in_the_schedule() {
        let mut source = source(&[], 1, Choice::RoundRobin);
        assert_eq!(source.next_due(u64::MAX, WAITING_MAX, None), None);
        assert_eq!(source.next_ns(WAITING_MAX), None);
        let left = std::iter::from_fn(|| source.next_arrival(u64::MAX)).count();
        assert_eq!(left, 10);
    }
}
