//! Actions, resources and variables.

use super::*;

fn matches(pattern: &str, resource: &str) -> bool {
    allows(&one("Allow", "*", pattern), &Request::new("s3:GetObject", resource))
}

/// The objects that `reference_policies_elements_resource.html` lists for this pattern.
#[test]
fn guide_wildcards_in_a_bucket() {
    let pattern = "arn:aws:s3:::amzn-s3-demo-bucket/*/test/*";
    let object = |key: &str| format!("arn:aws:s3:::amzn-s3-demo-bucket/{key}");
    for key in [
        "1/test/object.jpg",
        "1/2/test/object.jpg",
        "1/2/test/3/object.jpg",
        "1/2/3/test/4/object.jpg",
        "1///test///object.jpg",
        "1/test/.jpg",
        "/test/object.jpg",
        "1/test/",
    ] {
        assert!(matches(pattern, &object(key)), "{key}");
    }
    for key in ["1-test/object.jpg", "test/object.jpg", "1/2/test.jpg"] {
        assert!(!matches(pattern, &object(key)), "{key}");
    }
}

#[test]
fn patterns_and_resources() {
    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:m";
    let table = [
        ("*", FUNCTION, true),
        ("*", "*", true),
        (FUNCTION, "*", false),
        (FUNCTION, FUNCTION, true),
        (FUNCTION, "arn:aws:lambda:eu-west-1:111122223333:function:M", false),
        (FUNCTION, "arn:aws:lambda:eu-west-1:111122223333:function:m:v3", false),
        // The last `*` of a segment reaches past colons, one within a segment does not.
        (
            "arn:aws:lambda:eu-west-1:111122223333:function:m*",
            "arn:aws:lambda:eu-west-1:111122223333:function:m:v3",
            true,
        ),
        (
            "arn:aws:lambda:eu-west-1:111122223333:function:*",
            "arn:aws:lambda:eu-west-1:111122223333:function:m:v3",
            true,
        ),
        (
            "arn:aws:lambda:eu-west-1:111122223333:function:*v3",
            "arn:aws:lambda:eu-west-1:111122223333:function:m:v3",
            false,
        ),
        ("arn:aws:lambda:*:111122223333:function:m", FUNCTION, true),
        ("arn:aws:lambda:eu-*-1:111122223333:function:m", FUNCTION, true),
        (
            "arn:aws:lambda:eu*1:111122223333:function:m",
            "arn:aws:lambda:eu:x:1:111122223333:function:m",
            false,
        ),
        ("arn:aws:lambda:eu-west-1:111122223333:function?m", FUNCTION, false),
        ("arn:aws:lambda:eu-west-1:111122223333:function:?", FUNCTION, true),
        ("arn:aws:lambda:eu-west-1:111122223333:function:m?", FUNCTION, false),
        (
            "arn:aws:apigateway:eu-west-1::/restapis/??????????",
            "arn:aws:apigateway:eu-west-1::/restapis/abcde12345",
            true,
        ),
        (
            "arn:aws:apigateway:eu-west-1::/restapis/??????????",
            "arn:aws:apigateway:eu-west-1::/restapis/abcde12345/stages",
            false,
        ),
        (
            "arn:aws:execute-api:eu-west-1:1:abc/prod/GET/*",
            "arn:aws:execute-api:eu-west-1:1:abc/prod/GET/a/b",
            true,
        ),
        (
            "arn:aws:execute-api:eu-west-1:1:abc/prod/GET/*",
            "arn:aws:execute-api:eu-west-1:1:abc/prod/GET/",
            true,
        ),
        (
            "arn:aws:execute-api:eu-west-1:1:abc/prod/GET/*",
            "arn:aws:execute-api:eu-west-1:1:abc/prod/GET",
            false,
        ),
        (
            "arn:aws:execute-api:eu-west-1:1:abc/*",
            "arn:aws:execute-api:eu-west-1:1:abc/test-invoke-stage/POST/a:b",
            true,
        ),
    ];
    for (pattern, resource, expected) in table {
        assert_eq!(matches(pattern, resource), expected, "{pattern} {resource}");
    }
}

/// Where AWS leaves open how far a wildcard reaches, a Deny has the wider one.
#[test]
fn wildcards_of_a_deny_reach_past_colons() {
    let resource = "arn:aws:s3:::bucket/a:b-log-c";
    let pattern = "arn:aws:s3:::*log*";
    assert!(!matches(pattern, resource));
    let deny = decide(&one("Deny", "*", pattern), &Request::new("s3:GetObject", resource));
    assert!(matches!(deny, Decision::ExplicitDeny { .. }));
}

