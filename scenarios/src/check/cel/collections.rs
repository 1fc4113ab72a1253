//! Kubernetes' library of lists: `isSorted`, `sum`, `min`, `max`, `indexOf`, `lastIndexOf`.

use std::cmp::Ordering;

use cel::common::types::{CelBool, CelInt, CelList, CelString, DYN_TYPE, LIST_TYPE, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::value::unexpected;

/// The function that sorts out the objects of one namespace. CEL's syntax has no such name, so no expression calls it.
pub(super) const IN_NAMESPACE: &str = "@inNamespace";

pub(super) fn library(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_member_overload("isSorted", "list.isSorted()", LIST_TYPE, vec![], is_sorted)?;
    env.add_member_overload("sum", "list.sum()", LIST_TYPE, vec![], sum)?;
    env.add_member_overload("min", "list.min()", LIST_TYPE, vec![], min)?;
    env.add_member_overload("max", "list.max()", LIST_TYPE, vec![], max)?;
    env.add_member_overload("indexOf", "list.indexOf(dyn)", LIST_TYPE, vec![DYN_TYPE], index_of)?;
    env.add_member_overload("lastIndexOf", "list.lastIndexOf(dyn)", LIST_TYPE, vec![DYN_TYPE], last_index_of)?;
    env.add_overload(IN_NAMESPACE, "in_namespace", vec![LIST_TYPE, STRING_TYPE], in_namespace)
}

/// The items of the list that a function is called on.
fn items<'a, 'v>(args: &'a [CowVal<'_, 'v>]) -> Result<&'a [Box<dyn Val + 'v>], ExecutionError> {
    let this = args.first().ok_or_else(|| ExecutionError::invalid_argument_count(1, 0))?;
    let list = this.downcast_ref::<CelList<'v>>().ok_or_else(|| unexpected(this.as_ref(), "list"))?;
    Ok(list.inner())
}

fn compare(a: &dyn Val, b: &dyn Val) -> Result<Ordering, ExecutionError> {
    a.as_comparer().ok_or_else(|| unexpected(a, "comparable"))?.compare(b)
}

fn is_sorted<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    for pair in items(&args)?.windows(2) {
        if compare(pair[0].as_ref(), pair[1].as_ref())? == Ordering::Greater {
            return Ok(CowVal::owned(CelBool::from(false)));
        }
    }
    Ok(CowVal::owned(CelBool::from(true)))
}

fn sum<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let items = items(&args)?;
    let Some((first, rest)) = items.split_first() else { return Ok(CowVal::owned(CelInt::from(0))) };
    let mut total: Box<dyn Val + 'v> = first.clone_as_boxed();
    if total.downcast_ref::<CelString<'v>>().is_some() || total.as_adder().is_none() {
        return Err(unexpected(total.as_ref(), "number or duration"));
    }
    for item in rest {
        let adder = total.as_adder().ok_or_else(|| unexpected(total.as_ref(), "number or duration"))?;
        let next = adder.add(item.as_ref())?.into_owned();
        total = next;
    }
    Ok(CowVal::Owned(total))
}

fn min<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    extreme("min", &args, Ordering::Less)
}

fn max<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    extreme("max", &args, Ordering::Greater)
}

/// The first item that stands so to all others.
fn extreme<'b, 'v>(function: &str, args: &[CowVal<'b, 'v>], wanted: Ordering) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (first, rest) = items(args)?.split_first().ok_or_else(|| ExecutionError::function_error(function, "the list is empty"))?;
    let mut best = first;
    for item in rest {
        if compare(item.as_ref(), best.as_ref())? == wanted {
            best = item;
        }
    }
    Ok(CowVal::Owned(best.clone_as_boxed()))
}

fn index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let wanted = args.get(1).ok_or_else(|| ExecutionError::invalid_argument_count(2, args.len()))?;
    Ok(index(items(&args)?.iter().position(|item| item.equals(wanted.as_ref()))))
}

fn last_index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let wanted = args.get(1).ok_or_else(|| ExecutionError::invalid_argument_count(2, args.len()))?;
    Ok(index(items(&args)?.iter().rposition(|item| item.equals(wanted.as_ref()))))
}

/// The index, or -1 for none.
fn index<'b, 'v>(at: Option<usize>) -> CowVal<'b, 'v> {
    CowVal::owned(CelInt::from(at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

fn in_namespace<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let wanted = args.get(1).ok_or_else(|| ExecutionError::invalid_argument_count(2, args.len()))?;
    let lies_in = |object: &(dyn Val + 'v)| {
        let field = |value: &(dyn Val + 'v), field: &'static str| {
            value.as_indexer().and_then(|fields| fields.get(&CelString::from(field)).ok().map(CowVal::into_owned))
        };
        let namespace = field(object, "metadata").and_then(|metadata| field(metadata.as_ref(), "namespace"));
        namespace.is_some_and(|namespace| namespace.equals(wanted.as_ref()))
    };
    let found: Vec<Box<dyn Val + 'v>> =
        items(&args)?.iter().filter(|object| lies_in(object.as_ref())).map(|object| object.clone_as_boxed()).collect();
    Ok(CowVal::owned(CelList::from(found)))
}
