//! States: the sets of nodes that judge one place of a document together.
//!
//! A state's nodes are in an order in which each comes after those whose verdict it needs, so one
//! walk over the combinations settles them all.

use super::error::CompileError;
use super::number::Number;
use super::parse::{Additional, Node, NodeId, Scalar, kind};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Nodes of one state: a bit of a word each.
const STATE_NODES_MAX: usize = 64;
/// More states than this are refused.
const STATES_MAX: usize = 10_000;

/// Where a state stands in the list of states.
pub(super) type StateId = usize;
/// The state without nodes: anything goes.
pub(super) const ANYTHING: StateId = 0;

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Automaton {
    pub(super) states: Vec<State>,
    pub(super) root: StateId,
    /// The root node's bit in the root state.
    pub(super) root_bit: u64,
}

/// A state.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Per kind, the nodes whose `type` (and, where that settles it, `enum`) admits it.
    pub(super) admitted: [u64; kind::COUNT],
    /// Per kind, the final verdict when it does not depend on the value.
    pub(super) settled: [Option<u64>; kind::COUNT],
    pub(super) choices: Vec<(u64, Vec<Scalar>)>,
    pub(super) minimums: Vec<(u64, Number, bool)>,
    pub(super) maximums: Vec<(u64, Number, bool)>,
    /// Bit, fewest, most.
    pub(super) lengths: Vec<(u64, u64, u64)>,
    pub(super) counts: Vec<(u64, u64, u64)>,
    pub(super) items: Child,
    pub(super) members: Members,
    pub(super) combinations: Vec<Combination>,
}

/// The state that judges a part of the place, and what its verdict means for the place's nodes.
#[derive(Debug, Default)]
pub(super) struct Child {
    pub(super) state: StateId,
    /// A node here, and the node there that it needs.
    pub(super) links: Vec<(u64, u64)>,
}

/// What a state says about an object's members.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Sorted names; each has the child of the same index.
    pub(super) names: Vec<Box<str>>,
    pub(super) named: Vec<Child>,
    /// Members of any other name.
    pub(super) other: Child,
    /// Nodes that allow no other name.
    pub(super) closed: u64,
    /// A node, and the index of a name it requires.
    pub(super) required: Vec<(u64, usize)>,
}

/// A node's verdict over others of its state.
#[derive(Debug)]
pub(super) struct Combination {
    pub(super) bit: u64,
    pub(super) rule: Rule,
    pub(super) of: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    All,
    Any,
    One,
    None,
}

impl Child {
    /// Takes from `verdict` the nodes whose need `below` does not meet.
    pub(super) fn settle(&self, verdict: u64, below: u64) -> u64 {
        self.links.iter().fold(
            verdict,
            |verdict, (here, there)| {
                if below & there == 0 { verdict & !here } else { verdict }
            },
        )
    }
}

impl State {
    /// Settles the combinations over the nodes' own verdicts.
    pub(super) fn combine(&self, own: u64) -> u64 {
        self.combinations.iter().fold(own, |verdict, combination| {
            let met = verdict & combination.of;
            let holds = match combination.rule {
                Rule::All => met == combination.of,
                Rule::Any => met != 0,
                Rule::One => met.count_ones() == 1,
                Rule::None => met == 0,
            };
            if holds { verdict } else { verdict & !combination.bit }
        })
    }
}

impl Automaton {
    pub(super) fn new(nodes: &[Node], root: NodeId) -> Result<Self, CompileError> {
        let mut builder = Builder {
            nodes,
            ids: HashMap::from([(Vec::new(), ANYTHING)]),
            queue: VecDeque::from([Vec::new()]),
        };
        let root_state = builder.state(BTreeSet::from([root]))?;
        let mut states = Vec::new();
        let mut root_bit = 0;
        while let Some(seeds) = builder.queue.pop_front() {
            let order = builder.closure(&seeds)?;
            if states.len() == root_state {
                root_bit = bit_of(&order, root);
            }
            let state = builder.build(&order)?;
            states.push(state);
        }
        Ok(Self { states, root: root_state, root_bit })
    }
}

