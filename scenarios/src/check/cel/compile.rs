//! From an expression's text to a syntax tree that can be evaluated.
//!
//! The parser is `cel`'s. The tree is then walked once: names and functions that don't exist are refused, so that a slip
//! shows when the file is read and not as a check that never holds; `objects(…)` becomes a variable; each comprehension
//! asks for its items through one function, which sorts and counts them; and whatever makes values larger is counted.

use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::{Context, Env, ExecutionError, IdedExpr};

use super::room::{BUILT, LOOKED_FOR, PIECES, REPLACED, SEARCHED, USED, WALK};
use super::{Expression, Query, bounds};
use crate::stack;

/// What the qualified names of functions and types begin with.
const NAMESPACES: [&str; 6] = ["google", "ip", "kubernetes", "net", "optional", "strings"];

pub(super) fn compile(source: &str, env: &Arc<Env>) -> Result<Expression, String> {
    bounds::check(source)?;
    stack::on_its_own(|| read(source, env))
}

fn read(source: &str, env: &Arc<Env>) -> Result<Expression, String> {
    let mut program = env.parser().parse(source).map_err(|errors| {
        let first = errors.errors.first();
        first.map_or_else(|| "it doesn't parse".to_owned(), |error| format!("column {}: {}", error.pos.1, error.msg))
    })?;
    let mut compiler = Compiler { names: Context::with_env(env.clone()), bound: Vec::new(), queries: Vec::new(), uses_self: false };
    compiler.walk(&mut program)?;
    Ok(Expression { source: source.to_owned(), program, queries: compiler.queries, uses_self: compiler.uses_self })
}

struct Compiler {
    /// A context without variables, to ask what is declared.
    names: Context<'static, 'static>,
    /// The variables of the comprehensions around.
    bound: Vec<String>,
    queries: Vec<Query>,
    uses_self: bool,
}

impl Compiler {
    fn walk(&mut self, node: &mut IdedExpr) -> Result<(), String> {
        match &mut node.expr {
            Expr::Unspecified => Err("an expression is expected".to_owned()),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                self.uses_self |= name == "self";
                self.check_name(name)
            }
            Expr::Select(select) if !select.test && is_qualified(&select.operand.expr) => self.check_type(&node.expr),
            Expr::Select(select) => self.walk(&mut select.operand),
            Expr::Call(call) if call.target.is_none() && call.func_name == "objects" => {
                node.expr = self.query(call)?;
                if matches!(node.expr, Expr::Call(_)) {
                    wrap(node, BUILT);
                }
                Ok(())
            }
            Expr::Call(call) => {
                self.check_function(call)?;
                match &mut call.target {
                    Some(target) if !is_qualified(&target.expr) || self.bound.iter().any(|name| is_ident(&target.expr, name)) => {
                        self.walk(target)?;
                    }
                    _ => {}
                }
                self.walk_all(&mut call.args)?;
                count_call(node);
                Ok(())
            }
            Expr::List(list) => {
                self.walk_all(&mut list.elements)?;
                list.elements.iter_mut().for_each(count_copy);
                Ok(())
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.walk(&mut entry.key)?;
                        self.walk(&mut entry.value)?;
                        count_copy(&mut entry.value);
                    }
                }
                Ok(())
            }
            Expr::Struct(literal) => Err(format!("there are no values of type `{}` to make", literal.type_name)),
            Expr::Comprehension(comprehension) => {
                self.walk(&mut comprehension.iter_range)?;
                self.walk(&mut comprehension.accu_init)?;
                let range = std::mem::take(&mut comprehension.iter_range);
                comprehension.iter_range = call(range.id, WALK, vec![range]);
                let outer = self.bound.len();
                self.bound.push(comprehension.accu_var.clone());
                self.bound.push(comprehension.iter_var.clone());
                self.bound.extend(comprehension.iter_var2.clone());
                self.walk(&mut comprehension.loop_cond)?;
                self.walk(&mut comprehension.loop_step)?;
                self.walk(&mut comprehension.result)?;
                self.bound.truncate(outer);
                Ok(())
            }
        }
    }

    fn walk_all(&mut self, nodes: &mut [IdedExpr]) -> Result<(), String> {
        nodes.iter_mut().try_for_each(|node| self.walk(node))
    }

    /// The variable that stands for a call of `objects(…)`. A namespace that only the evaluation knows is sorted out then.
    fn query(&mut self, call_expr: &mut CallExpr) -> Result<Expr, String> {
        let usage = "`objects` takes a kind as text, and a namespace: objects('VirtualMachine', 'my-namespace')";
        let mut args = std::mem::take(&mut call_expr.args).into_iter();
        let kind = args.next().and_then(|kind| literal_text(&kind.expr)).ok_or(usage)?;
        let namespace = args.next();
        if args.next().is_some() {
            return Err(usage.to_owned());
        }
        let literal = namespace.as_ref().map(|namespace| literal_text(&namespace.expr));
        let query = Query { kind, namespace: literal.clone().flatten() };
        let variable = Expr::Ident(query.variable());
        if !self.queries.contains(&query) {
            self.queries.push(query);
        }
        match (namespace, literal) {
            (Some(mut namespace), Some(None)) => {
                self.walk(&mut namespace)?;
                let all = IdedExpr { id: namespace.id, expr: variable };
                Ok(call(namespace.id, super::collections::IN_NAMESPACE, vec![all, namespace]).expr)
            }
            _ => Ok(variable),
        }
    }

    fn check_name(&self, name: &str) -> Result<(), String> {
        let known = matches!(name, "object" | "self") || self.bound.iter().any(|bound| bound == name);
        if known || self.is_declared(&Expr::Ident(name.to_owned())) {
            return Ok(());
        }
        Err(format!("nothing is named `{name}`; there are `object`, `self` and `objects(…)`"))
    }

    fn check_type(&self, name: &Expr) -> Result<(), String> {
        if self.is_declared(name) { Ok(()) } else { Err("there is no such type".to_owned()) }
    }

    fn check_function(&self, call: &CallExpr) -> Result<(), String> {
        if !call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(());
        }
        let target = call.target.as_ref().map(|target| {
            let target = if is_qualified(&target.expr) { target.expr.clone() } else { Expr::Literal(LiteralValue::Null) };
            Box::new(IdedExpr { id: 0, expr: target })
        });
        let asked = Expr::Call(CallExpr { func_name: call.func_name.clone(), target, args: Vec::new() });
        if self.is_declared(&asked) {
            return Ok(());
        }
        Err(format!("there is no function `{}`", call.func_name))
    }

    /// Asks the library by evaluation: only what isn't declared is undeclared, whatever else fails.
    fn is_declared(&self, expr: &Expr) -> bool {
        let asked = IdedExpr { id: 0, expr: expr.clone() };
        !matches!(cel::Value::resolve_val(&asked, &self.names), Err(ExecutionError::UndeclaredReference(_)))
    }
}