#[test]
fn actions_ignore_case() {
    let table = [
        ("lambda:GetFunction", "lambda:GetFunction", true),
        ("LAMBDA:getfunction", "lambda:GetFunction", true),
        ("lambda:Get*", "lambda:GetFunctionConfiguration", true),
        ("lambda:*Function", "lambda:GetFunction", true),
        ("lambda:*Function", "lambda:GetFunctionConfiguration", false),
        ("lambda:GetFunctio?", "lambda:GetFunction", true),
        ("lambda:Get", "lambda:GetFunction", false),
        ("*", "iam:PassRole", true),
    ];
    for (pattern, action, expected) in table {
        let request = Request::new(action, "*");
        assert_eq!(allows(&one("Allow", pattern, "*"), &request), expected, "{pattern} {action}");
    }
}

#[test]
fn not_action_and_not_resource() {
    let document = document(
        r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","NotAction":["iam:*","sts:*"],"NotResource":"arn:aws:s3:::secret/${aws:username}/*"}]}"#,
    );
    let request = |action, resource| Request::new(action, resource).with("aws:username", ["ada"]);
    assert!(allows(&document, &request("s3:GetObject", "arn:aws:s3:::secret/bob/x")));
    assert!(!allows(&document, &request("s3:GetObject", "arn:aws:s3:::secret/ada/x")));
    assert!(!allows(&document, &request("IAM:PassRole", "arn:aws:s3:::secret/bob/x")));
    // Without a value for the variable nothing is known to be outside.
    assert!(!allows(&document, &Request::new("s3:GetObject", "arn:aws:s3:::other")));
}

/// The home folder example of `reference_policies_variables.html`, and what becomes of variables.
#[test]
fn guide_variables() {
    let home = one("Allow", "s3:*", "arn:aws:s3:::bucket/home/${aws:username}/*");
    let of = |key: &str| Request::new("s3:GetObject", &format!("arn:aws:s3:::bucket/home/{key}"));
    assert!(allows(&home, &of("ada/x").with("AWS:UserName", ["ada"])));
    assert!(!allows(&home, &of("bob/x").with("aws:username", ["ada"])));
    assert!(!allows(&home, &of("/x")), "a variable without a value");
    assert!(!allows(&home, &of("ada/x").with("aws:username", ["ada", "bob"])), "several values");
    assert!(!allows(&home, &of("bob/x").with("aws:username", ["*"])), "no wildcard from a value");
    assert!(!allows(&home, &of("${aws:username}/x")), "the text itself");

    let default = one("Allow", "s3:*", "arn:aws:s3:::bucket/home/${aws:userid, 'anonymous'}/*");
    assert!(allows(&default, &of("anonymous/x")));
    assert!(!allows(&default, &of("anonymous/x").with("aws:userid", ["AIDA"])));

    let account = one("Allow", "s3:*", "arn:aws:iam::${aws:PrincipalAccount}:role/x");
    let role = Request::new("s3:GetObject", "arn:aws:iam::1:role/x");
    assert!(!allows(&account, &role.with("aws:PrincipalAccount", ["1"])), "before the fifth colon");
}

#[test]
fn special_characters_as_variables() {
    let literal = one("Allow", "*", "arn:aws:s3:::b/${*}-${?}-${$}{x}");
    assert!(allows(&literal, &Request::new("s3:GetObject", "arn:aws:s3:::b/*-?-${x}")));
    assert!(!allows(&literal, &Request::new("s3:GetObject", "arn:aws:s3:::b/abc-d-${x}")));
}

#[test]
fn the_older_version_has_no_variables() {
    let older = document(
        r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}}"#,
    );
    assert!(allows(&older, &Request::new("s3:GetObject", "arn:aws:s3:::b/${aws:username}")));
    let ada = Request::new("s3:GetObject", "arn:aws:s3:::b/ada").with("aws:username", ["ada"]);
    assert!(!allows(&older, &ada));
}

/// A pattern of many stars against a long text takes the product of their lengths, not powers.
#[test]
fn hostile_patterns_end() {
    let pattern = format!("arn:aws:s3:::{}b", "a*".repeat(5_000));
    let resource = format!("arn:aws:s3:::{}", "a".repeat(2_000));
    assert!(!matches(&pattern, &resource));
}
