//! Reads an assertion from what a person typed; every refusal names the column and an example.

use super::{Assertion, Class, Comparison, Metric, Statistic, Times};
use crate::error::{Exit, Explain};

/// The longest expression that is read.
pub const EXPRESSION_BYTES_MAX: usize = 200;

/// The largest number an expression may hold.
const NUMBER_MAX: f64 = 1e12;

const METRICS: [&str; 11] =
    ["p50", "p90", "p95", "p99", "p999", "max", "mean", "rate", "rps", "goodput", "amplification"];

/// Why an expression is no assertion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`EXPRESSION_BYTES_MAX`].
    #[error("assertion of {bytes} bytes: longer than the {EXPRESSION_BYTES_MAX} that are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Something else stands where the grammar wants `expected`.
    #[error("assertion `{expr}`: expected {expected} at column {column}, found {found}")]
    Expected {
        /// The expression.
        expr: String,
        /// What may stand there.
        expected: &'static str,
        /// Where, counted in characters from 1.
        column: usize,
        /// What stands there.
        found: String,
        /// A well-formed expression of the same kind.
        example: &'static str,
    },
    /// A word that names nothing.
    #[error("assertion `{expr}`: no {kind} is called `{word}` (column {column})")]
    Unknown {
        /// The expression.
        expr: String,
        /// `metric` or `class`.
        kind: &'static str,
        /// The word.
        word: String,
        /// Where, counted in characters from 1.
        column: usize,
        /// The known word nearest to it, if one is near.
        nearest: Option<&'static str>,
        /// A well-formed expression of the same kind.
        example: &'static str,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLong { .. } => "one `--assert` holds one comparison".to_owned(),
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::Expected { example, .. } | Self::Unknown { example, .. } => {
                format!("write it like `{example}`")
            }
        })
    }
}

/// Parses one assertion (grammar: see the module above).
pub(super) fn parse(expr: &str) -> Result<Assertion, Error> {
    let expr = expr.trim();
    if expr.len() > EXPRESSION_BYTES_MAX {
        return Err(Error::TooLong { bytes: expr.len() });
    }
    let mut reader = Reader { expr, at: 0, example: "p99(ok)<50ms" };
    let metric = reader.metric()?;
    let comparison = reader.comparison()?;
    let limit = reader.limit(metric)?;
    if !reader.rest().is_empty() {
        return Err(reader.expected("the end of the expression"));
    }
    Ok(Assertion { expr: expr.to_owned(), metric, comparison, limit })
}

struct Reader<'a> {
    expr: &'a str,
    /// Byte offset of what is read next; always on a character boundary.
    at: usize,
    /// What a refusal shows.
    example: &'static str,
}

impl<'a> Reader<'a> {
    fn metric(&mut self) -> Result<Metric, Error> {
        let start = self.at;
        let word = self.word();
        let quantile = |quantile| Ok(Statistic::Quantile(quantile));
        let statistic = match word {
            "p50" => quantile(0.5),
            "p90" => quantile(0.9),
            "p95" => quantile(0.95),
            "p99" => quantile(0.99),
            "p999" => quantile(0.999),
            "max" => Ok(Statistic::Max),
            "mean" => Ok(Statistic::Mean),
            other => Err(other),
        };
        match statistic {
            Ok(statistic) => {
                let times =
                    self.subject(Times::from_name, &["lateness", "cold_start", "operation"])?;
                Ok(Metric::Time(statistic, times.unwrap_or(Times::Response(Class::All))))
            }
            Err("rate") => {
                self.example = "rate(throttled)<1%";
                let class = self.subject(Class::from_name, &[])?;
                class.map(Metric::Share).ok_or_else(|| self.expected("a class in parentheses"))
            }
            Err("rps") => {
                self.example = "rps(ok)>=490";
                let class = self.subject(Class::from_name, &[])?;
                Ok(Metric::Rate(class.unwrap_or(Class::All)))
            }
            Err("goodput") => {
                self.example = "goodput>=190";
                Ok(Metric::Goodput)
            }
            Err("amplification") => {
                self.example = "amplification<=1.2";
                Ok(Metric::Amplification)
            }
            Err("") => Err(self.expected("a metric")),
            Err(other) => Err(self.unknown("metric", other, start, &METRICS)),
        }
    }

