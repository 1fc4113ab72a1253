//! Which calls the operator made on the hypervisor, how often, and in which order.

use std::fmt::{self, Write};

/// How many calls a message lists.
const LISTED: usize = 20;

/// A call that the operator made.
#[derive(Clone, Copy, Debug)]
pub struct CallFact<'a> {
    /// The method.
    pub method: &'a str,
    /// The VM's managed object id, where the call is about one that exists.
    pub vm_id: Option<&'a str>,
    /// The VM's name, `NS/NAME` of a managed one.
    pub vm_name: Option<&'a str>,
    /// Its place in the log.
    pub seq: u64,
    /// Whether it ended well; nothing, while it is under way.
    pub ended: Option<bool>,
}

/// The calls that a check asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallWanted {
    /// The method.
    pub operation: String,
    /// The VM, by name or by managed object id; any, if none is given.
    pub vm: Option<String>,
    /// How many there are to be.
    pub count: Count,
    /// Only those that ended well, or only those that ended in an error.
    pub result: Option<bool>,
    /// Only those from this place in the log on.
    pub since_seq: u64,
}

/// How many calls there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exactly(usize),
    /// So many or more.
    AtLeast(usize),
    /// So many or fewer.
    AtMost(usize),
}

impl Count {
    fn allows(self, calls: usize) -> bool {
        match self {
            Self::Exactly(count) => calls == count,
            Self::AtLeast(count) => calls >= count,
            Self::AtMost(count) => calls <= count,
        }
    }

    /// How many there must be.
    fn needed(self) -> usize {
        match self {
            Self::Exactly(count) | Self::AtLeast(count) => count,
            Self::AtMost(_) => 0,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (how, count) = match *self {
            Self::Exactly(0) => return f.write_str("no call"),
            Self::Exactly(count) => ("", count),
            Self::AtLeast(count) => ("at least ", count),
            Self::AtMost(count) => ("at most ", count),
        };
        write!(f, "{how}{count} call{}", if count == 1 { "" } else { "s" })
    }
}

/// `PowerOnVM_Task of my-namespace/my-vm that ended well`
impl fmt::Display for CallWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.operation)?;
        if let Some(vm) = &self.vm {
            write!(f, " of {vm}")?;
        }
        match self.result {
            None => Ok(()),
            Some(true) => f.write_str(" that ended well"),
            Some(false) => f.write_str(" that ended in an error"),
        }
    }
}

/// `#181 PowerOnVM_Task of my-namespace/my-vm: error`
impl fmt::Display for CallFact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.seq, self.method)?;
        if let Some(vm) = self.vm_name.or(self.vm_id) {
            write!(f, " of {vm}")?;
        }
        f.write_str(match self.ended {
            None => ": under way",
            Some(true) => ": success",
            Some(false) => ": error",
        })
    }
}

impl CallWanted {
    fn is_about(&self, call: &CallFact<'_>) -> bool {
        self.vm.as_deref().is_none_or(|vm| call.vm_name == Some(vm) || call.vm_id == Some(vm))
    }

    fn wants(&self, call: &CallFact<'_>) -> bool {
        call.method == self.operation
            && call.seq >= self.since_seq
            && self.is_about(call)
            && self.result.is_none_or(|result| call.ended == Some(result))
    }
}