fn bit_of(order: &[NodeId], node: NodeId) -> u64 {
    order.iter().position(|id| *id == node).map_or(0, |index| 1 << index)
}

struct Builder<'a> {
    nodes: &'a [Node],
    /// States by the nodes they start from.
    ids: HashMap<Vec<NodeId>, StateId>,
    /// States still to build, in the order of their ids.
    queue: VecDeque<Vec<NodeId>>,
}

impl Builder<'_> {
    /// The state that starts from these nodes.
    fn state(&mut self, seeds: BTreeSet<NodeId>) -> Result<StateId, CompileError> {
        let seeds: Vec<NodeId> = seeds.into_iter().collect();
        if let Some(id) = self.ids.get(&seeds) {
            return Ok(*id);
        }
        let id = self.ids.len();
        if id >= STATES_MAX {
            return Err(CompileError::TooComplex { what: "combinations of subschemas" });
        }
        self.ids.insert(seeds.clone(), id);
        self.queue.push_back(seeds);
        Ok(id)
    }

    /// These nodes and all that judge the same place, needed ones first.
    fn closure(&self, seeds: &[NodeId]) -> Result<Vec<NodeId>, CompileError> {
        let mut order = Vec::new();
        for seed in seeds {
            self.visit(*seed, &mut Vec::new(), &mut order)?;
        }
        Ok(order)
    }

    fn visit(
        &self,
        id: NodeId,
        path: &mut Vec<NodeId>,
        order: &mut Vec<NodeId>,
    ) -> Result<(), CompileError> {
        if order.contains(&id) {
            return Ok(());
        }
        let node = &self.nodes[id];
        if path.contains(&id) {
            return Err(CompileError::Cycle { pointer: node.pointer.clone() });
        }
        path.push(id);
        let needed = [&node.all_of, &node.any_of, &node.one_of].into_iter().flatten();
        for child in needed.chain(&node.not) {
            self.visit(*child, path, order)?;
        }
        path.pop();
        if order.len() >= STATE_NODES_MAX {
            return Err(CompileError::TooComplex { what: "alternatives in one place" });
        }
        order.push(id);
        Ok(())
    }

    fn build(&mut self, order: &[NodeId]) -> Result<State, CompileError> {
        let mut state = State::default();
        for (index, id) in order.iter().enumerate() {
            judge(&mut state, &self.nodes[*id], 1 << index);
            combine(&mut state, &self.nodes[*id], 1 << index, order);
        }
        state.items = self.child(order, |node| node.items)?;
        self.members(&mut state.members, order)?;
        settle(&mut state);
        Ok(state)
    }

    fn members(&mut self, members: &mut Members, order: &[NodeId]) -> Result<(), CompileError> {
        let mut names = BTreeSet::new();
        for id in order {
            let node = &self.nodes[*id];
            names.extend(node.properties.keys().chain(&node.required).cloned());
        }
        for name in &names {
            let named = |node: &Node| match (node.properties.get(name), node.additional) {
                (Some(id), _) => Some(*id),
                (None, Additional::Checked(id)) => Some(id),
                (None, _) => None,
            };
            let mut child = self.child(order, named)?;
            for (index, id) in order.iter().enumerate() {
                let node = &self.nodes[*id];
                if node.additional == Additional::Forbidden && !node.properties.contains_key(name) {
                    // No node there has bit 0, so the need is never met.
                    child.links.push((1 << index, 0));
                }
            }
            members.named.push(child);
        }
        members.names = names.into_iter().map(String::into_boxed_str).collect();
        for (index, id) in order.iter().enumerate() {
            let node = &self.nodes[*id];
            if node.additional == Additional::Forbidden {
                members.closed |= 1 << index;
            }
            for name in &node.required {
                let at = members.names.binary_search_by(|known| known.as_ref().cmp(name));
                members.required.extend(at.map(|at| (1 << index, at)));
            }
        }
        members.other = self.child(order, |node| match node.additional {
            Additional::Checked(id) => Some(id),
            _ => None,
        })?;
        Ok(())
    }

    /// The child that judges a part for those nodes that say something about it.
    fn child(
        &mut self,
        order: &[NodeId],
        part: impl Fn(&Node) -> Option<NodeId>,
    ) -> Result<Child, CompileError> {
        let parts: Vec<(usize, NodeId)> = order
            .iter()
            .enumerate()
            .filter_map(|(index, id)| Some((index, part(&self.nodes[*id])?)))
            .collect();
        let seeds: BTreeSet<NodeId> = parts.iter().map(|(_, id)| *id).collect();
        let below = self.closure(&seeds.iter().copied().collect::<Vec<_>>())?;
        let links = parts.iter().map(|(index, id)| (1 << index, bit_of(&below, *id))).collect();
        Ok(Child { state: self.state(seeds)?, links })
    }
}

