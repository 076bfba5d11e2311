//! Text that came from elsewhere (URLs, replies, header values), made fit to be shown.
//!
//! # Invariants
//! No control or direction-changing character reaches a terminal or a page; nothing is longer than
//! [`TEXT_CHARS_MAX`]. Escaping for a format is that format's own.

/// The longest text shown, in characters.
pub const TEXT_CHARS_MAX: usize = 300;

/// One line without control or direction-changing characters, cut at [`TEXT_CHARS_MAX`].
pub fn clean(text: &str) -> String {
    let mut clean = String::new();
    for (index, character) in text.trim().chars().enumerate() {
        if index == TEXT_CHARS_MAX {
            clean.push('…');
            break;
        }
        clean.push(match character {
            '\n' | '\r' | '\t' => ' ',
            character if is_unsafe(character) => '\u{fffd}',
            character => character,
        });
    }
    clean
}

/// A URL without user information, fragment and the values of its query, which may be secrets
/// (`?api_key=…`, presigned signatures). Text that is no such URL loses what stands where they do.
pub fn without_secrets(target: &str) -> String {
    let url = url::Url::parse(target).ok().filter(|url| !url.cannot_be_a_base());
    let Some(mut url) = url else { return clean(&cut_like_a_url(target)) };
    // Both fail only for URLs that cannot have user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    url.set_query(None);
    let mut shown = url.to_string();
    for (index, name) in names.iter().enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        shown.push_str(name);
        shown.push_str("=…");
    }
    clean(&shown)
}

/// Everything between the scheme and the last `@`, and from the first `?` after it, cut out.
fn cut_like_a_url(text: &str) -> String {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let scheme_end = match text.split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => scheme.len() + "://".len(),
        _ => 0,
    };
    let (scheme, mut rest) = text.split_at(scheme_end);
    let mut shown = scheme.to_owned();
    if let Some((_, after)) = rest.rsplit_once('@') {
        shown.push_str("…@");
        rest = after;
    }
    match rest.split_once('?') {
        Some((before, _)) => shown.extend([before, "?…"]),
        None => shown.push_str(rest),
    }
    shown
}

/// Controls, and the characters that reorder text around them (Unicode TR9).
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_and_direction_tricks_are_neutralised() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\u{7}"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(clean(" one\nline\r\n"), "one line");
        assert_eq!(clean(&"x".repeat(400)).chars().count(), TEXT_CHARS_MAX + 1);
    }

    #[test]
    fn urls_lose_what_may_be_secret() {
        let cases = [
            ("http://u:p@h:3000/prod/predict", "http://h:3000/prod/predict"),
            ("https://h/p?X-Amz-Signature=abc&v#frag", "https://h/p?X-Amz-Signature=…&v=…"),
            ("iris (local twin)", "iris (local twin)"),
            ("http://u:p@[bad/a?b=c", "http://…@[bad/a?…"),
            ("u:p@host:3000/", "…@host:3000/"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
