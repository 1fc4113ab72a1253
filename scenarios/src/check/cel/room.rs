//! What one evaluation may spend: items that its comprehensions walk, work that its functions do, and memory for what it builds.
//!
//! `cel` copies values freely and counts nothing, and a text of a few hundred characters can ask for more than any machine has. So the compiler puts
//! functions of this module around whatever makes a value larger, and in the place of those library functions whose result isn't bounded by
//! their arguments. CEL's syntax has no such names, so no expression calls them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::{CowVal, Val};
use cel::functions::FunctionContext;
use cel::{Context, ExecutionError};
use regex::Regex;

use super::value::unexpected;

/// Asks for the items of a comprehension.
pub(super) const WALK: &str = "@walk";
/// Counts a value that was just made, or is about to be copied.
pub(super) const BUILT: &str = "@built";
/// Counts a value that is about to be looked through.
pub(super) const USED: &str = "@used";
/// Counts a text that is about to fall into many pieces.
pub(super) const PIECES: &str = "@pieces";
/// Counts a text that is about to be searched at every place.
pub(super) const SEARCHED: &str = "@searched";
/// Refuses long texts where looking for one takes its length at every place.
pub(super) const LOOKED_FOR: &str = "@lookedFor";
/// Library functions whose place this module takes, and what they are called here.
pub(super) const REPLACED: &[(&str, &str)] =
    &[("find", "@find"), ("findAll", "@findAll"), ("join", "@join"), ("matches", "@matches"), ("replace", "@replace")];

/// How many items the comprehensions of one evaluation may walk.
pub(super) const STEPS: u64 = 1_000_000;
/// How many bytes the values that one evaluation builds may have, all together.
pub(super) const BYTES: u64 = 256 << 20;

/// What a value takes besides its text.
const NODE: u64 = 64;
/// What a piece of a text takes.
const PIECE: u64 = 96;
/// The longest text that may be looked for where `cel` compares at every place.
const NEEDLE: usize = 1024;
/// How many patterns are kept compiled for an object.
const PATTERNS: usize = 16;
/// How many steps it is to compile another one, or one that fails.
const PATTERN_STEPS: u64 = 1000;
/// How many bytes are looked through in a step.
const STEP: u64 = 1024;

/// What is spent, and how much there is.
#[derive(Debug)]
pub(super) struct Room {
    walked: AtomicU64,
    built: AtomicU64,
    steps: u64,
    bytes: u64,
    /// The first patterns that were asked for. Who asks for more of them pays for each.
    patterns: [OnceLock<(String, Regex)>; PATTERNS],
}

impl Room {
    pub(super) fn of(steps: u64, bytes: u64) -> Self {
        Self { walked: AtomicU64::new(0), built: AtomicU64::new(0), steps, bytes, patterns: Default::default() }
    }

    /// Another evaluation begins.
    pub(super) fn clear(&self) {
        self.walked.store(0, Ordering::Relaxed);
        self.built.store(0, Ordering::Relaxed);
    }

    /// What was asked for beyond what there is. An evaluation that went on all the same (`exists` and `||` pass over errors) has no value.
    pub(super) fn overdrawn(&self) -> Option<String> {
        if self.walked.load(Ordering::Relaxed) > self.steps {
            return Some(format!("the expression walks more than {} items", self.steps));
        }
        let built = self.built.load(Ordering::Relaxed);
        (built > self.bytes).then(|| format!("the expression builds more than {} MiB", self.bytes >> 20))
    }

    fn walk(&self, items: u64) -> Result<(), ExecutionError> {
        let before = self.walked.fetch_add(items, Ordering::Relaxed);
        if before.saturating_add(items) > self.steps { Err(ExecutionError::function_error("walk", "too many items")) } else { Ok(()) }
    }

    fn build(&self, bytes: u64) -> Result<(), ExecutionError> {
        let before = self.built.fetch_add(bytes.min(1 << 60), Ordering::Relaxed);
        if before.saturating_add(bytes) > self.bytes { Err(ExecutionError::function_error("build", "too much")) } else { Ok(()) }
    }
}

