//! Kubernetes' library of quantities: `quantity('10Gi').isGreaterThan(quantity('1G'))`.

use std::cmp::Ordering;
use std::fmt;

use cel::common::traits::Comparer;
use cel::common::types::{CelBool, CelDouble, CelInt, CelString};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError, add_member_overload, add_overload};

use super::value::{cel_value, ordered};
use crate::check::quantity::Quantity;

/// A quantity as a value of CEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CelQuantity(Quantity);

cel_value!(CelQuantity, "kubernetes.Quantity", {
    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }
});

impl Comparer for CelQuantity {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        ordered(self, other)
    }
}

impl fmt::Display for CelQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(super) fn library(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(CelQuantity::cel_type().to_owned())?;
    add_overload!(env, fn quantity: (CelString<'_>) -> Result<CelQuantity>)?;
    add_overload!(env, fn is_quantity: (CelString<'_>) -> CelBool)?;
    add_member_overload!(env, fn sign: (CelQuantity) -> CelInt)?;
    add_member_overload!(env, fn is_integer: (CelQuantity) -> CelBool)?;
    add_member_overload!(env, fn as_integer: (CelQuantity) -> Result<CelInt>)?;
    add_member_overload!(env, fn as_approximate_float: (CelQuantity) -> Result<CelDouble>)?;
    add_member_overload!(env, fn compare_to: (CelQuantity, CelQuantity) -> CelInt)?;
    add_member_overload!(env, fn is_less_than: (CelQuantity, CelQuantity) -> CelBool)?;
    add_member_overload!(env, fn is_greater_than: (CelQuantity, CelQuantity) -> CelBool)?;
    add_member_overload!(env, fn add: (CelQuantity, CelQuantity) -> Result<CelQuantity>)?;
    add_member_overload!(env, fn add_integer: (CelQuantity, CelInt) -> Result<CelQuantity>, name = "add")?;
    add_member_overload!(env, fn sub: (CelQuantity, CelQuantity) -> Result<CelQuantity>)?;
    add_member_overload!(env, fn sub_integer: (CelQuantity, CelInt) -> Result<CelQuantity>, name = "sub")?;
    Ok(())
}

fn quantity(text: &CelString<'_>) -> Result<CelQuantity, ExecutionError> {
    Quantity::parse(text.inner())
        .map(CelQuantity)
        .ok_or_else(|| ExecutionError::function_error("quantity", format!("`{}` is not a quantity", text.inner())))
}

fn is_quantity(text: &CelString<'_>) -> CelBool {
    Quantity::parse(text.inner()).is_some().into()
}

fn sign(this: &CelQuantity) -> CelInt {
    this.0.sign().into()
}

fn is_integer(this: &CelQuantity) -> CelBool {
    this.0.as_integer().is_some().into()
}

fn as_integer(this: &CelQuantity) -> Result<CelInt, ExecutionError> {
    this.0.as_integer().map(CelInt::from).ok_or_else(|| ExecutionError::function_error("asInteger", format!("{this} is no integer")))
}

fn as_approximate_float(this: &CelQuantity) -> Result<CelDouble, ExecutionError> {
    let value = this.0.to_decimal().parse::<f64>();
    value.map(CelDouble::from).map_err(|error| ExecutionError::function_error("asApproximateFloat", error))
}

fn compare_to(this: &CelQuantity, other: &CelQuantity) -> CelInt {
    (this.cmp(other) as i64).into()
}

fn is_less_than(this: &CelQuantity, other: &CelQuantity) -> CelBool {
    (this < other).into()
}

fn is_greater_than(this: &CelQuantity, other: &CelQuantity) -> CelBool {
    (this > other).into()
}

fn add(this: &CelQuantity, other: &CelQuantity) -> Result<CelQuantity, ExecutionError> {
    in_range("add", this.0.plus(other.0))
}

fn add_integer(this: &CelQuantity, other: &CelInt) -> Result<CelQuantity, ExecutionError> {
    in_range("add", Quantity::from_integer(i128::from(*other.inner())).and_then(|other| this.0.plus(other)))
}

fn sub(this: &CelQuantity, other: &CelQuantity) -> Result<CelQuantity, ExecutionError> {
    in_range("sub", this.0.minus(other.0))
}

fn sub_integer(this: &CelQuantity, other: &CelInt) -> Result<CelQuantity, ExecutionError> {
    in_range("sub", Quantity::from_integer(i128::from(*other.inner())).and_then(|other| this.0.minus(other)))
}

fn in_range(function: &str, result: Option<Quantity>) -> Result<CelQuantity, ExecutionError> {
    result.map(CelQuantity).ok_or_else(|| ExecutionError::function_error(function, "the quantity is out of range"))
}