/// The node's own assertions.
fn judge(state: &mut State, node: &Node, bit: u64) {
    for kind in 0..kind::COUNT {
        if node.excluded & (1 << kind) == 0 {
            state.admitted[kind] |= bit;
        }
    }
    if let Some(choices) = &node.choices {
        for kind in 0..kind::COUNT {
            if !choices.iter().any(|choice| may_equal(choice, kind)) {
                state.admitted[kind] &= !bit;
            }
        }
        state.choices.push((bit, choices.clone()));
    }
    state.minimums.extend(node.minimum.map(|(number, exclusive)| (bit, number, exclusive)));
    state.maximums.extend(node.maximum.map(|(number, exclusive)| (bit, number, exclusive)));
    let range = |least: Option<u64>, most: Option<u64>| {
        (least.is_some() || most.is_some())
            .then(|| (bit, least.unwrap_or(0), most.unwrap_or(u64::MAX)))
    };
    state.lengths.extend(range(node.min_length, node.max_length));
    state.counts.extend(range(node.min_items, node.max_items));
}

/// Whether a value of this kind can be this choice.
fn may_equal(choice: &Scalar, kind: usize) -> bool {
    match choice {
        Scalar::Null => kind == kind::NULL,
        Scalar::Boolean(_) => kind == kind::BOOLEAN,
        Scalar::Number(_) => kind == kind::INTEGER || kind == kind::FRACTION,
        Scalar::String(_) => kind == kind::STRING,
    }
}

fn combine(state: &mut State, node: &Node, bit: u64, order: &[NodeId]) {
    let bits = |ids: &[NodeId]| ids.iter().fold(0, |set, id| set | bit_of(order, *id));
    let not = Vec::from_iter(node.not);
    let rules = [
        (Rule::All, &node.all_of),
        (Rule::Any, &node.any_of),
        (Rule::One, &node.one_of),
        (Rule::None, &not),
    ];
    for (rule, ids) in rules {
        if !ids.is_empty() {
            state.combinations.push(Combination { bit, rule, of: bits(ids) });
        }
    }
}

/// Works out the verdicts that follow from a value's kind alone.
fn settle(state: &mut State) {
    let bounded = !state.minimums.is_empty() || !state.maximums.is_empty();
    for kind in [kind::NULL, kind::BOOLEAN, kind::INTEGER, kind::FRACTION, kind::STRING] {
        let chosen = state.choices.iter().flat_map(|(_, choices)| choices);
        let depends = match kind {
            kind::NULL => false,
            kind::INTEGER | kind::FRACTION => bounded,
            kind::STRING => !state.lengths.is_empty(),
            _ => false,
        };
        if !depends && (kind == kind::NULL || !chosen.clone().any(|one| may_equal(one, kind))) {
            state.settled[kind] = Some(state.combine(state.admitted[kind]));
        }
    }
}
