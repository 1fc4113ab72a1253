//! Kubernetes' library of regular expressions, `find` and `findAll`; CEL itself has `matches`.

use cel::common::types::{CelInt, CelList, CelString};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError, add_member_overload};
use regex::Regex;

pub(super) fn library(env: &mut Env) -> Result<(), DeclarationError> {
    add_member_overload!(env, fn find: (CelString<'_>, CelString<'_>) -> Result<CelString<'static>>)?;
    add_member_overload!(env, fn find_all: (CelString<'_>, CelString<'_>) -> Result<CelList<'static>>)?;
    add_member_overload!(env, fn find_some: (CelString<'_>, CelString<'_>, CelInt) -> Result<CelList<'static>>, name = "findAll")?;
    Ok(())
}

fn regex(function: &str, pattern: &CelString<'_>) -> Result<Regex, ExecutionError> {
    Regex::new(pattern.inner()).map_err(|error| ExecutionError::function_error(function, error))
}

/// The first match, or the empty text.
fn find(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    let regex = regex("find", pattern)?;
    Ok(regex.find(this.inner()).map_or("", |found| found.as_str()).to_owned().into())
}

fn find_all(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelList<'static>, ExecutionError> {
    find_some(this, pattern, &CelInt::from(-1))
}

/// The first matches; all, where the number is negative.
fn find_some(this: &CelString<'_>, pattern: &CelString<'_>, limit: &CelInt) -> Result<CelList<'static>, ExecutionError> {
    let regex = regex("findAll", pattern)?;
    let limit = usize::try_from(*limit.inner()).unwrap_or(usize::MAX);
    let found: Vec<Box<dyn Val>> = regex
        .find_iter(this.inner())
        .take(limit)
        .map(|found| Box::new(CelString::from(found.as_str().to_owned())) as Box<dyn Val>)
        .collect();
    Ok(found.into())
}
