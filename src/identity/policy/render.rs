//! Policy documents as AWS takes them, and as people read them.
//!
//! Keys come in the order AWS's own documents have them, lists in the document's order, and a list
//! of one as a bare string, which is what IAM's size limits favour.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::statement::{
    Condition, Document, Effect, PrincipalKind, Principals, Statement, Version, Which,
};
use super::{Attachment, Error};

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let version = match self.version {
            Version::V2008 => "2008-10-17",
            Version::V2012 => "2012-10-17",
        };
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("Version", version)?;
        map.serialize_entry("Statement", &self.statements)?;
        map.end()
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(sid) = &self.sid {
            map.serialize_entry("Sid", sid)?;
        }
        let effect = if self.effect == Effect::Allow { "Allow" } else { "Deny" };
        map.serialize_entry("Effect", effect)?;
        match &self.principals {
            Some(Principals::Anyone) => map.serialize_entry("Principal", "*")?,
            Some(Principals::Listed(names)) => map.serialize_entry("Principal", &Named(names))?,
            Some(Principals::AllBut(names)) => {
                map.serialize_entry("NotPrincipal", &Named(names))?
            }
            None => {}
        }
        match &self.actions {
            Which::Listed(patterns) => map.serialize_entry("Action", &Texts(patterns))?,
            Which::AllBut(patterns) => map.serialize_entry("NotAction", &Texts(patterns))?,
        }
        match &self.resources {
            Some(Which::Listed(patterns)) => map.serialize_entry("Resource", &Texts(patterns))?,
            Some(Which::AllBut(patterns)) => {
                map.serialize_entry("NotResource", &Texts(patterns))?
            }
            None => {}
        }
        if !self.conditions.is_empty() {
            map.serialize_entry("Condition", &Conditions(&self.conditions))?;
        }
        map.end()
    }
}

struct Texts<'a>(&'a [String]);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [one] => serializer.serialize_str(one),
            several => serializer.collect_seq(several),
        }
    }
}

struct Named<'a>(&'a BTreeMap<PrincipalKind, Vec<String>>);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(kind, names)| (kind.name(), Texts(names))))
    }
}

struct Conditions<'a>(&'a [Condition]);

impl Serialize for Conditions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // An operator stands once, with all its keys.
        let mut operators: BTreeMap<String, BTreeMap<&str, Texts<'_>>> = BTreeMap::new();
        for condition in self.0 {
            let keys = operators.entry(condition.operator.to_string()).or_default();
            keys.insert(&condition.key, Texts(&condition.values));
        }
        serializer.collect_map(operators)
    }
}

impl Document {
    /// The document without white space, as it is sent.
    pub fn render_compact(&self) -> String {
        serde_json::to_string(self).expect("strings and maps of strings have JSON")
    }

    /// The document for people: one line a list entry, and above each statement its reason as a
    /// `#` line. Without those lines it is the JSON document.
    pub fn render_text(&self) -> String {
        let pretty =
            serde_json::to_string_pretty(self).expect("strings and maps of strings have JSON");
        let mut reasons = self.statements.iter().map(|statement| statement.reason.as_deref());
        let mut text = String::with_capacity(pretty.len() + 80 * self.statements.len());
        for line in pretty.lines() {
            // Statements are the only objects that open at this depth by themselves.
            if line == "    {"
                && let Some(Some(reason)) = reasons.next()
            {
                for line in reason.lines() {
                    text.push_str("    # ");
                    text.push_str(line);
                    text.push('\n');
                }
            }
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The size that IAM's limits are about: characters without white space. White space within
    /// strings is counted, which can only be too many.
    pub fn size_chars(&self) -> usize {
        self.render_compact().chars().count()
    }

    /// Whether AWS takes the document there: its size, and names of statements that are unique and
    /// of letters and digits, and no condition that rendering would lose.
    pub fn check(&self, attachment: Attachment) -> Result<(), Error> {
        let chars = self.size_chars();
        if chars > attachment.chars_max() {
            return Err(Error::TooLong { attachment, chars });
        }
        for (index, statement) in self.statements.iter().enumerate() {
            let sid = statement.sid.as_deref().unwrap_or_default();
            let plain = sid.bytes().all(|b| b.is_ascii_alphanumeric());
            let again = self.statements[..index]
                .iter()
                .any(|other| !sid.is_empty() && other.sid.as_deref() == Some(sid));
            if !plain || again {
                let cause =
                    if again { "is there twice" } else { "has more than letters and digits" };
                let at = format!("Statement[{index}]");
                return Err(Error::Shape { at, cause: format!("`Sid` `{sid}` {cause}") });
            }
            // Two conditions on one key are both required, which JSON with one such key cannot say.
            let conditions = &statement.conditions;
            for (place, condition) in conditions.iter().enumerate() {
                if conditions[..place].iter().any(|other| other.is_same_key(condition)) {
                    let at = format!("Statement[{index}].Condition.{}", condition.operator);
                    return Err(Error::Shape { at, cause: format!("`{}` twice", condition.key) });
                }
            }
        }
        Ok(())
    }
}
