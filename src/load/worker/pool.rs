//! A worker's connections: opened on demand, reused from the most recently used one down.
//!
//! The one used last is the one least likely to have been closed for idleness, and few connections
//! then carry the load that few can carry.

use super::super::client::Client;

/// A listed connection may have gone since: the generation tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listed {
    slot: usize,
    generation: u32,
}

struct Entry<C> {
    client: Option<C>,
    generation: u32,
    is_listed: bool,
}

/// Connections by slot, at most `open_max` at once.
pub(super) struct Pool<C> {
    entries: Vec<Entry<C>>,
    free: Vec<usize>,
    available: Vec<Listed>,
    open_max: usize,
}

impl<C: Client> Pool<C> {
    /// No connections yet.
    pub(super) fn new(open_max: usize) -> Self {
        Self { entries: Vec::new(), free: Vec::new(), available: Vec::new(), open_max }
    }

    /// Whether another connection may be opened.
    pub(super) fn has_space(&self) -> bool {
        self.entries.len() - self.free.len() < self.open_max
    }

    /// A slot for a connection that is being opened.
    pub(super) fn reserve(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { client: None, generation: 0, is_listed: false });
            self.entries.len() - 1
        })
    }

    /// Puts a connection into its reserved slot.
    pub(super) fn fill(&mut self, slot: usize, client: C) {
        self.entries[slot].client = Some(client);
    }

    /// Gives a slot back, and closes its connection if there is one.
    pub(super) fn remove(&mut self, slot: usize) {
        let entry = &mut self.entries[slot];
        entry.client = None;
        entry.is_listed = false;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
    }

    /// The connection in a slot.
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut C> {
        self.entries.get_mut(slot)?.client.as_mut()
    }

    /// Lists a connection as having room.
    pub(super) fn list(&mut self, slot: usize) {
        let entry = &mut self.entries[slot];
        if !entry.is_listed {
            entry.is_listed = true;
            self.available.push(Listed { slot, generation: entry.generation });
        }
    }

    /// The connection listed last that still has room. It stays listed while it has more.
    pub(super) fn take(&mut self) -> Option<usize> {
        while let Some(listed) = self.available.last() {
            let slot = listed.slot;
            let entry = &mut self.entries[slot];
            let room = match &entry.client {
                Some(client) if entry.generation == listed.generation => client.room(),
                _ => {
                    self.available.pop();
                    continue;
                }
            };
            if room <= 1 {
                self.available.pop();
                entry.is_listed = false;
            }
            if room > 0 {
                return Some(slot);
            }
        }
        None
    }
}
