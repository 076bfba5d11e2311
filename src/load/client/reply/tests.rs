//! Replies whole and in pieces, at their end, out of bounds and out of order.

use super::*;
use proptest::prelude::*;

/// What a whole reply comes to: status, bytes taken, body's start, kept alive.
type Read = Result<(u16, usize, String, bool), Fault>;

/// Reads a reply fed in pieces of `step` bytes, then the connection's end.
fn read_in(bytes: &[u8], step: usize, is_head: bool) -> Read {
    let mut reader = ReplyReader::new();
    reader.restart(is_head);
    let mut taken = 0;
    let mut done = false;
    for piece in bytes.chunks(step) {
        match reader.feed(piece)? {
            Fed::More => taken += piece.len(),
            Fed::Done(used) => {
                taken += used;
                done = true;
                break;
            }
        }
    }
    if !done && !reader.end() {
        return Err("ended early");
    }
    let start = String::from_utf8_lossy(reader.facts().body_start.as_bytes()).into_owned();
    Ok((reader.facts().status, taken, start, reader.keeps_alive()))
}

/// The same at once, byte by byte and in threes.
fn read(bytes: &str) -> Read {
    let whole = read_in(bytes.as_bytes(), bytes.len().max(1), false);
    for step in [1, 3] {
        assert_eq!(read_in(bytes.as_bytes(), step, false), whole, "in pieces of {step}");
    }
    whole
}

#[test]
fn bodies_end_where_their_framing_says() {
    let cases = [
        ("HTTP/1.1 400 Bad\r\ncontent-length: 5\r\n\r\nhello", 400, "hello", true),
        (
            "HTTP/1.1 400 Bad\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
            400,
            "hello",
            true,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "", true),
        ("HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n", 500, "", true),
        ("HTTP/1.1 400 Bad\r\ncontent-length: 2\r\nConnection: Close\r\n\r\nno", 400, "no", false),
        ("HTTP/1.0 400 Bad\r\ncontent-length: 2\r\n\r\nno", 400, "no", false),
        (
            "HTTP/1.0 400 Bad\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nno",
            400,
            "no",
            true,
        ),
        ("HTTP/1.1 400 Bad\r\n\r\nuntil the end", 400, "until the end", false),
        ("HTTP/1.1 400 Bad\r\ntransfer-encoding: gzip\r\n\r\nraw", 400, "raw", false),
        ("HTTP/1.1 204 No\r\n\r\n", 204, "", true),
        ("HTTP/1.1 304 Not\r\ncontent-length: 9\r\n\r\n", 304, "", true),
        (
            "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nt: u\r\n\r\n",
            502,
            "abc0123456789",
            true,
        ),
        ("HTTP/1.1 502 Bad\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 502, "", true),
        (
            "HTTP/1.1 502 Bad\r\ncontent-length: 99\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            502,
            "a",
            false,
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 429 Too\r\ncontent-length: 1\r\n\r\nx",
            429,
            "x",
            true,
        ),
        ("HTTP/1.1 101 Switching\r\n\r\n", 101, "", false),
    ];
    for (bytes, status, start, keeps_alive) in cases {
        let expected = Ok((status, bytes.len(), start.to_owned(), keeps_alive));
        assert_eq!(read(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn what_follows_a_reply_is_not_taken() {
    let reply = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let bytes = format!("{reply}HTTP/1.1 200 OK\r\n");
    assert_eq!(read_in(bytes.as_bytes(), bytes.len(), false).map(|read| read.1), Ok(reply.len()));
}

#[test]
fn a_reply_to_head_has_no_body() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n";
    assert_eq!(read_in(bytes, 1, true), Ok((200, bytes.len(), String::new(), true)));
}

#[test]
fn garbage_is_told_from_replies() {
    let cases = [
        "garbage\r\n\r\n",
        "\0\u{1}\u{2}",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2000000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ];
    for bytes in cases {
        let fault = read(bytes).unwrap_err();
        assert_ne!(fault, "ended early", "{bytes:?}");
    }
}

#[test]
fn a_reply_cut_short_is_not_whole() {
    let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    for cut in 0..reply.len() {
        assert_eq!(read(&reply[..cut]), Err("ended early"), "{cut}");
    }
}

#[test]
fn heads_trailers_and_interims_are_bounded() {
    let endless_header = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_BYTES_MAX));
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(HEADERS_MAX + 1));
    let interims = "HTTP/1.1 100 Continue\r\n\r\n".repeat(INTERIM_MAX as usize + 1);
    let extension = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;{}",
        "e".repeat(HEAD_BYTES_MAX)
    );
    let trailers = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{}",
        "t: u\r\n".repeat(HEAD_BYTES_MAX)
    );
    for bytes in [endless_header, many_headers, interims, extension, trailers] {
        assert_ne!(read_in(bytes.as_bytes(), 1_000, false).unwrap_err(), "ended early");
    }
}

#[test]
fn many_small_chunks_are_no_overhead() {
    let chunks = "1\r\na\r\n".repeat(HEAD_BYTES_MAX);
    let bytes = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    assert!(read_in(bytes.as_bytes(), 4_096, false).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read_alike(
        tail in prop::collection::vec(any::<u8>(), 0..200),
        chunked: bool,
        step in 1_usize..20,
    ) {
        let framing = if chunked { "transfer-encoding: chunked" } else { "content-length: 50" };
        let mut bytes = format!("HTTP/1.1 400 Bad\r\n{framing}\r\n\r\n").into_bytes();
        bytes.extend(tail);
        prop_assert_eq!(read_in(&bytes, step, false), read_in(&bytes, bytes.len(), false));
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_in(&bytes, 7, false);
    }
}
