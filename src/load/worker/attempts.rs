//! Requests that are due and not yet over: a slab threaded by a list in order of their start.
//!
//! All requests have the same timeout, so the list's head is the next one to time out: no timer per
//! request, and nothing allocated per request once the slab has grown to the run's depth.

use super::super::client::Ticket;

/// No slot.
const NONE: u32 = u32::MAX;

/// What an arrival asks for: one attempt, or several with a retry model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operation {
    /// Its arrival's place in the run's sequence.
    pub(super) index: u64,
    /// When the arrival was due.
    pub(super) started_ns: u64,
    /// When the current attempt was due, before any wait for the client's rate limit.
    pub(super) due_ns: u64,
    /// When the latest attempt ended.
    pub(super) ended_ns: u64,
    /// The current attempt, from 1.
    pub(super) attempt: u32,
    /// Tokens that the latest retry took from the quota.
    pub(super) tokens_taken: u32,
    /// The prepared request.
    pub(super) variant: usize,
    /// The retry client: its key's place.
    pub(super) client: usize,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the backlog.
    Backlog,
    /// On the connection in this slot.
    Connection(usize),
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    /// What it belongs to.
    pub(super) operation: Operation,
    /// When it was due.
    pub(super) intended_ns: u64,
    /// When it was given to a connection.
    pub(super) began_ns: u64,
    /// When its first byte was written.
    pub(super) sent_ns: Option<u64>,
    /// Its connection was still being made when it was given to it.
    pub(super) awaits_server: bool,
    /// It is on its second, fresh connection.
    pub(super) resent: bool,
    /// Where it is.
    pub(super) place: Place,
}

#[derive(Debug)]
struct Slot {
    attempt: Option<Attempt>,
    older: u32,
    newer: u32,
}

/// All requests not yet over.
#[derive(Debug)]
pub(super) struct Attempts {
    slots: Vec<Slot>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    unsent: usize,
}

impl Attempts {
    /// None.
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), oldest: NONE, newest: NONE, unsent: 0 }
    }

    /// Adds a request as the newest.
    pub(super) fn insert(&mut self, attempt: Attempt) -> Ticket {
        self.unsent += usize::from(attempt.sent_ns.is_none());
        let slot = Slot { attempt: Some(attempt), older: self.newest, newer: NONE };
        let ticket = match self.free.pop() {
            Some(ticket) => {
                self.slots[ticket as usize] = slot;
                ticket
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        match self.newest {
            NONE => self.oldest = ticket,
            newest => self.slots[newest as usize].newer = ticket,
        }
        self.newest = ticket;
        ticket
    }

    /// Takes a request out.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Attempt> {
        let slot = self.slots.get_mut(ticket as usize)?;
        let attempt = slot.attempt.take()?;
        let (older, newer) = (slot.older, slot.newer);
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        self.free.push(ticket);
        self.unsent -= usize::from(attempt.sent_ns.is_none());
        Some(attempt)
    }

    /// Notes when a request's first byte was written, the first time that one is. What is changed is
    /// handed back.
    pub(super) fn sent(&mut self, ticket: Ticket, at_ns: u64) -> Option<&Attempt> {
        let attempt = self.slots.get_mut(ticket as usize)?.attempt.as_mut()?;
        if attempt.sent_ns.is_some() {
            // On its second connection: its service time counts from the first.
            return None;
        }
        attempt.sent_ns = Some(at_ns);
        self.unsent -= 1;
        Some(attempt)
    }

    /// Requests of which no byte was written yet.
    pub(super) fn unsent(&self) -> usize {
        self.unsent
    }

    /// A request.
    pub(super) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Attempt> {
        self.slots.get_mut(ticket as usize)?.attempt.as_mut()
    }

    /// When a request was due, if it is not over.
    pub(super) fn intended_ns(&self, ticket: Ticket) -> Option<u64> {
        self.slots.get(ticket as usize)?.attempt.as_ref().map(|attempt| attempt.intended_ns)
    }

    /// The request added first of those that are left.
    pub(super) fn oldest(&self) -> Option<(Ticket, &Attempt)> {
        let slot = self.slots.get(self.oldest as usize)?;
        slot.attempt.as_ref().map(|attempt| (self.oldest, attempt))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.oldest == NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(index: u64) -> Attempt {
        let operation = Operation {
            index,
            started_ns: index,
            due_ns: index,
            ended_ns: 0,
            attempt: 1,
            tokens_taken: 0,
            variant: 0,
            client: 0,
        };
        Attempt {
            operation,
            intended_ns: index,
            began_ns: 0,
            sent_ns: None,
            awaits_server: false,
            resent: false,
            place: Place::Backlog,
        }
    }

    #[test]
    fn the_oldest_left_is_at_the_head_whatever_is_taken_out() {
        let mut attempts = Attempts::new();
        let mut model: Vec<(Ticket, u64)> = Vec::new();
        for step in 0..10_000_u64 {
            // A fixed, uneven pattern of additions and removals from everywhere.
            if step % 7 < 4 || model.is_empty() {
                model.push((attempts.insert(attempt(step)), step));
            } else {
                let (ticket, index) = model.remove((step * 31 % model.len() as u64) as usize);
                assert_eq!(attempts.remove(ticket).map(|a| a.intended_ns), Some(index));
                assert!(attempts.get_mut(ticket).is_none() && attempts.remove(ticket).is_none());
            }
            let oldest = attempts.oldest().map(|(ticket, a)| (ticket, a.intended_ns));
            assert_eq!(oldest, model.first().copied());
            assert_eq!(attempts.is_empty(), model.is_empty());
        }
    }
}
