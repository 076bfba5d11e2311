//! Reading and writing documents.

use super::*;
use crate::error::{Explain, chain};

fn refusal(json: &str) -> String {
    chain(&parse(json.as_bytes()).expect_err(json))
}

fn statement(inside: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{inside}}}]}}"#)
}

#[test]
fn what_is_refused_and_where() {
    let table = [
        ("", "EOF"),
        ("[]", "document: is not an object"),
        ("{}", "has no `Statement`"),
        (r#"{"Statement":[]} x"#, "trailing characters"),
        (r#"{"Statement":[],"Statement":[]}"#, "key `Statement` twice"),
        (r#"{"Version":"2020-01-01","Statement":[]}"#, "Version: `2020-01-01` is neither"),
        (r#"{"Statement":[],"Statements":[]}"#, "key `Statements`: not part"),
        (r#"{"Statement":["x"]}"#, "Statement[0]: is not an object"),
        (r#"{"Statement":[[[[[[[[[]]]]]]]]]}"#, "more than 8 levels"),
        (&statement(r#""Action":"*","Resource":"*""#), "Statement[0]: has no `Effect`"),
        (
            &statement(r#""Effect":"allow","Action":"*","Resource":"*""#),
            "`allow` is neither Allow nor Deny",
        ),
        (&statement(r#""Effect":"Allow","Resource":"*""#), "has neither `Action` nor `NotAction`"),
        (
            &statement(r#""Effect":"Allow","Action":"*""#),
            "has neither `Resource` nor `NotResource`",
        ),
        (
            &statement(r#""Effect":"Allow","Action":"*","NotAction":"s3:*","Resource":"*""#),
            "both `Action` and `NotAction`",
        ),
        (
            &statement(r#""Effect":"Allow","Action":"*","Resource":"*","NotResource":"*""#),
            "both `Resource` and `NotResource`",
        ),
        (
            &statement(r#""Effect":"Allow","NotAction":[],"Resource":"*""#),
            "Statement[0].NotAction: excludes nothing",
        ),
        (
            &statement(r#""Effect":"Allow","Action":"GetItem","Resource":"*""#),
            "action `GetItem` is not `service:action`",
        ),
        (
            &statement(r#""Effect":"Allow","Action":["s3:*",null],"Resource":"*""#),
            "Statement[0].Action: is not a string",
        ),
        (
            &statement(r#""Effect":"Allow","Action":"*","Resource":"*","Resource":"x""#),
            "key `Resource` twice",
        ),
        (
            &statement(r#""Effect":"Allow","Action":"*","Resource":"*","Conditions":{}"#),
            "key `Conditions` is not part of a statement",
        ),
        (
            &statement(r#""Effect":"Allow","Action":"*","Resource":"*","Principal":"me""#),
            "`me` names nobody",
        ),
        (&statement(r#""Effect":"Allow","Action":"*","NotPrincipal":"*""#), "`*` names nobody"),
        (
            &statement(r#""Effect":"Allow","Action":"*","Principal":{"aws":"*"}"#),
            "`aws` is not a kind of principal",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Principal":"*","NotPrincipal":{"AWS":"1"}"#,
            ),
            "both `Principal` and",
        ),
        (
            &statement(r#""Effect":"Allow","Action":"*","Resource":"*","Condition":[]"#),
            "Statement[0].Condition: is not an object",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqual":{"k":"v"}}"#,
            ),
            "Statement[0].Condition: no condition operator `StringEqual`",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"k":"true"}}"#,
            ),
            "no condition operator `NullIfExists`",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForSomeValues:Bool":{"k":"true"}}"#,
            ),
            "no condition operator",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"k":"10.0.0.0/33"}}"#,
            ),
            "Statement[0].Condition.IpAddress.k: `10.0.0.0/33` is not an address",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"k":"nan"}}"#,
            ),
            "`nan` is not a number",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateEquals":{"k":"yesterday"}}"#,
            ),
            "`yesterday` is not an ISO 8601 date",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"k":"yes"}}"#,
            ),
            "`yes` is not `true` or `false`",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"BinaryEquals":{"k":"%"}}"#,
            ),
            "`%` is not base64",
        ),
        (
            &statement(
                r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:K":"true","A:k":"true"}}"#,
            ),
            "stands twice",
        ),
        (
            r#"{"Statement":[{"Sid":"A","Effect":"Deny","Action":"*","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"*","Resource":"*"}]}"#,
            "Statement[1]: second `Sid` `A`",
        ),
    ];
    for (json, cause) in table {
        let refusal = refusal(json);
        assert!(refusal.starts_with("policy document"), "{refusal}");
        assert!(refusal.contains(cause), "{json}: {refusal}");
    }
}

#[test]
fn sizes_are_bounded() {
    let long = format!(r#"{{"Statement":[]{}}}"#, " ".repeat(DOCUMENT_BYTES_MAX));
    assert!(matches!(parse(long.as_bytes()), Err(Error::TooLarge { .. })));
    let many = format!(r#"{{"Statement":[{}0]}}"#, "0,".repeat(STATEMENTS_MAX));
    assert!(refusal(&many).contains("more than 500 statements"));
}

#[test]
fn an_unknown_operator_names_its_neighbour() {
    let json = statement(
        r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqual":{"k":"v"}}"#,
    );
    let hint = parse(json.as_bytes()).expect_err("no such operator").hint();
    assert_eq!(hint.as_deref(), Some("did you mean `StringEquals`"));
}

fn example() -> Document {
    let passed = Operator::from_name("StringEquals").unwrap();
    Document::new([
        Statement::allow("PassRole", "Lambda runs the function as this role")
            .actions(["iam:PassRole"])
            .resources(["arn:aws:iam::111122223333:role/m"])
            .when(passed, "iam:PassedToService", ["lambda.amazonaws.com"]),
        Statement::allow("Lambda", "each version is a function version\nwith an alias")
            .actions(["lambda:PublishVersion", "lambda:CreateAlias", "lambda:CreateAlias"])
            .resources(["arn:aws:lambda:eu-west-1:111122223333:function:m"]),
    ])
}

#[test]
fn rendered_forms() {
    let compact = concat!(
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"PassRole","Effect":"Allow","Action":"iam:PassRole","#,
        r#""Resource":"arn:aws:iam::111122223333:role/m","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}},"#,
        r#"{"Sid":"Lambda","Effect":"Allow","Action":["lambda:CreateAlias","lambda:PublishVersion"],"#,
        r#""Resource":"arn:aws:lambda:eu-west-1:111122223333:function:m"}]}"#,
    );
    assert_eq!(example().render_compact(), compact);
    assert_eq!(example().size_chars(), compact.len());
    let text = example().render_text();
    assert!(
        text.contains(
            "\n    # Lambda runs the function as this role\n    {\n      \"Sid\": \"PassRole\""
        ),
        "{text}"
    );
    assert!(text.contains("\n    # each version is a function version\n    # with an alias\n    {\n      \"Sid\": \"Lambda\""), "{text}");
    let json: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut parsed = parse(json.join("\n").as_bytes()).unwrap();
    assert_eq!(parsed.reasons(), std::collections::BTreeMap::new());
    assert_eq!(example().reasons()["PassRole"], "Lambda runs the function as this role");
    for (statement, original) in parsed.statements.iter_mut().zip(example().statements) {
        statement.reason = original.reason;
    }
    assert_eq!(parsed, example());
}

#[test]
fn trust_documents_render() {
    let trust = Document::new([Statement::allow("Assume", "r")
        .principals(PrincipalKind::Service, ["lambda.amazonaws.com"])
        .principals(PrincipalKind::Federated, ["b", "a"])
        .actions(["sts:AssumeRole"])]);
    let compact = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Assume","Effect":"Allow","Principal":{"Federated":["a","b"],"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    assert_eq!(trust.render_compact(), compact);
}

#[test]
fn limits_of_attachments() {
    let of = |chars: usize| {
        let base = one("Allow", "s3:*", "").size_chars();
        one("Allow", "s3:*", &"x".repeat(chars - base))
    };
    for attachment in
        [Attachment::Managed, Attachment::RoleInline, Attachment::UserInline, Attachment::Trust]
    {
        let max = attachment.chars_max();
        of(max).check(attachment).unwrap();
        assert!(matches!(of(max + 1).check(attachment), Err(Error::TooLong { .. })));
    }
    let mut named = example();
    named.statements[1].sid = Some("with space".to_owned());
    assert!(named.check(Attachment::Managed).is_err());
    named.statements[1].sid = Some("PassRole".to_owned());
    assert!(named.check(Attachment::Managed).is_err());
    let twice = Operator::from_name("Bool").unwrap();
    named.statements[1] =
        example().statements[1].clone().when(twice, "k", ["true"]).when(twice, "K", ["false"]);
    assert!(named.check(Attachment::Managed).is_err(), "JSON has a key once");
}

#[test]
fn operator_names_are_read_back() {
    for set in ["", "ForAllValues:", "ForAnyValue:"] {
        for name in Operator::names().filter(|name| *name != "Null") {
            for end in ["", "IfExists"] {
                let operator = Operator::from_name(&format!("{set}{name}{end}")).unwrap();
                assert_eq!(Operator::from_name(&operator.to_string()), Some(operator));
            }
        }
    }
    assert_eq!(Operator::from_name("Null").unwrap().to_string(), "Null");
    assert_eq!(Operator::names().count(), 27);
}
