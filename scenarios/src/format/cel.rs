//! CEL expressions, read within bounds.
//!
//! The parser recurses deeply for every bracket and every operator of a chain, so that a text of a few hundred characters can
//! exhaust an ordinary stack. Here its work is bounded twice: by what an expression may contain, and by a stack that
//! holds all of that. Whatever compiles here can also be executed on an ordinary stack.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr};

use super::shape::shorten_to;
use crate::stack;

/// The longest expression.
const LONGEST: usize = 4096;
/// Brackets within brackets.
const MOST_BRACKETS: usize = 24;
/// Parts of the expression within parts, a chain's links included: executing one takes tens of KiB of stack in unoptimized builds.
const DEEPEST: usize = 32;
/// Operators, dots and brackets of an expression.
const MOST_OPERATORS: usize = 400;

/// Reads an expression.
///
/// # Errors
/// If it is no CEL expression, or a larger one than anyone writes.
pub fn compile(expression: &str) -> Result<cel::Program, String> {
    check_size(expression)?;
    stack::on_its_own(|| read(expression))
}

fn read(expression: &str) -> Result<cel::Program, String> {
    let program = cel::Program::compile(expression).map_err(|errors| {
        let first = errors.errors.first().map_or("it can't be read", |error| error.msg.as_str());
        // The rest lists what the grammar would have taken, by the names of its own tokens.
        let first = first.split(" expecting ").next().unwrap_or(first);
        shorten_to(&first.trim_start_matches("Syntax error: ").replace('\n', " "), 160)
    })?;
    if height(program.expression()) > DEEPEST {
        return Err(format!("it is nested more than {DEEPEST} deep"));
    }
    Ok(program)
}

/// How many parts stand within each other.
fn height(part: &IdedExpr) -> usize {
    let entry = |entry: &IdedEntryExpr| match &entry.expr {
        EntryExpr::StructField(field) => height(&field.value),
        EntryExpr::MapEntry(entry) => height(&entry.key).max(height(&entry.value)),
    };
    let below = match &part.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => 0,
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).map(height).max().unwrap_or(0),
        Expr::Select(select) => height(&select.operand),
        Expr::List(list) => list.elements.iter().map(height).max().unwrap_or(0),
        Expr::Map(map) => map.entries.iter().map(entry).max().unwrap_or(0),
        Expr::Struct(fields) => fields.entries.iter().map(entry).max().unwrap_or(0),
        Expr::Comprehension(each) => {
            let parts = [&each.iter_range, &each.accu_init, &each.loop_cond, &each.loop_step, &each.result];
            parts.into_iter().map(height).max().unwrap_or(0)
        }
    };
    below + 1
}

fn check_size(expression: &str) -> Result<(), String> {
    if expression.len() > LONGEST {
        return Err(format!("it has {} bytes; {LONGEST} are the most", expression.len()));
    }
    let (mut depth, mut operators) = (0usize, 0usize);
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                operators += 1;
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'!' | b'?' | b'&' | b'|' | b'.' => operators += 1,
            _ => {}
        }
        if depth > MOST_BRACKETS {
            return Err(format!("its brackets stand more than {MOST_BRACKETS} deep"));
        }
    }
    if operators > MOST_OPERATORS {
        return Err(format!("it has more than {MOST_OPERATORS} operators"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compiles_can_be_executed_on_an_ordinary_stack() {
        let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(MOST_BRACKETS), close.repeat(MOST_BRACKETS));
        let chain = |part: &str, by: &str, bytes: usize| vec![part; MOST_OPERATORS / bytes].join(by);
        for expression in [
            nested("(", ")"),
            nested("[", "]"),
            nested("{1: ", "}"),
            nested("size(", ")"),
            nested("-(", ")"),
            format!("{}true{}", "[1].all(x, ".repeat(MOST_BRACKETS), ")".repeat(MOST_BRACKETS)),
            chain("1", " + ", 1),
            vec!["1"; DEEPEST].join(" + "),
            format!("a{}", ".b()".repeat(DEEPEST - 1)),
            format!("a{}", "[0]".repeat(DEEPEST - 1)),
            format!("{}1{}", "[1].all(x, ".repeat(10), ")".repeat(10)),
            chain("true", " && ", 2),
            format!("a{}", ".b".repeat(MOST_OPERATORS)),
            format!("a{}", "[0]".repeat(MOST_OPERATORS)),
            format!("{}true", "!".repeat(MOST_OPERATORS)),
            format!("{}c", "a ? b : ".repeat(MOST_OPERATORS)),
            format!("{}{}", "a.b(c".repeat(MOST_BRACKETS), "(".repeat(MOST_BRACKETS)),
        ] {
            if let Ok(program) = compile(&expression) {
                let _any_result = program.execute(&cel::Context::default());
            }
        }
    }

    #[test]
    fn more_than_anyone_writes_is_refused() {
        assert!(compile("object.status.members.size() == 3 && has(object.spec)").is_ok());
        assert!(compile(&"(".repeat(2000)).is_err());
        assert!(compile(&"1+".repeat(2000)).is_err());
        assert!(compile(&" ".repeat(5000)).is_err());
    }
}
