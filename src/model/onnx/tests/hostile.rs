//! Bytes made to exhaust a reader, and readers that misbehave.

use super::encode::{
    attribute, graph, initializer, input, model, node, number, output, tensor, tensor_type, text,
    varint, wrap,
};
use super::{facts, facts_from_bytes, refusal};
use crate::model::onnx::{FormatError, facts_from_reader, limits};
use proptest::prelude::*;
use std::io::{Cursor, Read, Seek, SeekFrom};

#[test]
fn lengths_are_not_trusted() {
    let head = number(1, 8);
    let opset = wrap(8, &number(2, 17));
    let huge = varint(u64::MAX);
    let cases: [(&[&[u8]], &str); 9] = [
        (
            &[&head, b"\x3a", &huge],
            "cut short: the field at byte 2 needs 18446744073709551615 more bytes than there are",
        ),
        (
            &[&head, b"\x3a\x05\x0a\x02"],
            "cut short: the field at byte 2 needs 3 more bytes than there are",
        ),
        (&[b"\x08\x80"], "cut short: the field at byte 1 needs 1 more bytes than there are"),
        (
            &[&head, b"\x3a\x03\x0a\x7f\x01", &opset],
            "corrupted at byte 4: a field longer than the message around it",
        ),
        (
            &[&head, b"\x3a\x02\x0a\x80", &opset],
            "corrupted at byte 5: a field longer than the message around it",
        ),
        (&[b"\x08", &[0xff; 11]], "corrupted at byte 1: a number of more than 64 bits"),
        (&[&head, b"\x3b"], "corrupted at byte 2: no such wire type"),
        (&[&head, b"\x02\x00"], "corrupted at byte 2: no such field number"),
        (&[&head, b"\x38\x01"], "corrupted at byte 2: field 7 has the wrong wire type"),
    ];
    for (parts, message) in cases {
        assert_eq!(refusal(&parts.concat()), message);
    }
}

#[test]
fn names_are_text_without_control_characters() {
    let named = |name: &[u8]| {
        let declared = wrap(11, &[wrap(1, name), tensor_type(1, &[])].concat());
        refusal(&model(&graph(&[declared])))
    };
    assert!(named(b"\x1b[31m").ends_with("a name with control characters"));
    assert!(named(b"\xff\xfe").ends_with("a name that is not UTF-8"));
    let long = vec![b'a'; 4_097];
    assert_eq!(named(&long), "length of a name in bytes above the limit of 4096");
}

#[test]
fn descriptive_text_is_cut_and_mended() {
    let producer = [vec![b'a'; 1_023], "é".repeat(5).into_bytes()].concat();
    let extra = [wrap(2, &producer), wrap(3, b"1\xff2")].concat();
    let facts = facts(&[model(&graph(&[])), extra].concat());
    assert_eq!(facts.producer_name, "a".repeat(1_023) + "…");
    assert_eq!(facts.producer_version, "1\u{fffd}2");
}

#[test]
fn counts_have_limits() {
    let repeated = |part: Vec<u8>, count: usize| part.repeat(count);
    let dims = wrap(2, &repeated(wrap(1, &number(1, 1)), limits::RANK_MAX + 1));
    let float = tensor_type(1, &[]);
    let many = |part: &dyn Fn(usize) -> Vec<u8>, count| (0..count).flat_map(part).collect();
    let cases: [(Vec<u8>, &str); 8] = [
        (many(&|n| input(&format!("x{n}"), &float), limits::INPUTS_MAX + 1), "number of inputs"),
        (many(&|n| output(&format!("y{n}"), &float), limits::OUTPUTS_MAX + 1), "number of outputs"),
        (input("x", &tensor_type(1, &dims)), "number of dimensions"),
        (initializer(&tensor("w", 1, &[1; limits::RANK_MAX + 1], &[])), "number of dimensions"),
        (repeated(wrap(1, &text(4, "A")), 500_001), "number of nodes"),
        (repeated(wrap(15, &[]), 500_001), "number of initializers"),
        (nested(limits::GRAPH_DEPTH_MAX + 1), "depth of nested graphs"),
        (
            many(&|n| input(&format!("{n:04000}"), &float), 1_200),
            "names and shapes together in bytes",
        ),
    ];
    for (part, what) in cases {
        let message = refusal(&model(&graph(&[part])));
        assert!(message.starts_with(&format!("{what} above the limit")), "{message}");
    }
    assert!(facts_from_bytes(&model(&graph(&[nested(limits::GRAPH_DEPTH_MAX)]))).is_ok());
}

/// A node whose subgraph has a node whose subgraph has, and so on.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(node("Relu", "", &[]), |inner, _| node("If", "", &attribute(&wrap(6, &inner))))
}

