//! Where on AWS an endpoint's function is, and what its parts are called there.

use super::Error;

/// Longest name of a function, characters (`CreateFunction`).
const FUNCTION_CHARS_MAX: usize = 64;
/// Longest Region code taken, characters.
const REGION_CHARS_MAX: usize = 32;
/// Regions by the beginning of their code, and the partition that they are in; all others are in
/// `aws` (botocore's `partitions.json`).
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// The place of one endpoint's Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    partition: &'static str,
    region: String,
    account_id: String,
    function: String,
}

impl Place {
    /// The function of this name; the partition follows from the Region.
    ///
    /// # Errors
    /// A part has a form that AWS does not know.
    pub fn new(region: &str, account_id: &str, function: &str) -> Result<Self, Error> {
        let code = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=REGION_CHARS_MAX).contains(&region.len()) || !region.bytes().all(code) {
            return Err(Error::Region { text: region.to_owned() });
        }
        if account_id.len() != 12 || !account_id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::Account { text: account_id.to_owned() });
        }
        let length = 1..=FUNCTION_CHARS_MAX;
        if !length.contains(&function.len()) || !function.bytes().all(is_name_byte) {
            return Err(Error::Function { text: function.to_owned() });
        }
        let partition = PARTITIONS.iter().find(|(start, _)| region.starts_with(start));
        Ok(Self {
            partition: partition.map_or("aws", |(_, partition)| partition),
            region: region.to_owned(),
            account_id: account_id.to_owned(),
            function: function.to_owned(),
        })
    }

    /// The partition that the Region is in: `aws`, `aws-cn`, …
    pub fn partition(&self) -> &'static str {
        self.partition
    }

    /// The ARN of the alias that serves a version: what an integration invokes, and what API
    /// Gateway needs a permission on.
    ///
    /// # Errors
    /// No alias can be named after the version.
    pub fn alias_arn(&self, tag: &str) -> Result<String, Error> {
        let Self { partition, region, account_id, function } = self;
        let alias = alias_of(tag)?;
        Ok(format!("arn:{partition}:lambda:{region}:{account_id}:function:{function}:{alias}"))
    }

    /// The URI of a proxy integration that invokes that alias.
    ///
    /// # Errors
    /// No alias can be named after the version.
    pub fn integration_uri(&self, tag: &str) -> Result<String, Error> {
        let Self { partition, region, .. } = self;
        let function = self.alias_arn(tag)?;
        Ok(format!(
            "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{function}\
             /invocations"
        ))
    }
}

/// The name of an endpoint's function.
pub fn function_name(endpoint: &str) -> String {
    format!("gwtf-{endpoint}")
}

/// The alias that serves a version: its tag, as far as Lambda takes it.
///
/// Lambda takes letters, digits, `-` and `_`, and not digits alone. Tags have no capital letters,
/// so `.` becomes `D` and digits get a `V` in front; two tags never share an alias.
///
/// # Errors
/// The text is no version tag.
pub fn alias_of(tag: &str) -> Result<String, Error> {
    let in_tag = |b: u8| (is_name_byte(b) && !b.is_ascii_uppercase()) || b == b'.';
    if tag.is_empty() || !tag.bytes().all(in_tag) {
        return Err(Error::Version { tag: tag.to_owned() });
    }
    let digits = tag.bytes().all(|b| b.is_ascii_digit());
    Ok(if digits { format!("V{tag}") } else { tag.replace('.', "D") })
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_the_alias_in_the_regions_partition() {
        let uri = |region: &str| {
            Place::new(region, "111122223333", "gwtf-iris").unwrap().integration_uri("v3").unwrap()
        };
        assert_eq!(
            uri("eu-west-1"),
            "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/\
             arn:aws:lambda:eu-west-1:111122223333:function:gwtf-iris:v3/invocations"
        );
        let partitions = [
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-east-1", "aws"),
            ("eusc-de-east-1", "aws-eusc"),
        ];
        for (region, partition) in partitions {
            let (uri, start) = (uri(region), format!("arn:{partition}:apigateway:{region}:"));
            assert!(uri.starts_with(&start), "{uri}");
            assert!(uri.contains(&format!("arn:{partition}:lambda:{region}:")), "{uri}");
        }
    }

    #[test]
    fn an_alias_is_the_tag_where_lambda_takes_it_and_never_two_tags() {
        let cases = [
            ("v3", "v3"),
            ("2024-06_a", "2024-06_a"),
            ("2024", "V2024"),
            ("1.2.3", "1D2D3"),
            ("1.2", "1D2"),
            ("12", "V12"),
        ];
        for (tag, alias) in cases {
            assert_eq!(alias_of(tag).as_deref(), Ok(alias));
        }
        for tag in ["", "V1", "a/b", "a:b", "é", "a b"] {
            assert!(alias_of(tag).is_err(), "{tag}");
        }
    }

    #[test]
    fn refuses_places_that_aws_has_not() {
        let place = |region: &str, account: &str, function: &str| {
            Place::new(region, account, function).unwrap_err().to_string()
        };
        let (region, account) = ("eu-west-1", "111122223333");
        for text in ["", "EU", "eu west", "eu/../x", &"a".repeat(33)] {
            assert!(place(text, account, "f").starts_with("region"), "{text}");
        }
        for text in ["", "1", "11112222333a", "1111222233334", "１１１１"] {
            assert!(place(region, text, "f").starts_with("account"), "{text}");
        }
        for text in ["", "a:b", "a b", &"a".repeat(65)] {
            assert!(place(region, account, text).starts_with("function"), "{text}");
        }
    }
}
