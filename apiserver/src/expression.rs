//! Expressions of the Common Expression Language, as far as schemas need them, and JSON as its values.

use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use cel::{Context, Env, IdedExpr};
use serde_json::{Number, Value};

/// What `cel` wants the entries of a mapping as.
#[expect(clippy::disallowed_types, reason = "the interface of `cel`; no rule of a schema walks a mapping")]
type Entries<'v> = std::collections::HashMap<CelMapKey<'v>, Box<dyn Val + 'v>>;

/// The value in CEL; texts are borrowed.
#[must_use]
pub fn to_cel<'v>(value: &'v Value) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => number_to_cel(number),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => {
            let items: Vec<Box<dyn Val + 'v>> = items.iter().map(to_cel).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(map) => {
            let entries: Entries<'v> =
                map.iter().map(|(key, value)| (CelMapKey::String(CelString::from(key.as_str())), to_cel(value))).collect();
            Box::new(CelMap::from(entries))
        }
    }
}

fn number_to_cel<'v>(number: &Number) -> Box<dyn Val + 'v> {
    if let Some(value) = number.as_i64() {
        Box::new(CelInt::from(value))
    } else if let Some(value) = number.as_u64() {
        Box::new(CelUInt::from(value))
    } else {
        Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
    }
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A rule of a schema, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    program: IdedExpr,
    /// Whether it speaks of the value before, so that it holds for changes alone.
    pub(crate) is_transition: bool,
    /// What is told if it is broken.
    pub(crate) message: String,
}

impl Rule {
    /// The rule of an entry of `x-kubernetes-validations`.
    pub(crate) fn compile(entry: &Value) -> Self {
        let source = entry["rule"].as_str().expect("a rule has a text");
        let program = ENVIRONMENT.parser().parse(source).expect("a rule of a schema is an expression");
        let message = entry["message"].as_str().map_or_else(|| format!("failed rule: {source}"), str::to_owned);
        Self { program, is_transition: source.contains("oldSelf"), message }
    }

    /// Whether the value keeps the rule. A rule that can't be answered is broken, as in Kubernetes.
    pub(crate) fn holds(&self, value: &Value, old: Option<&Value>) -> bool {
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.add_variable_as_val("self", to_cel(value));
        if let Some(old) = old {
            context.add_variable_as_val("oldSelf", to_cel(old));
        }
        let result = cel::Value::resolve_val(&self.program, &context);
        result.is_ok_and(|answer| answer.as_ref().downcast_ref::<CelBool>().is_some_and(|answer| *answer.inner()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Rule;

    fn holds(rule: &str, value: &Value, old: Option<&Value>) -> bool {
        Rule::compile(&json!({"rule": rule})).holds(value, old)
    }

    #[test]
    fn rules_ask_of_the_value_and_of_what_it_was() {
        assert!(holds("self == oldSelf", &json!("a"), Some(&json!("a"))));
        assert!(!holds("self == oldSelf", &json!("a"), Some(&json!("b"))));
        assert!(holds("self == 0 || self in [1, 2, 4]", &json!(4), None) && !holds("self == 0 || self in [1, 2, 4]", &json!(3), None));
        assert!(holds("!has(self.a) || self.a != self.b", &json!({"b": "x"}), None));
        assert!(!holds("!has(self.a) || self.a != self.b", &json!({"a": "x", "b": "x"}), None));
        assert!(holds("self.l.filter(s, has(s.d) && s.d == 'True').size() <= 1", &json!({"l": [{"d": "True"}, {}]}), None));
        assert!(!holds("self.l.exists(n, n.name == self.d)", &json!({"l": [{"name": "a"}], "d": "b"}), None));
    }

    #[test]
    fn a_rule_that_cannot_be_answered_is_broken() {
        assert!(!holds("self.a == 'x'", &json!({}), None));
        assert!(!holds("self.a", &json!({"a": 1}), None));
    }
}
