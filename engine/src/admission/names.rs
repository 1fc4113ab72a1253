//! What Kubernetes and RFC 1123 take for a name.
//!
//! Mirrors: k8s.io/apimachinery `pkg/util/validation`, `IsDNS1123Subdomain`; vm-operator `pkg/util`, `IsValidHostName`,
//! `IsValidDomainName`.

const SUBDOMAIN_BYTES_MAX: usize = 253;
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and \
     end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Why a text is no DNS subdomain, in Kubernetes' words; nothing if it is one.
pub(super) fn subdomain_errors(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > SUBDOMAIN_BYTES_MAX {
        errors.push(format!("must be no more than {SUBDOMAIN_BYTES_MAX} characters"));
    }
    if !name.split('.').all(is_lower_label) {
        errors.push(SUBDOMAIN.to_owned());
    }
    errors
}

fn is_lower_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = label.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    plain(first) && plain(last) && bytes.iter().all(|&byte| plain(byte) || byte == b'-')
}

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
    fn a_subdomain_is_made_of_lower_case_labels() {
        for good in ["a", "my-vm", "a.b-c.d1", "1"] {
            assert_eq!(subdomain_errors(good), Vec::<String>::new(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", "é"] {
            assert_eq!(subdomain_errors(bad).len(), 1, "{bad}");
        }
        assert_eq!(subdomain_errors(&"a".repeat(254)), ["must be no more than 253 characters"]);
    }

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
