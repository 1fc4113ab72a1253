//! From bytes to text: UTF-8, without what no YAML may contain.

use std::sync::Arc;

use super::Limits;
use crate::diagnostics::{Code, Diagnostic, Place, SourceFile, offset};

/// The text of a file.
///
/// # Errors
/// If it is too large, isn't UTF-8, or contains characters that YAML excludes.
pub fn decode(name: &str, bytes: &[u8], limits: &Limits) -> Result<SourceFile, Box<Diagnostic>> {
    let refuse = |code, text: String, start: usize, message: String| {
        let file = Arc::new(SourceFile::new(name, text));
        let start = offset(start);
        Err(Box::new(Diagnostic::new(code, Place { file, start, end: start }, message)))
    };
    if bytes.len() > limits.bytes {
        let message = format!("the file has {} bytes; {} are the most", bytes.len(), limits.bytes);
        return refuse(Code::TooLarge, String::new(), 0, message);
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return refuse(Code::Encoding, String::new(), 0, "the file is UTF-16: save it as UTF-8".to_owned());
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let message = format!("the byte {:#04x} is not UTF-8", bytes[error.valid_up_to()]);
            return refuse(Code::Encoding, valid, error.valid_up_to(), message);
        }
    };
    if let Some((at, odd)) = text.char_indices().find(|(_, c)| excluded(*c)) {
        let message = format!("the character U+{:04X} may not stand in a YAML file", u32::from(odd));
        return refuse(Code::Encoding, text.to_owned(), at, message);
    }
    Ok(SourceFile::new(name, text))
}

/// Whether YAML excludes the character from its texts.
fn excluded(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8]) -> Option<Code> {
        decode("a.yaml", bytes, &Limits::default()).err().map(|diagnostic| diagnostic.code)
    }

    #[test]
    fn only_utf8_without_control_characters_is_text() {
        assert_eq!(code(b"\xef\xbb\xbfa: 1\n"), None, "a byte order mark is left out");
        assert_eq!(code(b"\xff\xfea\0"), Some(Code::Encoding));
        assert_eq!(code(b"a: \0"), Some(Code::Encoding));
        assert_eq!(code(b"a: \x80"), Some(Code::Encoding));
        assert_eq!(code(&vec![b'#'; (16 << 20) + 1]), Some(Code::TooLarge));
    }
}