#[test]
fn what_is_left_out_is_counted() {
    let metadata = wrap(14, &[text(1, "k"), text(2, "v")].concat()).repeat(70);
    let operators: Vec<u8> =
        (0..600).flat_map(|n| node(&format!("Op{n}"), "my.domain", &[])).collect();
    let facts = facts(&[model(&graph(&[operators])), metadata].concat());
    assert_eq!((facts.metadata.len(), facts.metadata_left_out), (64, 6));
    assert_eq!((facts.nodes.count, facts.nodes.by_operator.len()), (600, 512));
    assert_eq!(facts.nodes.other, 88);
}

/// `front`, then so many zeros, then `back`; counts what is read of it.
struct Sparse {
    front: Vec<u8>,
    zeros: u64,
    back: Vec<u8>,
    at: u64,
    read_bytes: u64,
}

impl Sparse {
    fn len(&self) -> u64 {
        self.front.len() as u64 + self.zeros + self.back.len() as u64
    }

    fn byte(&self, at: u64) -> u8 {
        let back_at = self.front.len() as u64 + self.zeros;
        match (usize::try_from(at), at.checked_sub(back_at)) {
            (Ok(front), _) if front < self.front.len() => self.front[front],
            (_, Some(back)) => self.back[usize::try_from(back).unwrap()],
            _ => 0,
        }
    }
}

impl Read for Sparse {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        // Short reads, as pipes and network file systems give them.
        let count = into.len().min(1_000).min(usize::try_from(self.len() - self.at).unwrap());
        for slot in &mut into[..count] {
            *slot = self.byte(self.at);
            self.at += 1;
        }
        self.read_bytes += count as u64;
        Ok(count)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let SeekFrom::Start(at) = to else { unreachable!("the reader seeks from the start") };
        self.at = at.min(self.len());
        Ok(self.at)
    }
}

/// A model with one weight of so many zero bytes.
fn heavy_model(weight_bytes: u64) -> Sparse {
    let field_of =
        |number: u32, len: u64| [varint(u64::from(number) << 3 | 2), varint(len)].concat();
    let weight_head = tensor("w", 2, &[weight_bytes], &field_of(9, weight_bytes));
    let graph_back = [node("Relu", "", &[]), graph(&[])].concat();
    let weight_len = weight_head.len() as u64 + weight_bytes;
    let initializer = field_of(5, weight_len);
    let graph_len = initializer.len() as u64 + weight_len + graph_back.len() as u64;
    let front = [number(1, 8), field_of(7, graph_len), initializer, weight_head].concat();
    let back = [graph_back, wrap(8, &number(2, 17))].concat();
    Sparse { front, zeros: weight_bytes, back, at: 0, read_bytes: 0 }
}

#[test]
fn weights_are_skipped_not_read() {
    let weight_bytes = 2_000_000_000;
    let mut file = heavy_model(weight_bytes);
    let size_bytes = file.len();
    let facts = facts_from_reader(&mut file, size_bytes).unwrap();
    assert_eq!((facts.parameters.bytes, facts.nodes.count), (weight_bytes, 1));
    assert!(file.read_bytes < 200_000, "{} bytes were read", file.read_bytes);
}

#[test]
fn files_that_protobuf_cannot_hold_are_refused() {
    let mut file = heavy_model(2_200_000_000);
    let size_bytes = file.len();
    let error = facts_from_reader(&mut file, size_bytes).unwrap_err();
    assert!(matches!(error, FormatError::TooLarge { .. }), "{error}");
}

#[test]
fn a_file_that_shrinks_while_read_is_cut_short() {
    let bytes = model(&graph(&[text(2, "main")]));
    let error = facts_from_reader(Cursor::new(&bytes), bytes.len() as u64 + 5).unwrap_err();
    assert!(matches!(error, FormatError::Truncated { .. }), "{error}");
}

#[test]
fn what_the_system_says_is_kept() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("input/output error"))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let error = facts_from_reader(Broken, 10).unwrap_err();
    assert_eq!(crate::error::chain(&error), "reading at byte 0: input/output error");
}

proptest! {
    #[test]
    fn any_bytes_give_facts_or_an_error(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
        // With a model's first bytes, or all would end at the first look.
        let _ = facts_from_bytes(&[number(1, 8), tail].concat());
    }

    /// Fields that exist, in any nesting, with any values: deeper into the reader than bytes get.
    #[test]
    fn any_fields_give_facts_or_an_error(fields in fields()) {
        let _ = facts_from_bytes(&[number(1, 8), wrap(7, &fields), wrap(8, &[])].concat());
    }
}

fn fields() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        (1u32..27, any::<u64>()).prop_map(|(field, value)| number(field, value)),
        (1u32..27, "[a-z./]{0,5}").prop_map(|(field, value)| text(field, &value)),
    ];
    leaf.prop_recursive(8, 64, 8, |inner| {
        (1u32..27, proptest::collection::vec(inner, 0..8))
            .prop_map(|(field, parts)| wrap(field, &parts.concat()))
    })
}
