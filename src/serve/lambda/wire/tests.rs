use super::*;
use std::net::TcpListener;

/// What a connection makes of a peer that answers with these pieces and then closes.
fn exchange(pieces: Vec<Vec<u8>>, body_bytes_max: usize) -> Result<(Head, Vec<u8>, bool), String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = [0; 8];
        stream.read_exact(&mut request).unwrap();
        for piece in pieces {
            // The other end may have gone away over an earlier piece.
            if stream.write_all(&piece).is_err() {
                return;
            }
        }
    });
    let mut connection = Connection::new(TcpStream::connect(address).unwrap());
    let result = connection.exchange(b"GET /", b"ab\n", body_bytes_max);
    let found = result.map_err(|error| error.to_string()).and_then(|(head, body)| {
        let range = body.map_err(|error| error.to_string())?;
        Ok((head, connection.bytes(range).to_vec(), connection.is_usable()))
    });
    drop(connection);
    peer.join().unwrap();
    found
}

fn reply(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes(), body].concat()
}

#[test]
fn a_reply_may_come_in_any_pieces() {
    let whole = reply(
        "Lambda-Runtime-Aws-Request-Id: id-1\r\nlambda-runtime-deadline-ms: 17\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1\r\n\
         Transfer-Encoding: chunked\r\n",
        b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    );
    let split: Vec<Vec<u8>> = whole.iter().map(|byte| vec![*byte]).collect();
    for pieces in [vec![whole], split] {
        let (head, body, is_usable) = exchange(pieces, 100).unwrap();
        assert_eq!(head.request_id.as_deref(), Some("id-1"));
        assert_eq!(head.deadline_ms, Some(17));
        assert!(head.trace_id.unwrap().ends_with("Sampled=1"));
        assert_eq!((body.as_slice(), is_usable), (&b"hello world"[..], true));
    }
}

#[test]
fn large_bodies_arrive_whole() {
    let body: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    let mut chunked = Vec::new();
    for chunk in body.chunks(7_001) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
    let length = format!("Content-Length: {}\r\n", body.len());
    for bytes in [reply(&length, &body), reply("Transfer-Encoding: chunked\r\n", &chunked)] {
        let (_, found, _) = exchange(vec![bytes], body.len()).unwrap();
        assert!(found == body);
    }
}

#[test]
fn a_connection_that_ends_is_not_used_again() {
    for head in ["Content-Length: 0\r\nConnection: close\r\n", "connection: Close\r\n"] {
        assert!(!exchange(vec![reply(head, b"")], 10).unwrap().2);
    }
    let old = b"HTTP/1.0 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec();
    assert!(!exchange(vec![old], 10).unwrap().2);
}

#[test]
fn what_is_too_long_or_broken_is_refused() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let long_head = format!("X: {}\r\n", "x".repeat(100_000));
    let many = "X: y\r\n".repeat(HEADERS_MAX + 1);
    let long_line = format!("1;{}", "x".repeat(1_000));
    let trailer = format!("0\r\nX: {}", "y".repeat(10_000));
    let cases: [(Vec<u8>, &str); 13] = [
        (Vec::new(), "closed before"),
        (b"HTTP/1.1 2".to_vec(), "broke"),
        (b"SSH-2.0-x\r\n\r\n".to_vec(), "no HTTP"),
        (reply(&long_head, b""), "longer than"),
        (reply(&many, b""), "no HTTP"),
        (reply("Content-Length: 11\r\n", b"12345678901"), "longer than 10"),
        (reply("Content-Length: x\r\n", b""), "no number"),
        (reply("Content-Length: 5\r\n", b"123"), "broke"),
        (reply(chunked, b"b\r\n12345678901\r\n0\r\n\r\n"), "longer than 10"),
        (reply(chunked, b"ffffffffffffffff\r\n"), "longer than 10"),
        (reply(chunked, b"2\r\nabcd\r\n"), "does not end"),
        (reply(chunked, long_line.as_bytes()), "does not parse"),
        (reply(chunked, trailer.as_bytes()), "trailer"),
    ];
    for (bytes, reason) in cases {
        let error = exchange(vec![bytes.clone()], 10).unwrap_err();
        assert!(error.contains(reason), "{error}: {:?}", bytes.get(..80.min(bytes.len())));
    }
}

#[test]
fn an_id_that_is_no_id_is_dropped() {
    for id in ["a b", "a/../b", "\u{e9}", &"x".repeat(300)] {
        let head = format!("Lambda-Runtime-Aws-Request-Id: {id}\r\nContent-Length: 0\r\n");
        assert_eq!(exchange(vec![reply(&head, b"")], 10).unwrap().0.request_id, None, "{id}");
    }
}