/// Counts what a call looks through and what it makes, and puts functions that keep to the room in the place of those that don't.
fn count_call(node: &mut IdedExpr) {
    let Expr::Call(called) = &mut node.expr else { return };
    let is_word = called.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_word || [operators::EQUALS, operators::NOT_EQUALS, operators::IN].contains(&called.func_name.as_str()) {
        let target = called.target.as_deref_mut().filter(|target| !is_qualified(&target.expr));
        target.into_iter().chain(&mut called.args).filter(|arg| !matches!(arg.expr, Expr::Literal(_))).for_each(|arg| wrap(arg, USED));
    }
    match (called.func_name.as_str(), &mut called.target, called.args.first_mut()) {
        ("split", Some(target), _) => wrap(target, PIECES),
        ("indexOf" | "lastIndexOf", Some(target), Some(looked_for)) => {
            wrap(target, SEARCHED);
            wrap(looked_for, LOOKED_FOR);
        }
        _ => {}
    }
    if let Some((_, ours)) = REPLACED.iter().find(|(name, _)| *name == called.func_name) {
        let target = called.target.take().map(|target| *target);
        let args = target.into_iter().chain(std::mem::take(&mut called.args)).collect();
        node.expr = call(node.id, ours, args).expr;
        return;
    }
    // What `map` and `filter` append to is counted item by item; the shape of the sum lets `cel` append in place.
    let appends = called.args.first().is_some_and(|first| matches!(&first.expr, Expr::Ident(name) if name == "@result"));
    if is_word || (called.func_name == operators::ADD && !appends) {
        wrap(node, BUILT);
    }
}

/// Counts what is copied into a list or a mapping.
fn count_copy(node: &mut IdedExpr) {
    let counted = matches!(&node.expr, Expr::Literal(_)) || matches!(&node.expr, Expr::Call(call) if call.func_name == BUILT);
    if !counted {
        wrap(node, BUILT);
    }
}

fn wrap(node: &mut IdedExpr, function: &str) {
    let inner = std::mem::take(node);
    *node = call(inner.id, function, vec![inner]);
}

fn call(id: u64, function: &str, args: Vec<IdedExpr>) -> IdedExpr {
    IdedExpr { id, expr: Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args }) }
}

fn literal_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

fn is_ident(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Ident(ident) if ident == name)
}

/// Whether the expression is a namespace of functions and types, or lies in one.
fn is_qualified(expr: &Expr) -> bool {
    match expr {
        Expr::Ident(name) => NAMESPACES.contains(&name.as_str()),
        Expr::Select(select) => !select.test && is_qualified(&select.operand.expr),
        _ => false,
    }
}
