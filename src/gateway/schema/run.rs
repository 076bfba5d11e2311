//! One pass over a body: each value is judged by the state of its place.

use super::automaton::{ANYTHING, Automaton, State, StateId};
use super::number::Number;
use super::parse::{Scalar, kind};
use super::scan::{Malformed, Scanner, Text};
use super::{DEPTH_MAX, Verdict};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Judges a body that is known to be UTF-8.
pub(super) fn run(automaton: &Automaton, body: &[u8]) -> Verdict {
    let scanner = Scanner::new(body);
    let mut run = Run { states: &automaton.states, scanner, slots: Vec::new(), depth: 0 };
    match run.document(automaton.root) {
        Ok(verdict) if verdict & automaton.root_bit != 0 => Verdict::Valid,
        Ok(_) => Verdict::Invalid,
        Err(Malformed) => Verdict::Malformed,
    }
}

struct Run<'s, 'b> {
    states: &'s [State],
    scanner: Scanner<'b>,
    /// For every object that is open, the verdict of the last member of each known name.
    slots: Vec<Option<u64>>,
    depth: usize,
}

/// A scalar, as far as its verdict depends on it.
enum Value<'b> {
    Boolean(bool),
    Number(&'b [u8]),
    String(Text<'b>),
}

impl<'b> Run<'_, 'b> {
    fn document(&mut self, root: StateId) -> Result<u64, Malformed> {
        let verdict = self.value(root)?;
        self.scanner.space();
        if self.scanner.peek().is_none() { Ok(verdict) } else { Err(Malformed) }
    }

    /// Takes white space and a value; the nodes of `state` that it satisfies.
    #[inline]
    fn value(&mut self, state: StateId) -> Result<u64, Malformed> {
        self.scanner.space();
        match self.scanner.peek() {
            Some(b'0'..=b'9' | b'-') => {
                let (kind, text) = self.scanner.number()?;
                Ok(scalar(&self.states[state], kind, || Value::Number(text)))
            }
            Some(b'[') => self.array(state),
            Some(b'{') => self.object(state),
            Some(b'"') => {
                let text = self.scanner.string()?;
                Ok(scalar(&self.states[state], kind::STRING, || Value::String(text)))
            }
            Some(b't') => self.boolean(state, b"true", true),
            Some(b'f') => self.boolean(state, b"false", false),
            Some(b'n') => {
                self.scanner.word(b"null")?;
                Ok(scalar(&self.states[state], kind::NULL, || Value::Boolean(false)))
            }
            _ => Err(Malformed),
        }
    }

    fn boolean(&mut self, state: StateId, word: &[u8], value: bool) -> Result<u64, Malformed> {
        self.scanner.word(word)?;
        Ok(scalar(&self.states[state], kind::BOOLEAN, || Value::Boolean(value)))
    }

    fn enter(&mut self) -> Result<(), Malformed> {
        self.scanner.step();
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(Malformed) } else { Ok(()) }
    }

    /// Takes a comma (true) or the closing bracket (false).
    #[inline]
    fn goes_on(&mut self, close: u8) -> Result<bool, Malformed> {
        self.scanner.space();
        let byte = self.scanner.peek().ok_or(Malformed)?;
        if byte != b',' && byte != close {
            return Err(Malformed);
        }
        self.scanner.step();
        Ok(byte == b',')
    }

    fn array(&mut self, state: StateId) -> Result<u64, Malformed> {
        self.enter()?;
        let states = self.states;
        let here = &states[state];
        let mut below = u64::MAX;
        let mut count = 0;
        self.scanner.space();
        if self.scanner.peek() == Some(b']') {
            self.scanner.step();
        } else {
            loop {
                below &= self.value(here.items.state)?;
                count += 1;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        let mut verdict = here.items.settle(here.admitted[kind::ARRAY], below);
        for (bit, least, most) in &here.counts {
            if !(*least..=*most).contains(&count) {
                verdict &= !bit;
            }
        }
        Ok(here.combine(verdict))
    }

    fn object(&mut self, state: StateId) -> Result<u64, Malformed> {
        self.enter()?;
        let states = self.states;
        let here = &states[state];
        let first_slot = self.slots.len();
        self.slots.resize(first_slot + here.members.names.len(), None);
        let mut verdict = here.admitted[kind::OBJECT];
        let mut others = HashMap::new();
        self.scanner.space();
        if self.scanner.peek() == Some(b'}') {
            self.scanner.step();
        } else {
            loop {
                self.member(here, first_slot, &mut verdict, &mut others)?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        let slots = &self.slots[first_slot..];
        for (child, below) in here.members.named.iter().zip(slots) {
            if let Some(below) = below {
                verdict = child.settle(verdict, *below);
            }
        }
        for (bit, name) in &here.members.required {
            if slots[*name].is_none() {
                verdict &= !bit;
            }
        }
        for below in others.into_values() {
            verdict = here.members.other.settle(verdict, below);
        }
        self.slots.truncate(first_slot);
        Ok(here.combine(verdict))
    }

    /// Takes `"name": value`.
    fn member(
        &mut self,
        here: &State,
        first_slot: usize,
        verdict: &mut u64,
        others: &mut HashMap<Cow<'b, str>, u64>,
    ) -> Result<(), Malformed> {
        self.scanner.space();
        if self.scanner.peek() != Some(b'"') {
            return Err(Malformed);
        }
        let text = self.scanner.string()?;
        self.scanner.space();
        if self.scanner.peek() != Some(b':') {
            return Err(Malformed);
        }
        self.scanner.step();
        let members = &here.members;
        if members.names.is_empty() && members.closed == 0 && members.other.state == ANYTHING {
            self.value(ANYTHING)?;
            return Ok(());
        }
        let name = text.unescape();
        if let Ok(at) = members.names.binary_search_by(|known| known.as_ref().cmp(&name)) {
            let below = self.value(members.named[at].state)?;
            self.slots[first_slot + at] = Some(below);
            return Ok(());
        }
        *verdict &= !members.closed;
        let below = self.value(members.other.state)?;
        // Only a verdict against a node is kept: a later member of the same name may lift it.
        if members.other.settle(u64::MAX, below) != u64::MAX {
            others.insert(name, below);
        } else if !others.is_empty() {
            others.remove(&name);
        }
        Ok(())
    }
}

/// The nodes that a scalar satisfies.
#[inline]
fn scalar<'b>(state: &State, kind: usize, value: impl FnOnce() -> Value<'b>) -> u64 {
    match state.settled[kind] {
        Some(verdict) => verdict,
        None => judge(state, state.admitted[kind], &value()),
    }
}

/// The verdict where it depends on the value.
fn judge(state: &State, admitted: u64, value: &Value<'_>) -> u64 {
    let mut verdict = admitted;
    let number = match value {
        Value::Number(text) => Some(Number::read(std::str::from_utf8(text).unwrap_or_default())),
        _ => None,
    };
    if let Some(number) = number {
        for (bit, least, exclusive) in &state.minimums {
            let order = number.order(*least);
            if order == Ordering::Less || (*exclusive && order == Ordering::Equal) {
                verdict &= !bit;
            }
        }
        for (bit, most, exclusive) in &state.maximums {
            let order = number.order(*most);
            if order == Ordering::Greater || (*exclusive && order == Ordering::Equal) {
                verdict &= !bit;
            }
        }
    }
    if let (Value::String(text), false) = (value, state.lengths.is_empty()) {
        let chars = text.chars();
        for (bit, least, most) in &state.lengths {
            if !(*least..=*most).contains(&chars) {
                verdict &= !bit;
            }
        }
    }
    for (bit, choices) in &state.choices {
        if verdict & bit != 0 && !choices.iter().any(|choice| equals(choice, value, number)) {
            verdict &= !bit;
        }
    }
    state.combine(verdict)
}

fn equals(choice: &Scalar, value: &Value<'_>, number: Option<Number>) -> bool {
    match (choice, value) {
        (Scalar::Boolean(choice), Value::Boolean(value)) => choice == value,
        (Scalar::String(choice), Value::String(text)) => text.unescape() == choice.as_str(),
        (Scalar::Number(choice), Value::Number(_)) => {
            number.is_some_and(|number| number.order(*choice) == Ordering::Equal)
        }
        _ => false,
    }
}