/// Checks the calls so far, which are given in the order of the log: each wanted by itself; of several wanted, also that as
/// many of each as it needs stand in the order of the list, whatever calls are between.
///
/// # Errors
/// If a count isn't as wanted, or the order isn't: what was wanted, what there was, and the calls.
pub fn check_calls(calls: &[CallFact<'_>], wanted: &[CallWanted]) -> Result<(), String> {
    for wanted in wanted {
        let found: Vec<&CallFact<'_>> = calls.iter().filter(|call| wanted.wants(call)).collect();
        if !wanted.count.allows(found.len()) {
            return Err(miscounted(wanted, &found, calls));
        }
    }
    if wanted.len() > 1 { check_order(calls, wanted) } else { Ok(()) }
}

fn miscounted(wanted: &CallWanted, found: &[&CallFact<'_>], calls: &[CallFact<'_>]) -> String {
    let mut message = format!("{wanted}: expected {}, found {}", wanted.count, found.len());
    if !found.is_empty() {
        list(&mut message, found);
        return message;
    }
    let others: Vec<&CallFact<'_>> =
        calls.iter().filter(|call| call.method == wanted.operation || wanted.vm.is_some() && wanted.is_about(call)).collect();
    if !others.is_empty() {
        message.push_str("; calls like it:");
        list(&mut message, &others);
    }
    message
}

/// Takes the earliest calls that will do, one after another: if any order does, this one does.
fn check_order(calls: &[CallFact<'_>], wanted: &[CallWanted]) -> Result<(), String> {
    let mut rest = calls.iter();
    for (at, one) in wanted.iter().enumerate() {
        for _ in 0..one.count.needed() {
            if !rest.by_ref().any(|call| one.wants(call)) {
                let before = wanted[..at].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let mut message = match before.as_str() {
                    "" => format!("{one}: too few calls"),
                    before => format!("expected {one} after {before}; the calls came in another order:"),
                };
                let all: Vec<&CallFact<'_>> = calls.iter().filter(|call| wanted.iter().any(|one| one.wants(call))).collect();
                list(&mut message, &all);
                return Err(message);
            }
        }
    }
    Ok(())
}

fn list(message: &mut String, calls: &[&CallFact<'_>]) {
    for call in calls.iter().take(LISTED) {
        // Writing to a string doesn't fail.
        let _ = write!(message, "\n  {call}");
    }
    if calls.len() > LISTED {
        let _ = write!(message, "\n  and {} more", calls.len() - LISTED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: &str = "PowerOnVM_Task";
    const OFF: &str = "PowerOffVM_Task";

    fn call(seq: u64, method: &'static str, vm: &'static str, ended: Option<bool>) -> CallFact<'static> {
        CallFact { method, vm_id: Some("vm-101"), vm_name: Some(vm), seq, ended }
    }

    fn wanted(operation: &str, count: Count) -> CallWanted {
        CallWanted { operation: operation.into(), vm: Some("ns/a".into()), count, result: None, since_seq: 0 }
    }

    #[test]
    fn each_kind_of_count_is_taken_at_its_word() {
        let calls = [call(1, ON, "ns/a", Some(false)), call(2, ON, "ns/a", Some(true)), call(3, OFF, "ns/a", None)];
        for (count, holds) in [
            (Count::Exactly(2), true),
            (Count::Exactly(1), false),
            (Count::AtLeast(2), true),
            (Count::AtLeast(3), false),
            (Count::AtMost(2), true),
            (Count::AtMost(1), false),
            (Count::Exactly(0), false),
        ] {
            assert_eq!(check_calls(&calls, &[wanted(ON, count)]).is_ok(), holds, "{count}");
        }
    }

    #[test]
    fn a_wrong_count_says_how_many_there_were_and_lists_them() {
        let calls = [call(1, ON, "ns/a", Some(false)), call(7, ON, "ns/a", Some(true)), call(9, OFF, "ns/a", None)];
        assert_eq!(
            check_calls(&calls, &[wanted(ON, Count::Exactly(1))]),
            Err("PowerOnVM_Task of ns/a: expected 1 call, found 2\n  #1 PowerOnVM_Task of ns/a: error\n  #7 PowerOnVM_Task of ns/a: success".into())
        );
    }

    #[test]
    fn where_there_was_no_call_the_calls_like_it_are_listed() {
        let calls = [call(1, ON, "ns/b", Some(true)), call(2, OFF, "ns/a", None), call(3, OFF, "ns/b", None)];
        let mut other = calls;
        other.iter_mut().for_each(|call| call.vm_id = None);
        assert_eq!(
            check_calls(&other, &[wanted(ON, Count::AtLeast(1))]),
            Err("PowerOnVM_Task of ns/a: expected at least 1 call, found 0; calls like it:\n  #1 PowerOnVM_Task of ns/b: success\n  #2 PowerOffVM_Task of ns/a: under way".into())
        );
        assert_eq!(check_calls(&[], &[wanted(ON, Count::Exactly(1))]), Err("PowerOnVM_Task of ns/a: expected 1 call, found 0".into()));
    }

    #[test]
    fn a_vm_is_known_by_its_name_or_its_managed_object_id() {
        let calls = [call(1, ON, "ns/a", Some(true))];
        let by_id = CallWanted { vm: Some("vm-101".into()), ..wanted(ON, Count::Exactly(1)) };
        let by_part = CallWanted { vm: Some("a".into()), ..wanted(ON, Count::Exactly(0)) };
        let any = CallWanted { vm: None, ..wanted(ON, Count::Exactly(1)) };
        for wanted in [by_id, by_part, any] {
            assert_eq!(check_calls(&calls, &[wanted]), Ok(()));
        }
    }

    #[test]
    fn calls_are_told_apart_by_their_end_and_by_when_they_were_made() {
        let calls = [call(1, ON, "ns/a", Some(false)), call(5, ON, "ns/a", Some(true)), call(8, ON, "ns/a", None)];
        let ended = |result| CallWanted { result: Some(result), ..wanted(ON, Count::Exactly(1)) };
        assert_eq!(check_calls(&calls, &[ended(true)]), Ok(()));
        assert_eq!(check_calls(&calls, &[ended(false)]), Ok(()));
        let since = |since_seq, count| CallWanted { since_seq, ..wanted(ON, Count::Exactly(count)) };
        assert_eq!(check_calls(&calls, &[since(5, 2)]), Ok(()));
        assert_eq!(check_calls(&calls, &[since(6, 1)]), Ok(()));
        assert_eq!(check_calls(&calls, &[since(9, 0)]), Ok(()));
    }

    #[test]
    fn several_wanted_are_there_in_their_order() {
        let calls = [call(1, OFF, "ns/a", Some(true)), call(2, "Other", "ns/a", None), call(3, ON, "ns/a", Some(true))];
        let (off, on) = (wanted(OFF, Count::Exactly(1)), wanted(ON, Count::AtLeast(1)));
        assert_eq!(check_calls(&calls, &[off.clone(), on.clone()]), Ok(()));
        assert_eq!(
            check_calls(&calls, &[on.clone(), off.clone()]),
            Err("expected PowerOffVM_Task of ns/a after PowerOnVM_Task of ns/a; the calls came in another order:\n  #1 PowerOffVM_Task of ns/a: success\n  #3 PowerOnVM_Task of ns/a: success".into())
        );
        assert_eq!(check_calls(&calls, &[on, wanted("Never", Count::Exactly(0)), wanted(OFF, Count::AtMost(1))]), Ok(()));
    }

    #[test]
    fn one_call_is_never_counted_twice_in_an_order() {
        let calls = [call(1, ON, "ns/a", Some(true)), call(2, OFF, "ns/a", Some(true)), call(3, ON, "ns/a", Some(true))];
        let on = wanted(ON, Count::AtLeast(1));
        let off = wanted(OFF, Count::Exactly(1));
        assert_eq!(check_calls(&calls, &[on.clone(), off.clone(), on.clone()]), Ok(()));
        assert!(check_calls(&calls, &[on.clone(), on.clone(), on]).is_err());
        assert!(check_calls(&calls, &[wanted(ON, Count::Exactly(2)), off]).is_err(), "two of the first, then the other");
    }

    #[test]
    fn a_long_list_of_calls_is_cut() {
        let calls: Vec<CallFact<'_>> = (1..=100).map(|seq| call(seq, ON, "ns/a", None)).collect();
        let message = check_calls(&calls, &[wanted(ON, Count::AtMost(1))]).expect_err("too many");
        assert!(message.ends_with("#20 PowerOnVM_Task of ns/a: under way\n  and 80 more"), "{message}");
    }
}
