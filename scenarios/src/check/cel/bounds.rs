//! How deep an expression would be nested, read off its text.
//!
//! The parser of `cel` recurses with its input and has a limit for brackets alone, which comes too late and knows nothing of
//! long chains of operators. So the depth is estimated before anything is parsed; estimating loops, and doesn't recurse.

/// How much a bracket, an operator and a selector add to the depth; roughly their shares of the parser's stack.
const BRACKET: usize = 16;
const OPERATOR: usize = 4;
const SELECTOR: usize = 1;

/// The depth that is allowed: forty brackets in one another, or a hundred and sixty operators in one chain.
const DEPTH: usize = 640;

/// What is known of the text between two brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    /// The operators of the chain under way.
    chain: usize,
    /// The deepest brackets in that chain.
    inner: usize,
    /// The deepest chain that ended.
    deepest: usize,
}

impl Level {
    fn end_chain(&mut self) {
        self.deepest = self.deepest.max(self.chain + self.inner);
        (self.chain, self.inner) = (0, 0);
    }
}

/// Refuses a text that would be nested too deep.
pub(super) fn check(source: &str) -> Result<(), String> {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    let bytes = source.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = end_of_text(bytes, at);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len() - at);
                continue;
            }
            b'(' | b'[' | b'{' => {
                level.chain += OPERATOR;
                outer.push(std::mem::take(&mut level));
            }
            b')' | b']' | b'}' => {
                // What closes nothing is for the parser to refuse.
                if let Some(around) = outer.pop() {
                    level.end_chain();
                    let inner = BRACKET + level.deepest;
                    level = around;
                    level.inner = level.inner.max(inner);
                }
            }
            // Both sides of these are balanced by the parser, or apart from each other.
            b',' | b'&' | b'|' => level.end_chain(),
            b'.' => level.chain += SELECTOR,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'!' | b'?' => level.chain += OPERATOR,
            b'i' if bytes[at..].starts_with(b"in") && !is_word(bytes, at.wrapping_sub(1)) && !is_word(bytes, at + 2) => {
                level.chain += OPERATOR
            }
            _ => {}
        }
        let open = outer.len() * BRACKET;
        if open + level.chain + level.inner > DEPTH {
            return Err("the expression is nested too deep".to_owned());
        }
        at += 1;
    }
    level.end_chain();
    if level.deepest > DEPTH { Err("the expression is nested too deep".to_owned()) } else { Ok(()) }
}

fn is_word(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Where the text that begins here ends.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let raw = start > 0
        && matches!(bytes[start - 1], b'r' | b'R')
        && !(start > 1 && is_word(bytes, start - 2) && !matches!(bytes[start - 2], b'b' | b'B'));
    let mut at = start + if triple { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if !raw => at += 2,
            byte if byte == quote && !triple => return at + 1,
            byte if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_allowed() {
        for source in [
            "(object.status.members.filter(m, has(m.powerState) && m.powerState == 'PoweredOn').size() <= 6)",
            "(objects('VirtualMachine').all(a, objects('VirtualMachine').all(b, a.metadata.uid != b.metadata.uid || a == b)))",
            "(a.b.c + a.b.c + a.b.c + a.b.c + a.b.c + a.b.c + a.b.c + a.b.c + a.b.c + a.b.c + a.b.c + a.b.c == d.e.f ? 1 : 2)",
        ] {
            assert_eq!(check(source), Ok(()), "{source}");
        }
        assert_eq!(check(&format!("({}true)", "a.b.c == d.e && ".repeat(600))), Ok(()), "conditions side by side aren't nested");
        assert_eq!(check(&format!("[{}1]", "f(1), ".repeat(1500))), Ok(()), "neither are items");
    }

    #[test]
    fn each_way_of_nesting_has_its_end() {
        let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(4000), close.repeat(4000));
        for source in [
            deep("(", ")"),
            deep("[", "]"),
            deep("{1: ", "}"),
            deep("!(", ")"),
            deep("f(", ")"),
            deep("[1].map(x, ", ")"),
            deep("true ? 1 : ", ""),
            deep("!", ""),
            deep("-", ""),
            deep("", "+1"),
            deep("", ".a"),
            deep("", ".f()"),
            deep("", "[0]"),
            deep("", " in a"),
            deep("(", ""),
            deep("(1+1+1+1+1+", ")"),
            deep("(", "+1+1+1+1+1)"),
        ] {
            assert!(check(&source).is_err(), "{}", &source[..40]);
        }
    }

    #[test]
    fn brackets_and_operators_in_texts_and_comments_count_for_nothing() {
        let noise = "([{+".repeat(500);
        for source in [
            format!("'{noise}'"),
            format!("\"{noise}\""),
            format!("'''{noise}'\"{noise}'''"),
            format!("'\\'{noise}'"),
            format!("r'{noise}\\'"),
            format!("1 // {noise}\n"),
            format!("'it''s' // don't {noise}"),
        ] {
            assert_eq!(check(&source), Ok(()), "{}", &source[..12]);
        }
        assert!(check(&format!("'\\\\'{noise}")).is_err(), "the text ends after an escaped backslash");
        assert!(check(&format!("r'\\'{noise}")).is_err(), "a raw text knows no escapes");
    }

    #[test]
    fn brackets_that_close_nothing_are_the_parser_s_matter() {
        assert_eq!(check(&")".repeat(5000)), Ok(()));
        assert_eq!(check("'unfinished"), Ok(()));
        assert_eq!(check("\\"), Ok(()));
        assert_eq!(check("'\\"), Ok(()));
    }
}