impl Room {
    /// Does something with a regular expression.
    fn with_pattern<T>(&self, function: &str, pattern: &str, what: impl FnOnce(&Regex) -> T) -> Result<T, ExecutionError> {
        let slot = self.patterns.iter().find(|slot| slot.get().is_none_or(|(known, _)| known == pattern));
        if let Some((_, regex)) = slot.and_then(OnceLock::get) {
            return Ok(what(regex));
        }
        let compiled = super::text::regex(function, pattern);
        let regex = match (slot, compiled) {
            (Some(slot), Ok(regex)) => &slot.get_or_init(|| (pattern.to_owned(), regex)).1,
            (None, Ok(regex)) => {
                self.walk(PATTERN_STEPS)?;
                return Ok(what(&regex));
            }
            (_, Err(error)) => {
                self.walk(PATTERN_STEPS)?;
                return Err(error);
            }
        };
        Ok(what(regex))
    }
}

/// A function as the context takes it, which isn't named in `cel`'s interface.
type Function = Box<dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError> + Send + Sync>;

/// One of ours, with what is left.
type Native = for<'c, 'v> fn(&mut FunctionContext<'c, 'v>, &Room) -> Result<CowVal<'c, 'v>, ExecutionError>;

/// Lets the expressions of a context draw on the room.
pub(super) fn provide(context: &mut Context<'_, '_>, room: &Arc<Room>) {
    let functions: [(&str, Native); 11] = [
        (WALK, walk),
        (BUILT, built),
        (USED, used),
        (PIECES, pieces),
        (SEARCHED, searched),
        (LOOKED_FOR, needle),
        ("@find", find),
        ("@findAll", find_all),
        ("@join", join),
        ("@matches", matches),
        ("@replace", replace),
    ];
    for (name, native) in functions {
        let room = Arc::clone(room);
        let function: Function = Box::new(move |call| native(call, &room));
        context.add_function::<Function, _>(name, function).expect("the library has no function of this name");
    }
}

/// The items to walk: of a mapping its keys, sorted, since `cel` has them in no order.
fn walk<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let items = only(call)?;
    let count = items.as_sizer().and_then(|sizer| u64::try_from(*sizer.size().inner()).ok()).unwrap_or(0);
    room.walk(count + 1)?;
    let Some(map) = items.downcast_ref::<CelMap<'v>>() else { return Ok(items) };
    let mut keys: Vec<CelMapKey<'v>> = map.keys().cloned().collect();
    keys.sort();
    let keys: Vec<Box<dyn Val + 'v>> = keys.iter().map(|key| key.inner().clone_as_boxed()).collect();
    Ok(CowVal::owned(CelList::from(keys)))
}

fn built<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let value = only(call)?;
    room.build(size(value.as_ref(), room.bytes))?;
    Ok(value)
}

fn pieces<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let value = only(call)?;
    if let Some(text) = value.downcast_ref::<CelString<'v>>() {
        room.build(PIECE.saturating_mul(length(text)))?;
    }
    Ok(value)
}

fn used<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let value = only(call)?;
    room.walk(size(value.as_ref(), room.bytes) / STEP)?;
    Ok(value)
}

/// A step for each place of a text: at every one of them `cel` compares with all that is looked for.
fn searched<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let value = only(call)?;
    if let Some(text) = value.downcast_ref::<CelString<'v>>() {
        room.walk(length(text))?;
    }
    Ok(value)
}

fn needle<'c, 'v>(call: &mut FunctionContext<'c, 'v>, _: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let value = only(call)?;
    match value.downcast_ref::<CelString<'v>>() {
        Some(text) if text.inner().len() > NEEDLE => {
            let why = format!("the text to look for has {} bytes; {NEEDLE} are the most", text.inner().len());
            Err(ExecutionError::function_error("indexOf", why))
        }
        _ => Ok(value),
    }
}

