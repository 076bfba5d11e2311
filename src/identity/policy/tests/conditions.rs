//! Condition operators.

use super::*;

/// Whether an Allow and a Deny with this condition apply to a request with these values of `k`.
fn applies(operator: &str, wanted: &str, values: &[&str]) -> [bool; 2] {
    let mut request = Request::new("s3:GetObject", "*").with("aws:username", ["ada"]);
    if values != [MISSING] {
        request = request.with("K", values.iter().copied());
    }
    ["Allow", "Deny"].map(|effect| {
        let json = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}","Action":"*","Resource":"*","Condition":{{"{operator}":{{"k":{wanted}}}}}}}}}"#
        );
        !matches!(decide(&document(&json), &request), Decision::ImplicitDeny { .. })
    })
}

const MISSING: &str = "(missing)";
const ARN: &str = "arn:aws:sns:eu-west-1:111122223333:topic";

#[test]
fn tests_of_one_value() {
    let table = [
        ("StringEquals", r#""a""#, "a", true),
        ("StringEquals", r#""a""#, "A", false),
        ("StringEquals", r#""a*""#, "ab", false),
        ("StringEquals", r#"["x","a"]"#, "a", true),
        ("StringEquals", r#""${aws:username}""#, "ada", true),
        ("StringEquals", "7", "7", true),
        ("StringEquals", "[]", "a", false),
        ("StringNotEquals", r#"["x","a"]"#, "a", false),
        ("StringNotEquals", r#"["x","y"]"#, "a", true),
        ("StringEqualsIgnoreCase", r#""AbC""#, "aBc", true),
        ("StringNotEqualsIgnoreCase", r#""AbC""#, "aBc", false),
        ("StringLike", r#""t?.*""#, "t2.large", true),
        ("StringLike", r#""t?.*""#, "t22.large", false),
        ("StringLike", r#""home/${aws:username}/*""#, "home/ada/x", true),
        ("StringLike", r#""${*}""#, "x", false),
        ("StringLike", r#""""#, "", true),
        ("StringNotLike", r#""t?.*""#, "m3.large", true),
        ("NumericEquals", "10", "10.0", true),
        ("NumericEquals", r#""9007199254740993""#, "9007199254740992", false),
        ("NumericNotEquals", "10", "11", true),
        ("NumericLessThan", "10", "9", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "-1.5", "-1.4", true),
        ("NumericGreaterThanEquals", "1e3", "1000", true),
        ("DateEquals", r#""2020-01-01T00:00:00Z""#, "1577836800", true),
        ("DateEquals", r#""2020""#, "2020-01-01T01:00+01:00", true),
        ("DateNotEquals", r#""2020-02-29""#, "2020-02-29T00:00:01Z", true),
        ("DateLessThan", r#""2020-01-01T00:00:01Z""#, "2020-01-01T00:00:00.999999999Z", true),
        ("DateLessThanEquals", r#""2020-01-01T00:00:00Z""#, "2019-12-31T19:00:00-05:00", true),
        ("DateGreaterThan", r#""2020-01-01T00:00:01Z""#, "2020-01-01T00:00:01Z", false),
        ("DateGreaterThanEquals", r#""1969-12-31T23:59:59Z""#, "1970-01-01", true),
        ("Bool", "false", "false", true),
        ("Bool", r#""True""#, "true", true),
        ("Bool", r#""true""#, "false", false),
        ("BinaryEquals", r#""QmluYXJ5""#, "QmluYXJ5", true),
        ("BinaryEquals", r#""QmluYXJ5""#, "QmluYXJ6", false),
        ("IpAddress", r#""203.0.113.0/24""#, "203.0.113.255", true),
        ("IpAddress", r#""203.0.113.0/24""#, "203.0.114.0", false),
        ("IpAddress", r#""203.0.113.7""#, "203.0.113.7", true),
        ("IpAddress", r#""203.0.113.7""#, "203.0.113.6", false),
        ("IpAddress", r#""0.0.0.0/0""#, "255.255.255.255", true),
        ("IpAddress", r#""0.0.0.0/0""#, "::1", false),
        (
            "IpAddress",
            r#"["203.0.113.0/24","2001:DB8:1234:5678::/64"]"#,
            "2001:db8:1234:5678:9::",
            true,
        ),
        ("IpAddress", r#""2001:DB8:1234:5678::/64""#, "2001:db8:1234:5679::", false),
        ("IpAddress", r#""::/0""#, "2001:db8::1", true),
        ("NotIpAddress", r#""203.0.113.0/24""#, "203.0.113.5", false),
        ("NotIpAddress", r#""203.0.113.0/24""#, "198.51.100.5", true),
        ("ArnEquals", r#""arn:aws:sns:*:111122223333:t?pic""#, ARN, true),
        ("ArnLike", r#""arn:aws:sns:*:999999999999:*""#, ARN, false),
        ("ArnLike", r#""arn:aws:sns:*""#, ARN, false),
        ("ArnNotEquals", r#""arn:aws:sns:eu-west-1:111122223333:topic""#, ARN, false),
        ("ArnNotLike", r#""arn:aws:sns:us-*:*:*""#, ARN, true),
        ("Null", "true", "a", false),
        ("Null", "false", "a", true),
        ("StringEqualsIfExists", r#""a""#, "b", false),
        ("StringEqualsIfExists", r#""a""#, "a", true),
    ];
    for (operator, wanted, value, expected) in table {
        assert_eq!(
            applies(operator, wanted, &[value]),
            [expected; 2],
            "{operator} {wanted} {value}"
        );
    }
}

/// `reference_policies_elements_condition_operators.html`, ARN operators.
#[test]
fn guide_arn_against_string() {
    let pattern = r#""arn:aws:someservice:*:111122223333:finance/*""#;
    let value =
        "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt";
    assert_eq!(applies("StringLike", pattern, &[value]), [true; 2]);
    assert_eq!(applies("ArnLike", pattern, &[value]), [false; 2]);
}

#[test]
fn missing_keys() {
    let table = [
        ("StringEquals", r#""a""#, false),
        ("StringNotEquals", r#""a""#, true),
        ("StringNotLike", r#""a""#, true),
        ("NumericNotEquals", "1", true),
        ("NumericLessThan", "1", false),
        ("DateNotEquals", r#""2020""#, true),
        ("Bool", "true", false),
        ("BinaryEquals", r#""QQ==""#, false),
        ("NotIpAddress", r#""10.0.0.0/8""#, true),
        ("IpAddress", r#""10.0.0.0/8""#, false),
        ("ArnNotLike", r#""arn:aws:s3:::*""#, true),
        ("ArnLike", r#""arn:aws:s3:::*""#, false),
        ("Null", "true", true),
        ("Null", "false", false),
        ("StringEqualsIfExists", r#""a""#, true),
        ("StringNotEqualsIfExists", r#""a""#, true),
        ("BoolIfExists", "true", true),
        ("ForAllValues:StringEquals", r#""a""#, true),
        ("ForAllValues:StringNotEquals", r#""a""#, true),
        ("ForAnyValue:StringEquals", r#""a""#, false),
        ("ForAnyValue:StringNotEquals", r#""a""#, false),
        ("ForAnyValue:StringEqualsIfExists", r#""a""#, true),
    ];
    for (operator, wanted, expected) in table {
        assert_eq!(applies(operator, wanted, &[MISSING]), [expected; 2], "{operator} missing");
        assert_eq!(applies(operator, wanted, &[]), [expected; 2], "{operator} no values");
    }
}

/// `reference_policies_multi-value-conditions.html`: the attributes of a table.
#[test]
fn guide_sets() {
    let attributes = r#"["PostDateTime","Message","Tags"]"#;
    let table: [(&str, &[&str], bool); 10] = [
        ("ForAllValues:StringLike", &["PostDateTime", "Message"], true),
        ("ForAllValues:StringLike", &["PostDateTime", "UserName"], false),
        ("ForAnyValue:StringLike", &["PostDateTime", "UserName"], true),
        ("ForAnyValue:StringLike", &["UserName", "ID"], false),
        ("ForAllValues:StringNotEquals", &["UserName", "ID"], true),
        ("ForAllValues:StringNotEquals", &["UserName", "Tags"], false),
        ("ForAnyValue:StringNotEquals", &["UserName", "Tags"], true),
        ("ForAnyValue:StringNotEquals", &["Message", "Tags"], false),
        // "an empty data set (for example, an empty string)"
        ("ForAllValues:StringLike", &[""], true),
        ("ForAnyValue:StringNotEquals", &[""], false),
    ];
    for (operator, values, expected) in table {
        assert_eq!(applies(operator, attributes, values), [expected; 2], "{operator} {values:?}");
    }
}

/// What AWS leaves undefined goes against the caller: no Allow, but a Deny.
#[test]
fn undefined_goes_against_the_caller() {
    let table: [(&str, &str, &[&str]); 8] = [
        ("StringEquals", r#""a""#, &["a", "a"]),
        ("StringNotEquals", r#""a""#, &["b", "c"]),
        ("NumericNotEquals", "1", &["one"]),
        ("NumericNotEquals", "1", &["inf"]),
        ("NotIpAddress", r#""10.0.0.0/8""#, &["here"]),
        ("DateLessThan", r#""2020""#, &["2019-02-29"]),
        ("Bool", "true", &["yes"]),
        ("BinaryEquals", r#""QQ==""#, &["%"]),
    ];
    for (operator, wanted, values) in table {
        assert_eq!(applies(operator, wanted, values), [false, true], "{operator} {values:?}");
    }
}

#[test]
fn variables_without_a_value_match_nothing() {
    for operator in ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "ArnNotLike"]
    {
        assert_eq!(applies(operator, r#""${aws:nothing}""#, &["a"]), [false; 2], "{operator}");
    }
    assert_eq!(applies("StringEquals", r#"["${aws:nothing}","a"]"#, &["a"]), [true; 2]);
    assert_eq!(applies("StringNotEquals", r#"["${aws:nothing}","b"]"#, &["a"]), [false; 2]);
    assert_eq!(applies("StringEquals", r#""${aws:nothing, 'a'}""#, &["a"]), [true; 2]);
}

/// All keys and all operators must hold.
#[test]
fn conditions_are_conjunctions() {
    let document = document(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
        "StringEquals":{"aws:PrincipalTag/department":["finance","hr"],"aws:PrincipalTag/role":["audit","security"]},
        "ArnLike":{"aws:PrincipalArn":"arn:aws:iam::222222222222:user/Ana*"}}}}"#,
    );
    let ask = |department, role, arn| {
        let request = Request::new("s3:GetObject", "*")
            .with("aws:PrincipalTag/department", [department])
            .with("aws:principaltag/ROLE", [role])
            .with("aws:PrincipalArn", [arn]);
        allows(&document, &request)
    };
    assert!(ask("hr", "audit", "arn:aws:iam::222222222222:user/Anaya"));
    assert!(!ask("it", "audit", "arn:aws:iam::222222222222:user/Anaya"));
    assert!(!ask("hr", "owner", "arn:aws:iam::222222222222:user/Anaya"));
    assert!(!ask("hr", "audit", "arn:aws:iam::222222222222:user/Bob"));
}

#[test]
fn instants() {
    use crate::identity::policy::value::instant_ns;
    let seconds = |text| instant_ns(text).map(|ns| ns / 1_000_000_000);
    assert_eq!(seconds("1970-01-01"), Some(0));
    assert_eq!(seconds("0001-01-01"), Some(-62_135_596_800));
    assert_eq!(seconds("2000-02-29T12:30Z"), Some(951_827_400));
    assert_eq!(seconds("2100-03-01"), Some(4_107_542_400));
    assert_eq!(seconds("9999-12-31T23:59:59Z"), Some(253_402_300_799));
    assert_eq!(seconds("20240101"), Some(20_240_101));
    for text in [
        "",
        "T",
        "Z",
        "2020-",
        "2020-13",
        "2020-00",
        "2020-02-30",
        "2100-02-29",
        "2020-1-1",
        "2020-01-01T",
        "2020-01-01T00:00",
        "2020-01-01T24:00Z",
        "2020-01-01T00:60Z",
        "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00.0000000000Z",
        "2020-01T00:00Z",
        "2020-01-01T00:00:00:00Z",
        "2020-01-01T00:00+1:00",
        "2020-01-01T00:00+24:00",
        "+2020",
        "99999999999999999999",
        "2020-01-01Té:00Z",
    ] {
        assert_eq!(instant_ns(text), None, "{text}");
    }
}
