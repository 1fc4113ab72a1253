use serde_json::{Value, json};

use super::*;

/// Objects in a list.
struct Objects(Vec<Value>);

impl Lookup for Objects {
    fn object(&self, _: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let found =
            |object: &&Value| object["kind"] == kind && metadata(object, "namespace") == namespace && metadata(object, "name") == name;
        self.0.iter().find(found).cloned()
    }

    fn objects(&self, api_version: Option<&str>, kind: &str, namespace: Option<&str>) -> Vec<Value> {
        let found = |object: &&Value| {
            api_version.is_none_or(|version| object["apiVersion"] == version)
                && object["kind"] == kind
                && namespace.is_none_or(|namespace| metadata(object, "namespace") == namespace)
        };
        self.0.iter().filter(found).cloned().collect()
    }
}

fn object(name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "VirtualMachine", "metadata": {"name": name, "namespace": "shop"}});
    merge(&mut object, rest);
    object
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value))
        }
        (into, from) => *into = from,
    }
}

fn check(live: Value, partial: Value) -> Outcome {
    Expected::new(&object("vm", partial)).expect("a partial object").check(&Objects(vec![object("vm", live)]))
}

#[track_caller]
fn holds(live: Value, partial: Value) {
    assert_eq!(check(live, partial), Outcome::Holds { object: "VirtualMachine/shop/vm".into() });
}

