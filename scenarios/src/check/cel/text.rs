//! Kubernetes' library of regular expressions, `find` and `findAll`; CEL itself has `matches`.

use cel::common::types::{CelInt, CelList, CelString};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError, add_member_overload};
use regex::{Regex, RegexBuilder};

/// The most bytes of a compiled regular expression: a few milliseconds' work.
const LARGEST: usize = 512 << 10;

pub(super) fn library(env: &mut Env) -> Result<(), DeclarationError> {
    add_member_overload!(env, fn find: (CelString<'_>, CelString<'_>) -> Result<CelString<'static>>)?;
    add_member_overload!(env, fn find_all: (CelString<'_>, CelString<'_>) -> Result<CelList<'static>>)?;
    add_member_overload!(env, fn find_some: (CelString<'_>, CelString<'_>, CelInt) -> Result<CelList<'static>>, name = "findAll")?;
    Ok(())
}

/// The regular expression, if it is one and isn't too large.
pub(super) fn regex(function: &str, pattern: &str) -> Result<Regex, ExecutionError> {
    let built = RegexBuilder::new(pattern).size_limit(LARGEST).build();
    built.map_err(|error| ExecutionError::function_error(function, format!("'{pattern}' not a valid regex:\n{error}")))
}

/// The first match, or the empty text.
fn find(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    Ok(first(&regex("find", pattern.inner())?, this.inner()))
}

fn find_all(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelList<'static>, ExecutionError> {
    find_some(this, pattern, &CelInt::from(-1))
}

/// The first matches; all, where the number is negative.
fn find_some(this: &CelString<'_>, pattern: &CelString<'_>, limit: &CelInt) -> Result<CelList<'static>, ExecutionError> {
    Ok(some(&regex("findAll", pattern.inner())?, this.inner(), *limit.inner()))
}

/// What `find` gives.
pub(super) fn first(regex: &Regex, text: &str) -> CelString<'static> {
    regex.find(text).map_or("", |found| found.as_str()).to_owned().into()
}

/// What `findAll` gives.
pub(super) fn some(regex: &Regex, text: &str, limit: i64) -> CelList<'static> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = regex.find_iter(text).take(limit);
    let found: Vec<Box<dyn Val>> = found.map(|found| Box::new(CelString::from(found.as_str().to_owned())) as Box<dyn Val>).collect();
    found.into()
}
