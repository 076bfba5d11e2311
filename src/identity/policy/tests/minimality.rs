//! Sufficient and minimal documents.

use super::*;

const API: &str = "abcde12345";

fn call(action: &str, resource: &str) -> Call {
    Call::new(action, Request::new(action, resource))
}

fn complaints(document: &Document, boundary: Option<&Document>, calls: &[Call]) -> Vec<String> {
    minimal(document, boundary, calls).iter().map(|found| found.mutation.to_string()).collect()
}

/// What an endpoint's deploy needs in small: a generated API id, a function with known versions.
fn calls() -> Vec<Call> {
    let api = |action: &str, rest: &str| {
        call(action, &format!("arn:aws:apigateway:eu-west-1::/restapis/{API}{rest}")).varying(API)
    };
    let mut calls = vec![
        call("apigateway:POST", "arn:aws:apigateway:eu-west-1::/restapis"),
        api("apigateway:GET", ""),
        api("apigateway:POST", "/deployments"),
        api("apigateway:PATCH", "/stages/prod"),
        call("lambda:CreateAlias", "arn:aws:lambda:eu-west-1:111122223333:function:m"),
        call("sts:GetCallerIdentity", "*"),
    ];
    let pass = Request::new("iam:PassRole", "arn:aws:iam::111122223333:role/m")
        .with("iam:PassedToService", ["lambda.amazonaws.com"]);
    calls.push(Call::new("CreateFunction passes the role", pass));
    calls
}

fn deployer() -> Document {
    let passed = Operator::from_name("StringEquals").unwrap();
    Document::new([
        Statement::allow("Create", "r")
            .actions(["apigateway:POST"])
            .resources(["arn:aws:apigateway:eu-west-1::/restapis"]),
        Statement::allow("Own", "r")
            .actions(["apigateway:GET", "apigateway:PATCH", "apigateway:POST"])
            .resources(["arn:aws:apigateway:eu-west-1::/restapis/*"]),
        Statement::allow("Alias", "r")
            .actions(["lambda:CreateAlias"])
            .resources(["arn:aws:lambda:eu-west-1:111122223333:function:m"]),
        Statement::allow("Pass", "r")
            .actions(["iam:PassRole"])
            .resources(["arn:aws:iam::111122223333:role/m"])
            .when(passed, "iam:PassedToService", ["lambda.amazonaws.com"]),
        Statement::allow("Who", "r").actions(["sts:GetCallerIdentity"]).resources(["*"]),
        Statement::deny("Guard", "r").actions(["iam:*"]).resources(["arn:aws:iam::*:user/*"]),
    ])
}

#[test]
fn a_minimal_document_is_taken() {
    assert_eq!(sufficient(&deployer(), None, &calls()), []);
    assert_eq!(complaints(&deployer(), None, &calls()), [""; 0]);
}

/// Each part of a minimal document is needed: without it a call is named that is not allowed.
#[test]
fn every_mutation_of_a_minimal_document_breaks_a_call() {
    let document = deployer();
    let calls = calls();
    let mutations: Vec<_> = mutations(&document, &calls).collect();
    assert!(mutations.len() >= 12, "{}", mutations.len());
    for (mutation, smaller) in mutations {
        assert_ne!(sufficient(&smaller, None, &calls), [], "{mutation}");
    }
}

#[test]
fn insufficient_documents_name_the_call() {
    let mut document = deployer();
    document.statements.remove(2);
    let missing = sufficient(&document, None, &calls());
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].operation, "lambda:CreateAlias");
    assert_eq!(missing[0].decision, Decision::ImplicitDeny { missing: Layer::Identity });

    let mut denied = deployer();
    denied.statements.push(Statement::deny("NoPass", "r").actions(["iam:*"]).resources(["*"]));
    let missing = sufficient(&denied, None, &calls());
    assert!(matches!(&missing[0].decision, Decision::ExplicitDeny { by } if by.sid == "NoPass"));

    let boundary = one("Allow", "apigateway:*", "*");
    let missing = sufficient(&deployer(), Some(&boundary), &calls());
    assert_eq!(missing.len(), 3);
    assert_eq!(missing[0].decision, Decision::ImplicitDeny { missing: Layer::Boundary });
}

/// A document that only allows the recorded API id does not do for the next one.
#[test]
fn generated_parts_vary() {
    let exact =
        one("Allow", "apigateway:GET", &format!("arn:aws:apigateway:eu-west-1::/restapis/{API}"));
    let call = call("apigateway:GET", &format!("arn:aws:apigateway:eu-west-1::/restapis/{API}"));
    assert_eq!(sufficient(&exact, None, std::slice::from_ref(&call)), []);
    assert_eq!(sufficient(&exact, None, &[call.clone().varying(API)]).len(), 1);
    let other = &call.varying(API).requests[1];
    assert_eq!(other.resource, "arn:aws:apigateway:eu-west-1::/restapis/nopqr67890");
}

