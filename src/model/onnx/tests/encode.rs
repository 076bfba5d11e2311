//! Writes the wire format, as little of it as the tests need. Numbers are onnx.proto's.

/// A varint.
pub(super) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A field that holds a number.
pub(super) fn number(field: u32, number: u64) -> Vec<u8> {
    [varint(u64::from(field) << 3), varint(number)].concat()
}

/// A field that holds bytes: a string or a message.
pub(super) fn wrap(field: u32, bytes: &[u8]) -> Vec<u8> {
    [varint(u64::from(field) << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A field that holds text.
pub(super) fn text(field: u32, text: &str) -> Vec<u8> {
    wrap(field, text.as_bytes())
}

/// A field of packed numbers.
pub(super) fn packed(field: u32, numbers: &[u64]) -> Vec<u8> {
    wrap(field, &numbers.iter().flat_map(|number| varint(*number)).collect::<Vec<_>>())
}

/// A whole model around a graph.
pub(super) fn model(graph: &[u8]) -> Vec<u8> {
    [number(1, 8), wrap(7, graph), wrap(8, &number(2, 17))].concat()
}

/// A graph with these fields and an output `y`.
pub(super) fn graph(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), output("y", &tensor_type(1, &[]))].concat()
}

/// A graph's input of this type.
pub(super) fn input(name: &str, ty: &[u8]) -> Vec<u8> {
    value_info(11, name, ty)
}

/// A graph's output of this type.
pub(super) fn output(name: &str, ty: &[u8]) -> Vec<u8> {
    value_info(12, name, ty)
}

/// A graph's declaration in this field.
pub(super) fn value_info(field: u32, name: &str, ty: &[u8]) -> Vec<u8> {
    wrap(field, &[text(1, name), ty.to_vec()].concat())
}

/// The type of a tensor with elements of this code.
pub(super) fn tensor_type(code: u64, shape: &[u8]) -> Vec<u8> {
    wrap(2, &wrap(1, &[number(1, code), shape.to_vec()].concat()))
}

/// A graph's initializer.
pub(super) fn initializer(tensor: &[u8]) -> Vec<u8> {
    wrap(5, tensor)
}

/// A tensor whose elements are in `data`.
pub(super) fn tensor(name: &str, code: u64, dims: &[u64], data: &[u8]) -> Vec<u8> {
    [packed(1, dims), number(2, code), text(8, name), data.to_vec()].concat()
}

/// A tensor whose elements lie elsewhere.
pub(super) fn external(name: &str, code: u64, dims: &[u64], where_: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| wrap(13, &[text(1, key), text(2, value)].concat());
    let entries = where_.iter().flat_map(entry).collect::<Vec<_>>();
    tensor(name, code, dims, &[number(14, 1), entries].concat())
}

/// A graph's node.
pub(super) fn node(operator: &str, domain: &str, attributes: &[u8]) -> Vec<u8> {
    wrap(1, &[attributes.to_vec(), text(4, operator), text(7, domain)].concat())
}

/// A node's attribute with these fields.
pub(super) fn attribute(fields: &[u8]) -> Vec<u8> {
    wrap(5, fields)
}
