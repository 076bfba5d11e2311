//! Properties over random documents and requests of a small alphabet, so that they meet.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::identity::policy::glob::{self, Token};

fn pattern() -> impl Strategy<Value = String> {
    "[ab:*?]{0,6}".prop_map(|text| format!("arn:aws:s3:::{text}"))
}

fn action() -> impl Strategy<Value = String> {
    select(vec!["s3:Get", "s3:Put", "s3:*", "*", "s3:?et"]).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = Condition> {
    let operator = select(
        [
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringLikeIfExists",
            "Null",
            "ForAnyValue:StringEquals",
            "ForAllValues:StringNotLike",
            "ArnLike",
            "NumericLessThan",
        ]
        .to_vec(),
    );
    let values = vec(select(vec!["a", "b", "*", "true", "1", "${k}", "${l}"]), 0..3);
    (operator, select(vec!["k", "l"]), values).prop_map(|(operator, key, values)| Condition {
        operator: Operator::from_name(operator).unwrap(),
        key: key.to_owned(),
        values: values.into_iter().map(str::to_owned).collect(),
    })
}

fn which(item: impl Strategy<Value = String>) -> impl Strategy<Value = Which> {
    (any::<bool>(), vec(item, 1..4)).prop_map(|(listed, patterns)| {
        if listed { Which::Listed(patterns) } else { Which::AllBut(patterns) }
    })
}

fn any_statement(effect: Effect) -> impl Strategy<Value = Statement> {
    (which(action()), which(pattern()), vec(condition(), 0..2)).prop_map(
        move |(actions, resources, conditions)| Statement {
            sid: None,
            effect,
            principals: None,
            actions,
            resources: Some(resources),
            conditions,
            reason: None,
        },
    )
}

fn any_document() -> impl Strategy<Value = Document> {
    let either = prop_oneof![2 => any_statement(Effect::Allow), 1 => any_statement(Effect::Deny)];
    vec(either, 0..4).prop_map(Document::new)
}

fn any_request() -> impl Strategy<Value = Request> {
    let values = vec(select(vec!["a", "b", "1", ""]), 0..3);
    let context = btree_map(select(vec!["k", "L"]), values, 0..3);
    (select(vec!["s3:Get", "S3:put"]), "[ab:]{0,6}", context).prop_map(|(action, key, context)| {
        let request = Request::new(action, &format!("arn:aws:s3:::{key}"));
        context.into_iter().fold(request, |request, (key, values)| request.with(key, values))
    })
}

/// The definition itself, by recursion over both texts.
fn naive(pattern: &[Token], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((Token::Many { colon }, rest)), first) => {
            naive(rest, text)
                || first.is_some_and(|(c, more)| (*colon || *c != ':') && naive(pattern, more))
        }
        (Some(_), None) => false,
        (Some((Token::One { colon }, rest)), Some((c, more))) => {
            (*colon || *c != ':') && naive(rest, more)
        }
        (Some((Token::Char(own), rest)), Some((c, more))) => own == c && naive(rest, more),
    }
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![
        3 => select(vec!['a', 'b', ':']).prop_map(Token::Char),
        1 => any::<bool>().prop_map(|colon| Token::One { colon }),
        2 => any::<bool>().prop_map(|colon| Token::Many { colon }),
    ]
}

