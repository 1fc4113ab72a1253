//! GR-V-04 to GR-V-06: a member stands in one boot group once, and a group is neither its own member nor its own parent.
//!
//! Page: admission §16.2. Whether members and parents exist and name each other, and longer cycles, are the controller's to report.
//!
//! Mirrors: vm-operator `webhooks/virtualmachinegroup/validation`, `validateBootOrder`, `validateGroupName`.

use std::collections::BTreeSet;

use vmtwin_model::kube::virtual_machine_group::{GroupMember, MemberKind, VirtualMachineGroup};

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const ITSELF: &str = "group cannot have itself as a member or group name";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachineGroup>, causes: &mut Causes) {
    let spec = request.new.spec;
    if !spec.group_name.is_empty() && spec.group_name == request.name() {
        causes.push(cause::invalid("spec.groupName", &spec.group_name, ITSELF));
    }
    let own = format!("{}/{}", MemberKind::VirtualMachineGroup, request.name());
    let mut seen = BTreeSet::new();
    for (i, boot_group) in spec.boot_order.iter().enumerate() {
        for (j, member) in boot_group.members.iter().enumerate() {
            let (path, member) = (format!("spec.bootOrder[{i}].members[{j}]"), spelled(member));
            if member == own {
                causes.push(cause::invalid(path.clone(), &member, ITSELF));
            }
            if seen.contains(&member) {
                causes.push(cause::duplicate(path, &member));
            }
            seen.insert(member);
        }
    }
}

fn spelled(member: &GroupMember) -> String {
    format!("{}/{}", member.kind.unwrap_or_default(), member.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn a_member_stands_in_one_boot_group() {
        let vm = json!({"members": [{"kind": "VirtualMachine", "name": "a"}]});
        let group = json!({"members": [{"kind": "VirtualMachineGroup", "name": "a"}]});
        assert!(Sample::group().spec("bootOrder", json!([vm, group])).admitted().is_ok());
        let twice = Sample::group().spec("bootOrder", json!([vm, vm]));
        assert_eq!(twice.denied(), ["spec.bootOrder[1].members[0]: Duplicate value: \"VirtualMachine/a\""]);
    }

    #[test]
    fn a_group_is_not_its_own_member_or_parent() {
        let member = Sample::group().spec("bootOrder", json!([{"members": [{"kind": "VirtualMachineGroup", "name": "my-object"}]}]));
        let text = "group cannot have itself as a member or group name";
        let path = "spec.bootOrder[0].members[0]";
        assert_eq!(member.denied(), [format!("{path}: Invalid value: \"VirtualMachineGroup/my-object\": {text}")]);
        let parent = Sample::group().spec("groupName", json!("my-object"));
        assert_eq!(parent.denied(), [format!("spec.groupName: Invalid value: \"my-object\": {text}")]);
        assert!(Sample::group().spec("groupName", json!("other")).admitted().is_ok());
    }
}
