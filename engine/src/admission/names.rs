//! What VM Operator takes for the name of a host and of a domain.
//!
//! Mirrors: vm-operator `pkg/util`, `IsValidHostName`, `IsValidDomainName`.

use vmtwin_model::kube::labels::SUBDOMAIN_BYTES_MAX;

/// Whether a text is a host name: one label of letters of any script, digits, symbols, and dashes inside.
pub(super) fn is_host_label(label: &str) -> bool {
    let characters = label.chars().count();
    (1..=63).contains(&characters)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c == '-' || c.is_alphanumeric() || is_symbol(c))
}

/// Whether a text is a domain name: labels, the last of them a plain one of at least two characters.
pub(super) fn is_domain_name(name: &str) -> bool {
    let Some((rest, top)) = name.rsplit_once('.') else { return name.len() <= SUBDOMAIN_BYTES_MAX && is_top_level(name) };
    name.len() <= SUBDOMAIN_BYTES_MAX && rest.split('.').all(is_host_label) && is_top_level(top)
}

fn is_top_level(label: &str) -> bool {
    (2..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether a character is a symbol in Unicode's sense (category S): the ASCII and Latin-1 ones exactly, beyond them by block.
fn is_symbol(c: char) -> bool {
    matches!(c,
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~'
        | '\u{a2}'..='\u{a6}' | '\u{a8}' | '\u{a9}' | '\u{ac}' | '\u{ae}'..='\u{b1}' | '\u{b4}' | '\u{b8}' | '\u{d7}' | '\u{f7}'
        | '\u{20a0}'..='\u{20cf}' | '\u{2100}'..='\u{214f}' | '\u{2190}'..='\u{23ff}' | '\u{2500}'..='\u{2767}'
        | '\u{2794}'..='\u{27bf}' | '\u{2900}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_may_have_any_script_and_symbols_but_no_punctuation() {
        for good in ["web-1", "Größe", "主机", "☃", "🙂", "a+b"] {
            assert!(is_host_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "a.b", "a b", "a/b"] {
            assert!(!is_host_label(bad), "{bad}");
        }
        assert!(!is_host_label(&"a".repeat(64)));
    }

    #[test]
    fn a_domain_name_ends_in_a_plain_label() {
        for good in ["local", "example.com", "größe.example.xn--p1ai"] {
            assert!(is_domain_name(good), "{good}");
        }
        for bad in ["c", "example.c", "example.☃☃", "-a.com", "a..com", "a_b.com"] {
            assert!(!is_domain_name(bad), "{bad}");
        }
    }
}
