//! Filling in a template.

/// The template with every `{{name}}` replaced; what is filled in is not looked at again. GitHub's
/// own `${{ expression }}`, which has a space behind the braces, stays.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        let named = after[2..].split_once("}}").and_then(|(name, behind)| {
            let value = values.iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| (value, behind))
        });
        match named {
            Some((value, behind)) => {
                text.push_str(value);
                rest = behind;
            }
            None => {
                text.push_str("{{");
                rest = &after[2..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_once_and_expressions_stay() {
        let values = [("a", "{{b}}".to_owned()), ("b", "2".to_owned())];
        assert_eq!(fill("{{a}} {{b}} ${{ a }} {{c}} {{", &values), "{{b}} 2 ${{ a }} {{c}} {{");
    }
}