    /// `'(' name ')'`, if a parenthesis follows.
    fn subject<T>(
        &mut self,
        from_name: impl Fn(&str) -> Option<T>,
        besides: &[&'static str],
    ) -> Result<Option<T>, Error> {
        if !self.take("(") {
            return Ok(None);
        }
        self.skip_space();
        let start = self.at;
        let word = self.word();
        if word.is_empty() {
            return Err(self.expected("a class"));
        }
        let Some(subject) = from_name(word) else {
            let mut known = Class::names();
            known.extend(besides);
            return Err(self.unknown("class", word, start, &known));
        };
        if !self.take(")") {
            return Err(self.expected("`)`"));
        }
        Ok(Some(subject))
    }

    fn comparison(&mut self) -> Result<Comparison, Error> {
        // The longer operator first: `<=` also starts with `<`.
        let operators = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("=", Comparison::Equal),
        ];
        for (sign, comparison) in operators {
            if self.take(sign) {
                return Ok(comparison);
            }
        }
        Err(self.expected("one of < <= > >= ="))
    }

    /// The right-hand side, in the metric's unit.
    fn limit(&mut self, metric: Metric) -> Result<f64, Error> {
        let expected = match metric {
            Metric::Time(..) => "a duration such as `50ms`",
            Metric::Share(_) => "a percentage such as `1%`",
            Metric::Rate(_) | Metric::Goodput | Metric::Amplification => "a number",
        };
        let number = self.number(expected)?;
        match metric {
            Metric::Time(..) => {
                for (unit, factor_us) in [("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)] {
                    if self.take(unit) {
                        return Ok(number * factor_us);
                    }
                }
                Err(self.expected("a unit (us, ms or s)"))
            }
            Metric::Share(_) if self.take("%") => Ok(number / 100.0),
            // 0 % is 0 in any notation; every other bare number could mean a share or a percentage.
            Metric::Share(_) if number == 0.0 => Ok(0.0),
            Metric::Share(_) => Err(self.expected("`%`")),
            Metric::Rate(_) | Metric::Goodput | Metric::Amplification => Ok(number),
        }
    }

    fn number(&mut self, expected: &'static str) -> Result<f64, Error> {
        self.skip_space();
        let rest = self.rest();
        let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        // `f64::from_str` also takes `inf`, `nan` and exponents; the digits above exclude them.
        match rest[..length].parse::<f64>() {
            Ok(number) if number <= NUMBER_MAX => {
                self.at += length;
                Ok(number)
            }
            _ => Err(self.expected(expected)),
        }
    }

    fn word(&mut self) -> &'a str {
        self.skip_space();
        let rest = &self.expr[self.at..];
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'.';
        let length = rest.bytes().take_while(is_word).count();
        self.at += length;
        &rest[..length]
    }

    /// Takes `text` if it follows.
    fn take(&mut self, text: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'a str {
        &self.expr[self.at..]
    }

    fn column(&self, at: usize) -> usize {
        self.expr[..at].chars().count() + 1
    }

    fn expected(&mut self, expected: &'static str) -> Error {
        self.skip_space();
        let found = match self.rest().chars().next() {
            Some(character) => format!("`{}`", character.escape_debug()),
            None => "the end".to_owned(),
        };
        Error::Expected {
            expr: self.expr.to_owned(),
            expected,
            column: self.column(self.at),
            found,
            example: self.example,
        }
    }

    fn unknown(
        &self,
        kind: &'static str,
        word: &str,
        start: usize,
        known: &[&'static str],
    ) -> Error {
        let nearest = known
            .iter()
            .map(|name| (strsim::damerau_levenshtein(name, word), *name))
            .min()
            .filter(|(distance, _)| *distance <= 2)
            .map(|(_, name)| name);
        Error::Unknown {
            expr: self.expr.to_owned(),
            kind,
            word: word.to_owned(),
            column: self.column(start),
            nearest,
            example: self.example,
        }
    }
}