#[test]
fn what_is_too_much() {
    let table: [(&[&str], &[&str], &[&str]); 9] = [
        (
            &["s3:GetObject", "s3:PutObject"],
            &["arn:aws:s3:::b/k"],
            &["`S` without action `s3:PutObject`"],
        ),
        (
            &["s3:GetObject"],
            &["arn:aws:s3:::b/k", "arn:aws:s3:::c"],
            &["`S` without resource `arn:aws:s3:::c`"],
        ),
        (
            &["s3:GetObject"],
            &["arn:aws:s3:::b/*"],
            &["`S` with `arn:aws:s3:::b/k` in place of `arn:aws:s3:::b/*`"],
        ),
        (
            &["s3:GetObject"],
            &["arn:aws:s3:::?/k"],
            &["`S` with `arn:aws:s3:::b/k` in place of `arn:aws:s3:::?/k`"],
        ),
        (
            &["s3:GetObject"],
            &["arn:aws:s3:::b/k*"],
            &["`S` with `arn:aws:s3:::b/k` in place of `arn:aws:s3:::b/k*`"],
        ),
        (&["s3:GetObject"], &["*"], &["`S` with `arn:aws:s3:::b/k` in place of `*`"]),
        (&["s3:Get*"], &["arn:aws:s3:::b/k"], &["`S` with `s3:GetObject` in place of `s3:Get*`"]),
        (
            &["s3:GetObject", "s3:Get*"],
            &["arn:aws:s3:::b/k"],
            &[
                "`S` without action `s3:Get*`",
                "`S` without action `s3:GetObject`",
                "`S` with `s3:GetObject` in place of `s3:Get*`",
            ],
        ),
        (
            &["s3:GetObject"],
            &["arn:aws:s3:::b/*", "arn:aws:s3:::b/k"],
            &["`S` without resource `arn:aws:s3:::b/*`", "`S` without resource `arn:aws:s3:::b/k`"],
        ),
    ];
    for (actions, resources, expected) in table {
        let document = Document::new([Statement::allow("S", "r")
            .actions(actions.iter().copied())
            .resources(resources.iter().copied())]);
        let calls = [call("s3:GetObject", "arn:aws:s3:::b/k")];
        assert_eq!(sufficient(&document, None, &calls), []);
        assert_eq!(complaints(&document, None, &calls), expected);
    }
}

/// A wildcard over several known names must begin and end as they do.
#[test]
fn wildcards_keep_what_names_have_in_common() {
    let pattern = |resource: &str| {
        Document::new([Statement::allow("S", "r")
            .actions(["lambda:GetAlias"])
            .resources([resource])])
    };
    let function = |name: &str| format!("arn:aws:lambda:eu-west-1:1:function:{name}");
    let calls = ["gwtf-a-x", "gwtf-b-x"].map(|name| call("lambda:GetAlias", &function(name)));
    let complaint =
        |to: &str, of: &str| format!("`S` with `{}` in place of `{}`", function(to), function(of));
    let found = |name: &str| complaints(&pattern(&function(name)), None, &calls);
    assert_eq!(found("*"), [complaint("gwtf-*-x", "*")]);
    assert_eq!(found("gwtf-*"), [complaint("gwtf-*-x", "gwtf-*")]);
    assert_eq!(found("gwtf-*-x"), [""; 0]);
    // A generated part is needed whole, and nothing but it.
    let calls = [call("lambda:GetAlias", &function("gwtf-abc12")).varying("abc12")];
    let found = |name: &str| complaints(&pattern(&function(name)), None, &calls);
    assert_eq!(found("gwtf-*"), [""; 0]);
    assert_eq!(found("gwtf-?????"), [""; 0]);
    assert_eq!(found("*"), [complaint("gwtf-*", "*")]);
    assert_eq!(found("*-*"), [complaint("gwtf-*", "*-*")]);
}

#[test]
fn exclusion_is_never_minimal() {
    let document = document(
        r#"{"Version":"2012-10-17","Statement":{"Sid":"S","Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:iam::*"}}"#,
    );
    let calls = [call("s3:GetObject", "arn:aws:s3:::b/k")];
    assert_eq!(
        complaints(&document, None, &calls),
        [
            "`S` with `s3:GetObject` in place of `NotAction`",
            "`S` with `arn:aws:s3:::b/k` in place of `NotResource`",
        ]
    );
}

#[test]
fn pairs_that_nothing_uses() {
    let calls = [call("s3:GetObject", "arn:aws:s3:::b/k"), call("s3:ListBucket", "arn:aws:s3:::b")];
    let document = Document::new([Statement::allow("S", "r")
        .actions(["s3:GetObject", "s3:ListBucket"])
        .resources(["arn:aws:s3:::b", "arn:aws:s3:::b/k"])]);
    assert_eq!(complaints(&document, None, &calls), [""; 0]);
    let pair = |action: &str, resource: &str| LoosePair {
        sid: "S".to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
    };
    let expected =
        [pair("s3:GetObject", "arn:aws:s3:::b"), pair("s3:ListBucket", "arn:aws:s3:::b/k")];
    assert_eq!(loose_pairs(&document, &calls), expected);
}