/// Where the live object isn't as expected, in words.
#[track_caller]
fn differs(live: Value, partial: Value) -> Vec<String> {
    match check(live, partial) {
        Outcome::Differs(mismatches) => mismatches.iter().map(explain).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mapping_holds_when_it_contains_what_is_expected() {
    holds(json!({"status": {"powerState": "PoweredOn", "zone": "a"}, "spec": {}}), json!({"status": {"powerState": "PoweredOn"}}));
    assert_eq!(
        differs(json!({"status": {"powerState": "PoweredOff"}}), json!({"status": {"powerState": "PoweredOn", "zone": "a"}})),
        [r#"status.powerState: expected "PoweredOn", found "PoweredOff""#, r#"status.zone: expected "a", found nothing"#]
    );
    assert_eq!(differs(json!({}), json!({"status": {"zone": "a"}})), [r#"status: expected {"zone":"a"}, found nothing"#]);
    assert_eq!(differs(json!({"status": "gone"}), json!({"status": {}})), [r#"status: expected {}, found "gone""#]);
}

#[test]
fn a_partial_object_that_says_nothing_more_holds_for_an_object_that_is_there() {
    holds(json!({"spec": {"a": 1}}), json!({}));
}

#[test]
fn conditions_match_by_type() {
    let live = json!({"status": {"conditions": [
        {"type": "Created", "status": "True", "reason": "True"},
        {"type": "Ready", "status": "False", "reason": "Waiting"}
    ]}});
    holds(live.clone(), json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
    holds(live.clone(), json!({"status": {"conditions": [{"type": "Ready"}, {"type": "Created"}]}}));
    assert_eq!(
        differs(live, json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "True"}]}})),
        [
            r#"status.conditions[type=Ready].status: expected "True", found "False""#,
            r#"status.conditions[type=Synced]: expected {"type":"Synced","status":"True"}, found nothing"#
        ]
    );
}

#[test]
fn volumes_interfaces_and_the_like_match_by_name() {
    for field in ["volumes", "interfaces", "env", "disks", "anything"] {
        let live = json!({"status": {field: [{"name": "a", "attached": true}, {"name": "b", "attached": false}]}});
        holds(live.clone(), json!({"status": {field: [{"name": "b", "attached": false}]}}));
        assert_eq!(
            differs(live, json!({"status": {field: [{"name": "b", "attached": true}]}})),
            [format!("status.{field}[name=b].attached: expected true, found false")]
        );
    }
}

#[test]
fn members_of_one_name_are_told_apart_by_their_kind() {
    let live = json!({"status": {"members": [
        {"kind": "VirtualMachineGroup", "name": "db", "ready": false},
        {"kind": "VirtualMachine", "name": "db", "ready": true}
    ]}});
    holds(live.clone(), json!({"status": {"members": [{"name": "db", "kind": "VirtualMachine", "ready": true}]}}));
    holds(live.clone(), json!({"status": {"members": [{"name": "db", "ready": true}]}}));
    assert_eq!(
        differs(live, json!({"status": {"members": [{"name": "db", "kind": "VirtualMachine", "ready": false}]}})).len(),
        1,
        "the closest of the two is told"
    );
}

#[test]
fn controllers_match_by_bus_number_and_their_devices_by_unit_number() {
    let device = |unit: u64, name: &str| json!({"type": "Disk", "unitNumber": unit, "name": name});
    let live = json!({"status": {"hardware": {"controllers": [
        {"type": "IDE", "busNumber": 0, "devices": []},
        {"type": "SCSI", "busNumber": 0, "devices": [device(0, "boot"), device(1, "data")]}
    ]}}});
    holds(
        live.clone(),
        json!({"status": {"hardware": {"controllers": [{"type": "SCSI", "busNumber": 0, "devices": [{"unitNumber": 1, "name": "data"}]}]}}}),
    );
    assert_eq!(
        differs(
            live,
            json!({"status": {"hardware": {"controllers": [{"type": "SCSI", "busNumber": 0, "devices": [{"unitNumber": 1, "name": "log"}]}]}}})
        ),
        [r#"status.hardware.controllers[busNumber=0].devices[unitNumber=1].name: expected "log", found "data""#]
    );
}

#[test]
fn extra_config_and_devices_match_by_key() {
    let live = json!({"config": {"extraConfig": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}], "hardware": {"device": [{"key": 4000, "x": 1}]}}});
    holds(live, json!({"config": {"extraConfig": [{"key": "b", "value": "2"}], "hardware": {"device": [{"key": 4000}]}}}));
}

#[test]
fn a_list_without_merge_keys_matches_by_position_and_in_full() {
    let live = json!({"spec": {"args": ["a", "b"], "rules": [{"cidr": "x", "port": 1}]}});
    holds(live.clone(), json!({"spec": {"args": ["a", "b"], "rules": [{"port": 1}]}}));
    assert_eq!(differs(live.clone(), json!({"spec": {"args": ["b", "a"]}})).len(), 2);
    assert_eq!(differs(live.clone(), json!({"spec": {"args": ["a"]}})), [r#"spec.args[1]: expected nothing, found "b""#]);
    assert_eq!(differs(live, json!({"spec": {"args": ["a", "b", "c"]}})), [r#"spec.args[2]: expected "c", found nothing"#]);
}

#[test]
fn a_boot_order_keeps_its_order_though_its_items_have_names() {
    let live = json!({"spec": {"bootOrder": [{"name": "a"}, {"name": "b"}]}});
    holds(live.clone(), json!({"spec": {"bootOrder": [{"name": "a"}, {"name": "b"}]}}));
    assert_eq!(differs(live, json!({"spec": {"bootOrder": [{"name": "b"}, {"name": "a"}]}})).len(), 2);
}

#[test]
fn a_list_in_which_one_item_has_no_key_matches_by_position() {
    let live = json!({"status": {"interfaces": [{"name": "eth0", "up": true}, {"up": false}]}});
    holds(live.clone(), json!({"status": {"interfaces": [{"name": "eth0"}, {"up": false}]}}));
    assert_eq!(differs(live, json!({"status": {"interfaces": [{"up": false}, {"name": "eth0"}]}})).len(), 2);
}

#[test]
fn an_empty_list_asks_for_an_empty_list_or_none() {
    holds(json!({"status": {"conditions": []}}), json!({"status": {"conditions": []}}));
    holds(json!({"status": {}}), json!({"status": {"conditions": []}}));
    holds(json!({"status": {"args": null}}), json!({"status": {"args": []}}));
    assert_eq!(differs(json!({"status": {"args": ["a"]}}), json!({"status": {"args": []}})), [r#"status.args: expected [], found ["a"]"#]);
    assert_eq!(differs(json!({"status": {"args": {}}}), json!({"status": {"args": []}})), ["status.args: expected [], found {}"]);
}

#[test]
fn null_asks_for_null_or_nothing() {
    holds(json!({"spec": {"crypto": null}}), json!({"spec": {"crypto": null, "zone": null}}));
    assert_eq!(differs(json!({"spec": {"zone": ""}}), json!({"spec": {"zone": null}})), [r#"spec.zone: expected nothing, found """#]);
    assert_eq!(differs(json!({"spec": {"zone": null}}), json!({"spec": {"zone": ""}})), [r#"spec.zone: expected "", found null"#]);
    assert_eq!(differs(json!({}), json!({"spec": {"attached": false}})), [r#"spec: expected {"attached":false}, found nothing"#]);
}

#[test]
fn scalars_of_different_spellings_compare_by_value() {
    let live = json!({"status": {"memory": "10Gi", "since": "2026-01-01T00:00:00Z", "total": 274_841_206_784_u64, "version": "1.10"}});
    holds(live.clone(), json!({"status": {"memory": 10_737_418_240_u64, "since": "2026-01-01T01:00:00+01:00", "total": "262109Mi"}}));
    assert_eq!(differs(live, json!({"status": {"version": "1.1"}})), [r#"status.version: expected "1.1", found "1.10""#]);
}

#[test]
fn a_key_in_parentheses_is_an_expression_over_the_object() {
    let live = json!({"status": {"members": [{"name": "a"}, {"name": "b"}]}});
    holds(live.clone(), json!({"(object.status.members.size() == 2)": true, "(object.status.members.map(m, m.name))": ["a", "b"]}));
    assert_eq!(
        differs(live.clone(), json!({"(object.status.members.size() == 3)": true})),
        ["(object.status.members.size() == 3): expected true, found false"]
    );
    assert_eq!(
        differs(live, json!({"(object.status.zone == 'a')": true})),
        [r#"(object.status.zone == 'a'): expected true, found "no such key: `zone`""#],
        "what can't be evaluated doesn't hold"
    );
}

#[test]
fn an_expression_may_stand_deeper_and_look_at_its_place() {
    let live = json!({"spec": {"replicas": 2}, "status": {"members": [{"name": "a", "x": 1}, {"name": "b", "x": 2}]}});
    holds(
        live.clone(),
        json!({"status": {"(self.members.size() == object.spec.replicas)": true, "members": [{"name": "b", "(self.x)": 2}]}}),
    );
    assert_eq!(
        differs(live.clone(), json!({"status": {"members": [{"name": "b", "(self.x + 1)": 2}]}})),
        ["status.members[name=b].(self.x + 1): expected 2, found 3"]
    );
    assert_eq!(
        differs(live, json!({"spec": {"network": {"(self.size())": 0}}})),
        [r#"spec.network: expected {"(self.size())":0}, found nothing"#]
    );
}

#[test]
fn an_expression_that_is_an_error_is_an_error_even_where_false_is_expected() {
    assert_eq!(differs(json!({}), json!({"(object.status.ready)": false})).len(), 1);
}

#[test]
fn an_expression_s_value_must_equal_and_not_only_contain() {
    let live = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"memory": "1Gi"}});
    holds(live.clone(), json!({"(object.metadata.labels)": {"b": "2", "a": "1"}, "(object.spec.memory)": "1024Mi"}));
    assert_eq!(differs(live, json!({"(object.metadata.labels)": {"a": "1"}})).len(), 1);
}

#[test]
fn two_objects_can_be_compared() {
    let objects = Objects(vec![
        object("a", json!({"spec": {"x": 1}})),
        object("b", json!({"spec": {"x": 1}})),
        json!({"apiVersion": "v1", "kind": "VirtualMachine", "metadata": {"name": "c", "namespace": "other"}, "spec": {"x": 2}}),
    ]);
    for expression in [
        "(objects('VirtualMachine').size() == 3)",
        "(objects('VirtualMachine', 'shop').all(vm, vm.spec.x == object.spec.x))",
        "(objects('VirtualMachine', object.metadata.namespace).map(vm, vm.metadata.name) == ['a', 'b'])",
        "(objects('VirtualMachine').exists(vm, vm.spec.x != object.spec.x))",
        "(objects('Pod').size() == 0)",
    ] {
        let expected = Expected::new(&object("a", json!({expression: true}))).expect("a partial object");
        assert_eq!(expected.check(&objects), Outcome::Holds { object: "VirtualMachine/shop/a".into() }, "{expression}");
    }
    let expected = Expected::new(&object("a", json!({"(objects('Pod').size() == 0)": true}))).expect("a partial object");
    assert_eq!(expected.kinds_listed().collect::<Vec<_>>(), ["Pod"]);
}

#[test]
fn the_look_up_settles_which_object_it_is() {
    let partial = json!({"apiVersion": "v1beta1", "kind": "VirtualMachine", "metadata": {"name": "shop/vm", "labels": {"a": "b"}}});
    struct Alias;
    impl Lookup for Alias {
        fn object(&self, _: &str, _: &str, _: &str, name: &str) -> Option<Value> {
            (name == "shop/vm").then(|| json!({"apiVersion": "v1", "kind": "VM", "metadata": {"name": "vm-101", "labels": {"a": "b"}}}))
        }
        fn objects(&self, _: Option<&str>, _: &str, _: Option<&str>) -> Vec<Value> {
            Vec::new()
        }
    }
    let expected = Expected::new(&partial).expect("a partial object");
    assert_eq!(
        (expected.api_version(), expected.kind(), expected.namespace(), expected.name()),
        ("v1beta1", "VirtualMachine", "", "shop/vm")
    );
    assert_eq!(expected.check(&Alias), Outcome::Holds { object: "VirtualMachine/shop/vm".into() });
}

#[test]
fn without_a_name_any_object_of_the_kind_will_do() {
    let any = |rest: Value| {
        let mut partial = json!({"apiVersion": "v1", "kind": "VirtualMachine", "metadata": {"namespace": "shop"}});
        merge(&mut partial, rest);
        Expected::new(&partial).expect("a partial object")
    };
    let objects = Objects(vec![
        object("a", json!({"status": {"zone": "a", "power": "on", "x": 1}})),
        object("b", json!({"status": {"zone": "b", "power": "off", "x": 2}})),
    ]);
    assert!(any(json!({})).check(&objects).holds());
    assert_eq!(any(json!({"status": {"zone": "b"}})).check(&objects), Outcome::Holds { object: "VirtualMachine/shop/b".into() });
    let Outcome::Differs(closest) = any(json!({"status": {"zone": "c", "power": "off", "x": 2}})).check(&objects) else {
        panic!("no object is so");
    };
    assert_eq!(closest.len(), 1);
    assert_eq!(closest[0].object, "VirtualMachine/shop/b", "the closest is told");
    assert_eq!(any(json!({})).check(&Objects(Vec::new())), Outcome::Absent { what: "there is no VirtualMachine in `shop`".into() });
}

#[test]
fn what_is_absent_is_told_with_the_nearest_names() {
    let expected = Expected::new(&object("web-1", json!({}))).expect("a partial object");
    let names = ["database", "web-01", "web-2", "cache", "queue", "proxy", "mail"];
    let objects = Objects(names.iter().map(|name| object(name, json!({}))).collect());
    let Outcome::Absent { what } = expected.check(&objects) else { panic!("it isn't there") };
    assert!(
        what.starts_with("VirtualMachine/shop/web-1 doesn't exist; there are: VirtualMachine/shop/web-01, VirtualMachine/shop/web-2,"),
        "{what}"
    );
    assert!(what.ends_with(" and 2 more"), "{what}");
    assert_eq!(
        expected.check(&Objects(Vec::new())),
        Outcome::Absent { what: "VirtualMachine/shop/web-1 doesn't exist; there is no VirtualMachine at all".into() }
    );
}

#[test]
fn a_mapping_that_is_no_partial_object_says_where_and_why() {
    for (partial, path, why) in [
        (json!([]), ".", "is a mapping"),
        (json!({"kind": "Pod"}), "apiVersion", "of which kind"),
        (json!({"apiVersion": "v1"}), "kind", "of which kind"),
        (json!({"apiVersion": "v1", "kind": ""}), "kind", "expected a text"),
        (json!({"apiVersion": 1, "kind": "Pod"}), "apiVersion", "expected a text"),
        (json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 7}}), "metadata.name", "expected a text"),
        (json!({"apiVersion": "v1", "kind": "Pod", "status": {"(self.": 1}}), "status.(self.", "ends with the parenthesis"),
        (json!({"apiVersion": "v1", "kind": "Pod", "status": {"(self.)": 1}}), "status.(self.)", "column"),
        (json!({"apiVersion": "v1", "kind": "Pod", "a": [{"(pod.x)": 1}]}), "a[0].(pod.x)", "nothing is named `pod`"),
    ] {
        let error = Expected::new(&partial).expect_err(path);
        assert_eq!(error.path, path);
        assert!(error.message.contains(why), "{error}");
    }
}

#[test]
fn nesting_is_bounded() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"a": deep});
    }
    let error = Expected::new(&object("vm", json!({"spec": deep}))).expect_err("too deep");
    assert!(error.message.contains("nested deeper than 64 levels"), "{error}");
}