/// Any JSON that looks like a policy now and then.
fn any_json() -> impl Strategy<Value = String> {
    let key = select(
        [
            "Version",
            "Statement",
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "Condition",
            "AWS",
            "StringEquals",
            "Null",
            "IpAddress",
            "x",
        ]
        .to_vec(),
    );
    let leaf = select(
        [
            "null",
            "true",
            "1",
            "-1.5e300",
            r#""*""#,
            r#""Allow""#,
            r#""2012-10-17""#,
            r#""s3:Get""#,
            r#""${""#,
            r#""10.0.0.0/8""#,
            r#""é\u0000""#,
        ]
        .to_vec(),
    )
    .prop_map(str::to_owned);
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let object = vec((key.clone(), inner.clone()), 0..6).prop_map(|entries| {
            let entries = entries.iter().map(|(key, value)| format!(r#""{key}":{value}"#));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        });
        prop_oneof![
            3 => object,
            1 => vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn matcher_is_the_definition(pattern in vec(token(), 0..8), text in "[ab:]{0,8}") {
        let chars: Vec<char> = text.chars().collect();
        let expected = naive(&pattern, &chars);
        prop_assert_eq!(glob::matches(&pattern, text.chars()), expected);
        prop_assert_eq!(glob::captures(&pattern, &text).is_some(), expected);
    }

    /// What wildcards stand for, put in their places, is the text.
    #[test]
    fn captures_fill_the_pattern(pattern in vec(token(), 0..8), text in "[ab:]{0,8}") {
        if let Some(captures) = glob::captures(&pattern, &text) {
            let mut captures = captures.into_iter();
            let filled: String = pattern.iter().map(|token| match token {
                Token::Char(c) => c.to_string(),
                _ => captures.next().unwrap(),
            }).collect();
            prop_assert_eq!(filled, text);
            prop_assert_eq!(captures.next(), None);
        }
    }

    #[test]
    fn an_explicit_deny_wins(
        mut document in any_document(),
        mut deny in any_statement(Effect::Deny),
        request in any_request(),
        at in 0..4_usize,
    ) {
        deny.conditions.clear();
        let at = at.min(document.statements.len());
        document.statements.insert(at, deny.clone());
        let alone = decide(&Document::new([deny]), &request);
        if matches!(alone, Decision::ExplicitDeny { .. }) {
            let decision = decide(&document, &request);
            prop_assert!(matches!(decision, Decision::ExplicitDeny { .. }), "{:?}", decision);
        }
    }

    #[test]
    fn another_allow_takes_nothing_away(
        mut document in any_document(),
        allow in any_statement(Effect::Allow),
        request in any_request(),
    ) {
        let before = allows(&document, &request);
        document.statements.push(allow);
        prop_assert!(!before || allows(&document, &request));
    }

    #[test]
    fn a_limit_only_limits(
        document in any_document(),
        limit in any_document(),
        resource in option::of(any_document()),
        request in any_request(),
    ) {
        let identity = std::slice::from_ref(&document);
        let free = Policies { identity, resource: resource.as_ref(), ..Policies::default() };
        for policies in [
            Policies { boundary: Some(&limit), ..free },
            Policies { session: Some(&limit), ..free },
        ] {
            let limited = evaluate(&policies, &request).is_allowed();
            prop_assert!(!limited || evaluate(&free, &request).is_allowed());
            prop_assert!(!limited || allows(&limit, &request));
        }
    }

    /// Nothing that a mutation leaves is allowed anew.
    #[test]
    fn mutations_only_take_away(
        document in any_document(),
        requests in vec(any_request(), 1..5),
        other in any_request(),
    ) {
        let calls: Vec<Call> =
            requests.into_iter().map(|request| Call::new("c", request)).collect();
        for (mutation, smaller) in mutations(&document, &calls) {
            prop_assert!(!allows(&smaller, &other) || allows(&document, &other), "{}", mutation);
        }
    }

    /// What `minimal` says can go can go.
    #[test]
    fn what_is_superfluous_is(document in any_document(), requests in vec(any_request(), 1..5)) {
        let calls: Vec<Call> =
            requests.into_iter().map(|request| Call::new("c", request)).collect();
        let before = sufficient(&document, None, &calls).len();
        let superfluous: Vec<_> =
            minimal(&document, None, &calls).into_iter().map(|found| found.mutation).collect();
        for (mutation, smaller) in mutations(&document, &calls) {
            let after = sufficient(&smaller, None, &calls).len();
            prop_assert_eq!(superfluous.contains(&mutation), before == after, "{}", mutation);
        }
    }

    #[test]
    fn rendered_documents_are_read_back(document in any_document()) {
        // A key may stand only once under an operator, and values must be of its kind.
        if document.check(Attachment::RoleInline).is_ok()
            && let Ok(parsed) = parse(document.render_compact().as_bytes())
        {
            prop_assert_eq!(parsed.render_compact(), document.render_compact());
        }
    }

    #[test]
    fn any_json_is_a_document_or_an_error(json in any_json(), request in any_request()) {
        if let Ok(document) = parse(json.as_bytes()) {
            decide(&document, &request);
            let again = parse(document.render_compact().as_bytes());
            prop_assert_eq!(again.unwrap().render_compact(), document.render_compact());
        }
    }

    #[test]
    fn any_statement_is_parsed_or_refused(action in any_json(), rest in any_json()) {
        let json = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":{action},"Resource":"*","Condition":{rest}}}}}"#
        );
        let _ = parse(json.as_bytes());
    }

    #[test]
    fn any_bytes_are_a_document_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }
}
