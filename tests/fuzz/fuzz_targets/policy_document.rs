//! Any bytes as a policy document: a document or an error; a document is evaluated as each kind of
//! policy, an explicit deny in it wins, and what is rendered is read back as the same document.

#![no_main]

use gwtf::identity::policy::{Caller, Decision, Policies, Request, evaluate, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let document = match parse(bytes) {
        Ok(document) => document,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let rendered = document.render_compact();
    let again = parse(rendered.as_bytes()).unwrap_or_else(|error| panic!("{error}: {rendered}"));
    assert_eq!(again.render_compact(), rendered);
    let request = Request::new("execute-api:Invoke", "arn:aws:execute-api:eu-west-1:1:abc/p/GET/a:b")
        .from(Caller::User("arn:aws:iam::111122223333:user/ada".to_owned()))
        .with("aws:username", ["ada"])
        .with("aws:SourceIp", ["203.0.113.9"])
        .with("aws:CurrentTime", ["2020-01-01T00:00:00Z"])
        .with("aws:TagKeys", ["a", "b"]);
    let identity = std::slice::from_ref(&document);
    let own = evaluate(&Policies { identity, ..Policies::default() }, &request);
    let limits = [
        Policies { identity, boundary: Some(&document), ..Policies::default() },
        Policies { identity, session: Some(&document), ..Policies::default() },
    ];
    for policies in limits {
        assert_eq!(evaluate(&policies, &request), own);
    }
    let both = Policies { identity, resource: Some(&document), ..Policies::default() };
    if matches!(own, Decision::ExplicitDeny { .. }) {
        assert_eq!(evaluate(&both, &request), own);
    }
});
