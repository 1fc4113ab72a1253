//! Expressions of the Common Expression Language over a live object, with Kubernetes' libraries.
//!
//! `object` is the live object, `self` the value at the place where the expression stands, `objects('Kind')` and
//! `objects('Kind', 'ns')` list live objects. There is no clock and no chance: the same objects give the same value. Where CEL
//! leaves an order open (the keys of a mapping), they are walked sorted.
//!
//! Evaluation is bounded: texts by their length and their nesting, comprehensions by the number of items that
//! they walk, values by the memory that they take (`room.rs`).

mod bounds;
mod collections;
mod compile;
mod network;
mod numbers;
mod room;
mod text;
mod time;
mod value;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cel::common::types::CelList;
use cel::common::value::Val;
use cel::{Context, Env, ExecutionError, IdedExpr};
use serde_json::Value;

use super::Lookup;
use room::Room;

/// How many bytes an expression may have.
const SOURCE: usize = 10 * 1024;

/// An expression, ready to be evaluated.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    source: String,
    program: IdedExpr,
    queries: Vec<Query>,
    uses_self: bool,
}

/// A call of `objects(…)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Query {
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
}

impl Query {
    /// The variable that stands for the call. CEL's syntax has no such name.
    fn variable(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("@objects:{}/{namespace}", self.kind),
            None => format!("@objects:{}", self.kind),
        }
    }
}

/// What the queries of a partial object list.
pub(super) struct Gathered(BTreeMap<String, Vec<Value>>);

impl Gathered {
    /// Asks for the objects that the queries list.
    pub(super) fn of<'a>(queries: impl IntoIterator<Item = &'a Query>, lookup: &dyn Lookup) -> Self {
        let list = |query: &Query| (query.variable(), lookup.objects(None, &query.kind, query.namespace.as_deref()));
        Self(queries.into_iter().map(list).collect())
    }
}

/// The standard library, and Kubernetes' own.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    let declared = env
        .add_extension(cel::extensions::strings)
        .and_then(|()| env.add_extension(collections::library))
        .and_then(|()| env.add_extension(network::library))
        .and_then(|()| env.add_extension(numbers::library))
        .and_then(|()| env.add_extension(text::library))
        .and_then(|()| env.add_extension(time::library));
    declared.expect("each function is declared once for the same types");
    Arc::new(env)
});

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub(super) fn compile(source: &str) -> Result<Self, String> {
        if source.len() > SOURCE {
            return Err(format!("an expression has {SOURCE} bytes at most; this one has {}", source.len()));
        }
        compile::compile(source, &ENVIRONMENT)
    }

    /// The text.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// What it lists with `objects(…)`.
    pub(super) fn queries(&self) -> &[Query] {
        &self.queries
    }
}

/// An object, with all that expressions over it may ask for.
pub(super) struct Evaluation<'v> {
    context: Context<'v, 'v>,
    room: Arc<Room>,
}

impl<'v> Evaluation<'v> {
    pub(super) fn new(object: &'v Value, gathered: &'v Gathered) -> Self {
        Self::limited(object, gathered, Room::of(room::STEPS, room::BYTES))
    }

    fn limited(object: &'v Value, gathered: &'v Gathered, room: Room) -> Self {
        let mut context = Context::with_env(ENVIRONMENT.clone());
        let room = Arc::new(room);
        room::provide(&mut context, &room);
        context.add_variable_as_val("object", value::to_cel(object));
        for (variable, objects) in &gathered.0 {
            let objects: Vec<Box<dyn Val + 'v>> = objects.iter().map(value::to_cel).collect();
            context.add_variable_as_val(variable.clone(), Box::new(CelList::from(objects)));
        }
        Self { context, room }
    }

    /// The expression's value where `self` is the value at `place`.
    ///
    /// # Errors
    /// Why it has none, in words.
    pub(super) fn value_of(&self, expression: &Expression, place: Option<&'v Value>) -> Result<Value, String> {
        self.room.clear();
        let mut scope = self.context.new_inner_scope();
        if expression.uses_self
            && let Some(place) = place
        {
            scope.add_variable_as_val("self", value::to_cel(place));
        }
        let result = cel::Value::resolve_val(&expression.program, &scope);
        if let Some(complaint) = self.room.overdrawn() {
            return Err(complaint);
        }
        value::to_json(result.map_err(|error| describe(&error))?.as_ref())
    }
}

/// The error in words that are the same on every run: `cel`'s own print mappings in no order.
fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: `{key}`"),
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::UndeclaredReference(name) => format!("nothing is named `{name}`"),
        ExecutionError::FunctionError { function, message } => format!("`{function}`: {message}"),
        ExecutionError::UnexpectedType { got, want } => format!("expected a value of type {want}, found {got}"),
        ExecutionError::InvalidArgumentCount { expected, actual } => format!("expected {expected} arguments, found {actual}"),
        ExecutionError::ValuesNotComparable(a, b) => format!("{} and {} can't be compared", a.type_of(), b.type_of()),
        ExecutionError::UnsupportedBinaryOperator(operator, a, b) => {
            format!("`{operator}` isn't defined for {} and {}", a.type_of(), b.type_of())
        }
        ExecutionError::UnsupportedKeyType(key) => format!("a value of type {} is no key", key.type_of()),
        ExecutionError::DuplicateKey(_) => "a mapping has the same key twice".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the index is out of bounds".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(operator, _, _) => format!("`{operator}` overflows"),
        _ => "the expression has no value for this object".to_owned(),
    }
}

#[cfg(test)]
mod tests;
