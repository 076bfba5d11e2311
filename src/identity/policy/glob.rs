//! Wildcard matching without backtracking: all states of the pattern at once, O(pattern * text).
//!
//! A pattern is a list of [`Token`]s instead of text because policy variables put characters into
//! it that must not act as wildcards.

/// One position of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// This character.
    Char(char),
    /// `?`: any one character; a colon only where `colon` says so.
    One { colon: bool },
    /// `*`: any run of characters, also none; over colons only where `colon` says so.
    Many { colon: bool },
}

impl Token {
    fn takes(self, c: char) -> bool {
        match self {
            Self::Char(own) => own == c,
            Self::One { colon } | Self::Many { colon } => colon || c != ':',
        }
    }
}

/// Whether the whole text is in the pattern's language.
pub(super) fn matches(pattern: &[Token], text: impl IntoIterator<Item = char>) -> bool {
    let mut states = Vec::with_capacity(4);
    let mut next = Vec::with_capacity(4);
    enter(pattern, 0, &mut states);
    for c in text {
        next.clear();
        for &state in &states {
            match pattern.get(state) {
                Some(token @ Token::Many { .. }) if token.takes(c) => {
                    enter(pattern, state, &mut next)
                }
                Some(token @ (Token::Char(_) | Token::One { .. })) if token.takes(c) => {
                    enter(pattern, state + 1, &mut next);
                }
                _ => {}
            }
        }
        std::mem::swap(&mut states, &mut next);
        if states.is_empty() {
            return false;
        }
    }
    states.last() == Some(&pattern.len())
}

/// Adds a state and those reached from it by an empty `*`. States come in ascending order, so a
/// state already there is the last one or before it.
fn enter(pattern: &[Token], from: usize, states: &mut Vec<usize>) {
    let mut state = from;
    loop {
        if states.last().is_none_or(|last| *last < state) {
            states.push(state);
        }
        if !matches!(pattern.get(state), Some(Token::Many { .. })) {
            return;
        }
        state += 1;
    }
}

/// What each wildcard of the pattern stands for in the text, the earlier ones as short as can be;
/// `None` if the text does not match.
pub(super) fn captures(pattern: &[Token], text: &str) -> Option<Vec<String>> {
    let text: Vec<char> = text.chars().collect();
    let (rows, columns) = (pattern.len() + 1, text.len() + 1);
    // Whether the pattern from `row` on matches the text from `column` on.
    let mut rest = vec![false; rows * columns];
    rest[rows * columns - 1] = true;
    for row in (0..pattern.len()).rev() {
        for column in (0..columns).rev() {
            let token = pattern[row];
            let taken = text.get(column).is_some_and(|c| token.takes(*c));
            rest[row * columns + column] = match token {
                Token::Many { .. } => {
                    rest[(row + 1) * columns + column] || taken && rest[row * columns + column + 1]
                }
                _ => taken && rest[(row + 1) * columns + column + 1],
            };
        }
    }
    if !rest[0] {
        return None;
    }
    let (mut found, mut column) = (Vec::new(), 0);
    for (row, token) in pattern.iter().enumerate() {
        let start = column;
        match token {
            Token::Many { .. } => {
                while !rest[(row + 1) * columns + column] {
                    column += 1;
                }
            }
            _ => column += 1,
        }
        if !matches!(token, Token::Char(_)) {
            found.push(text[start..column].iter().collect());
        }
    }
    Some(found)
}
