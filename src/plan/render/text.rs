//! Lines that fit: wrapping at words, cutting long values, colours.

/// The narrowest terminal that is laid out for.
const COLUMNS_MIN: usize = 40;

/// Colours, when they are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) on: bool,
}

impl Paint {
    /// The text in a colour of the terminal's (ECMA-48, "Select graphic rendition").
    pub(super) fn ink(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Without control characters, which a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// At most so many characters, the last of them `…` when something is left out.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// The text in lines of at most `columns`, broken at words; each line but the first starts with
/// `hang` spaces, and the first has `lead` columns taken already. Ends with a newline.
pub(super) fn wrap(text: &str, lead: usize, hang: usize, columns: usize) -> String {
    let columns = columns.max(COLUMNS_MIN);
    let mut wrapped = String::new();
    let mut column = lead;
    let mut is_fresh = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        loop {
            let length = word.chars().count();
            let space = usize::from(!is_fresh);
            if column + space + length <= columns {
                if !is_fresh {
                    wrapped.push(' ');
                }
                wrapped.push_str(word);
                column += space + length;
                is_fresh = false;
                break;
            }
            if is_fresh {
                // Longer than a line of its own.
                let room = columns - column.min(columns - 1);
                let at = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
                let (head, rest) = word.split_at(at);
                wrapped.push_str(head);
                word = rest;
            }
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(hang));
            column = hang;
            is_fresh = true;
        }
    }
    wrapped.push('\n');
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing() {
        let long = format!("a bc {} d", "x".repeat(100));
        for columns in [40, 80, 160] {
            for (lead, hang) in [(0, 0), (10, 10), (30, 12)] {
                let wrapped = wrap(&long, lead, hang, columns);
                let lengths = wrapped
                    .lines()
                    .enumerate()
                    .map(|(n, line)| line.chars().count() + if n == 0 { lead } else { 0 });
                assert!(lengths.max() <= Some(columns), "{wrapped}");
                let letters = |text: &str| text.replace([' ', '\n'], "");
                assert_eq!(letters(&wrapped), letters(&long));
            }
        }
    }

    #[test]
    fn long_values_are_cut_and_control_characters_shown() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(clean("a\x1b[31mb\n"), "a?[31mb?");
    }
}