fn only<'c, 'v>(call: &mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError> {
    call.args.pop().ok_or_else(|| ExecutionError::invalid_argument_count(1, 0))
}

/// How many bytes a value takes, about; more than `most` is not told apart.
fn size(value: &dyn Val, most: u64) -> u64 {
    let mut size = NODE;
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        size += length(text);
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        for item in list.inner() {
            if size > most {
                break;
            }
            size += self::size(item.as_ref(), most - size);
        }
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        // The sum is the same in whatever order the entries come; where it stops early it is too much in any order.
        for (key, item) in map.inner() {
            if size > most {
                break;
            }
            size += self::size(key.inner(), most).saturating_add(self::size(item.as_ref(), most - size));
        }
    }
    size
}

fn length(text: &CelString<'_>) -> u64 {
    text.inner().len() as u64
}

/// An argument that must be a text.
fn text<'a>(args: &'a [CowVal<'_, '_>], at: usize) -> Result<&'a str, ExecutionError> {
    let value = args.get(at).ok_or_else(|| ExecutionError::invalid_argument_count(at + 1, args.len()))?;
    value.downcast_ref::<CelString<'_>>().map(CelString::inner).ok_or_else(|| unexpected(value.as_ref(), "string"))
}

/// An argument that must be a number.
fn int(args: &[CowVal<'_, '_>], at: usize) -> Result<i64, ExecutionError> {
    let value = args.get(at).ok_or_else(|| ExecutionError::invalid_argument_count(at + 1, args.len()))?;
    value.downcast_ref::<CelInt>().map(|number| *number.inner()).ok_or_else(|| unexpected(value.as_ref(), "int"))
}

/// `list.join()`, `list.join(separator)`.
fn join<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let separator = if call.args.len() > 1 { text(&call.args, 1)? } else { "" };
    let list = call.args.first().ok_or_else(|| ExecutionError::invalid_argument_count(1, 0))?;
    let list = list.downcast_ref::<CelList<'_>>().ok_or_else(|| unexpected(list.as_ref(), "list"))?;
    let gaps = (list.inner().len() as u64).saturating_mul(separator.len() as u64);
    room.build(gaps.saturating_add(size(list, room.bytes)))?;
    let mut parts = Vec::with_capacity(list.inner().len());
    for item in list.inner() {
        let text = item.downcast_ref::<CelString<'_>>().ok_or_else(|| unexpected(item.as_ref(), "string"))?;
        parts.push(text.inner().to_owned());
    }
    Ok(CowVal::owned(CelString::from(parts.join(separator))))
}

/// `text.replace(from, to)`, `text.replace(from, to, times)`; a negative number of times is all of them.
fn replace<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let (this, from, to) = (text(&call.args, 0)?, text(&call.args, 1)?, text(&call.args, 2)?);
    let times = match call.args.get(3) {
        None => usize::MAX,
        Some(_) => usize::try_from(int(&call.args, 3)?).unwrap_or(usize::MAX),
    };
    let found = this.matches(from).take(times).count() as u64;
    room.build((this.len() as u64).saturating_add(found.saturating_mul(to.len() as u64)))?;
    Ok(CowVal::owned(CelString::from(this.replacen(from, to, times))))
}

/// `text.matches(pattern)`, `matches(text, pattern)`.
fn matches<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let this = text(&call.args, 0)?;
    let found = room.with_pattern("matches", text(&call.args, 1)?, |regex| regex.is_match(this))?;
    Ok(CowVal::owned(CelBool::from(found)))
}

/// `text.find(pattern)`.
fn find<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let this = text(&call.args, 0)?;
    let found = room.with_pattern("find", text(&call.args, 1)?, |regex| super::text::first(regex, this))?;
    Ok(CowVal::owned(found))
}

/// `text.findAll(pattern)`, `text.findAll(pattern, limit)`.
fn find_all<'c, 'v>(call: &mut FunctionContext<'c, 'v>, room: &Room) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let this = text(&call.args, 0)?;
    room.build(PIECE.saturating_mul(this.len() as u64))?;
    let limit = if call.args.len() > 2 { int(&call.args, 2)? } else { -1 };
    let found = room.with_pattern("findAll", text(&call.args, 1)?, |regex| super::text::some(regex, this, limit))?;
    Ok(CowVal::owned(found))
}
