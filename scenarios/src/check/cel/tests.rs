use serde_json::{Value, json};

use super::*;

fn evaluate(source: &str, object: &Value) -> Result<Value, String> {
    let expression = Expression::compile(source)?;
    Evaluation::new(object, &Gathered(BTreeMap::new())).value_of(&expression, Some(object))
}

fn group() -> Value {
    json!({
        "metadata": {"name": "db", "namespace": "shop", "labels": {"zeta": "1", "alpha": "2", "mid": "3"}},
        "spec": {"memory": "4Gi", "count": 3},
        "status": {"members": [
            {"name": "a", "powerState": "PoweredOn", "ip": "10.1.2.3"},
            {"name": "b", "powerState": "PoweredOff"},
            {"name": "c", "powerState": "PoweredOn"}
        ], "since": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:01:30Z"}
    })
}

#[track_caller]
fn gives(source: &str, expected: Value) {
    assert_eq!(evaluate(source, &group()), Ok(expected), "{source}");
}

#[track_caller]
fn fails(source: &str, why: &str) {
    let error = evaluate(source, &group()).expect_err(source);
    assert!(error.contains(why), "{source}: {error}");
}

#[test]
fn an_expression_reads_the_object() {
    gives("(object.status.members.size() == 3)", json!(true));
    gives("(object.metadata.namespace)", json!("shop"));
    gives("(object.status.members.filter(m, has(m.powerState) && m.powerState == 'PoweredOn').size() <= 6)", json!(true));
    gives("(object.status.members.map(m, m.name))", json!(["a", "b", "c"]));
    gives("(self.spec.count + object.spec.count)", json!(6));
    gives("({'b': 1, 'a': [2u, 1.5, null]})", json!({"a": [2, 1.5, null], "b": 1}));
    gives("(object.?status.?nothing.orValue('none'))", json!("none"));
}

#[test]
fn a_missing_field_is_an_error_and_has_tells() {
    fails("(object.status.zone == 'zone-a')", "no such key: `zone`");
    fails("(object.status.members[5].name)", "out of bounds");
    gives("(has(object.status.zone))", json!(false));
    gives("(!has(object.vm) || object.vm.size() == 0)", json!(true));
    gives("(object.status.members.exists(m, m.ip == '10.1.2.3'))", json!(true));
    fails("(object.status.members.all(m, has(m.name) && m.ip != ''))", "no such key: `ip`");
}

#[test]
fn mappings_are_walked_in_the_order_of_their_keys() {
    for _ in 0..20 {
        gives("(object.metadata.labels.map(k, k + object.metadata.labels[k]))", json!(["alpha2", "mid3", "zeta1"]));
    }
}

#[test]
fn quantities_compare_and_add_up() {
    gives("(quantity(object.spec.memory).isGreaterThan(quantity('1G')))", json!(true));
    gives("(quantity('1Gi').compareTo(quantity('1024Mi')))", json!(0));
    gives("(quantity('1Gi') == quantity('1024Mi') && quantity('1') < quantity('1.5'))", json!(true));
    gives("(quantity('1Gi').asInteger())", json!(1_073_741_824));
    gives("(quantity('1Gi').add(quantity('1Gi')).sub(1).isLessThan(quantity('2Gi')))", json!(true));
    gives("(quantity('-5').sign())", json!(-1));
    gives("(quantity('1500m'))", json!("1500m"));
    gives("(quantity('1500m').asApproximateFloat())", json!(1.5));
    gives("(isQuantity('10Gi') && !isQuantity('10GiB'))", json!(true));
    fails("(quantity('many'))", "`many` is not a quantity");
    fails("(quantity('1500m').asInteger())", "is no integer");
}

#[test]
fn durations_and_instants_are_those_of_the_virtual_clock() {
    gives("(timestamp(object.status.until) - timestamp(object.status.since) == duration('90s'))", json!(true));
    gives("(timestamp(object.status.since) + duration('1h30m'))", json!("2026-01-01T01:30:00Z"));
    gives("(duration('1h') > duration('59m') && duration('90s').getMinutes() == 1)", json!(true));
    gives("(string(duration('1m30s')))", json!("90s"));
    gives("(duration('1500ms'))", json!("1.5s"));
    gives("(timestamp('2026-03-01T12:00:00Z').getDayOfYear() == 59 && timestamp('2026-03-01T12:00:00Z').getMonth() == 2)", json!(true));
    gives("(int(timestamp('1970-01-01T00:01:00Z')))", json!(60));
    gives("(type(duration('1s')) == google.protobuf.Duration)", json!(true));
    fails("(duration('90'))", "lacks a unit");
    fails("(duration('1h later'))", "`duration`");
    fails("(timestamp(9223372036854775807))", "out of the clock's range");
    fails("(duration('1s') + 1)", "expected a value of type google.protobuf.Duration");
}

#[test]
fn there_is_no_clock() {
    fails("(now() > timestamp(object.status.since))", "there is no function `now`");
}

#[test]
fn lists_have_kubernetes_library() {
    gives("([1, 2, 2].isSorted() && !['b', 'a'].isSorted() && [].isSorted())", json!(true));
    gives("([1, 2, 3].sum())", json!(6));
    gives("([1.5, 2.5].sum())", json!(4.0));
    gives("([duration('1s'), duration('2s')].sum() == duration('3s'))", json!(true));
    gives("([].sum())", json!(0));
    gives("([3, 1, 2].min() + [3, 1, 2].max())", json!(4));
    gives("(['a', 'b', 'a'].indexOf('a') * 10 + ['a', 'b', 'a'].lastIndexOf('a'))", json!(2));
    gives("([1].indexOf(2))", json!(-1));
    fails("([].max())", "the list is empty");
    fails("([1, 'a'].sum())", "isn't defined for int and string");
    fails("([1, 'a'].min())", "can't be compared");
    fails("([9223372036854775807, 1].sum())", "overflows");
}

#[test]
fn texts_have_the_strings_and_regex_libraries() {
    gives("('a,b'.split(',').join('-') + ' X '.trim().lowerAscii() + 'y'.upperAscii())", json!("a-bxY"));
    gives("('tacocat'.replace('cat', 'dog').substring(4))", json!("dog"));
    gives("('abc'.charAt(1) + string('abc'.indexOf('c')))", json!("b2"));
    gives("('vm-101'.startsWith('vm-') && 'vm-101'.endsWith('101') && 'vm-101'.contains('m-1'))", json!(true));
    gives("('vm-101'.matches('^vm-[0-9]+$'))", json!(true));
    gives("('abc 123 def 456'.find('[0-9]+'))", json!("123"));
    gives("('abc'.find('[0-9]+'))", json!(""));
    gives("('1 2 3'.findAll('[0-9]') == ['1', '2', '3'] && '1 2 3'.findAll('[0-9]', 1) == ['1'])", json!(true));
    fails("('a'.find('['))", "`find`");
}

#[test]
fn addresses_and_ranges_have_their_libraries() {
    gives("(ip(object.status.members[0].ip).family())", json!(4));
    gives("(cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1')))", json!(true));
    gives("(cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8'))", json!(true));
    gives("(cidr('0.0.0.0/0').containsIP('255.255.255.255') && !cidr('::/0').containsIP('1.2.3.4'))", json!(true));
    gives("(cidr('192.168.1.7/24').masked() == cidr('192.168.1.0/24') && cidr('192.168.1.7/24').prefixLength() == 24)", json!(true));
    gives("(cidr('fd00::1/64').ip())", json!("fd00::1"));
    gives("(isIP('::1') && !isIP('1.2.3') && !isIP('::ffff:1.2.3.4') && !isIP('01.2.3.4') && !isIP('fe80::1%eth0'))", json!(true));
    gives("(isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0/08') && !isCIDR('10.0.0.0'))", json!(true));
    gives("(ip('127.0.0.1').isLoopback() && ip('10.0.0.1').isGlobalUnicast() && ip.isCanonical('::1'))", json!(true));
    gives("(ip('0:0::1') == ip('::1'))", json!(true));
    fails("(ip('nowhere'))", "`nowhere` is not an IP address");
}

#[test]
fn names_and_functions_that_do_not_exist_are_refused_when_it_is_compiled() {
    for (source, why) in [
        ("(vm.status.zone)", "nothing is named `vm`"),
        ("(object.status.members.exists(m, n.name == 'a'))", "nothing is named `n`"),
        ("(object.status.members.exist(m, m.name == 'a'))", "there is no function `exist`"),
        ("(sizeof(object.status.members))", "there is no function `sizeof`"),
        ("(object.spec.count.isQuantum())", "there is no function `isQuantum`"),
        ("(optional.some(1))", "there is no function `some`"),
        ("(objects(object.kind))", "takes a kind as text"),
        ("(objects())", "takes a kind as text"),
        ("(Pod{name: 'a'})", "no values of type"),
        ("(object.status == )", "column"),
        ("(1) + (2", "column"),
    ] {
        let error = Expression::compile(source).expect_err(source);
        assert!(error.contains(why), "{source}: {error}");
    }
}

#[test]
fn what_is_declared_is_told_apart_from_what_is_not() {
    for source in [
        "(has(object.metadata.deletionTimestamp) && object.metadata.finalizers.size() > 0)",
        "(object.config.hardware.device.exists(d, d._typeName == 'VirtualCdrom' && d.connectable.startConnected))",
        "(size([1]))",
        "(optional.of(1).hasValue())",
        "(type(1) == int)",
        "(dyn(1) == 1)",
        "(optional.none().orValue(1))",
    ] {
        assert!(Expression::compile(source).is_ok(), "{source}: {:?}", Expression::compile(source));
    }
}

#[test]
fn a_source_is_bounded() {
    let long = format!("({}true)", "true && ".repeat(1400));
    assert!(long.len() > 10 * 1024);
    assert!(Expression::compile(&long).expect_err("too long").contains("10240 bytes"));
}

#[test]
fn an_expression_is_bounded_in_its_nesting() {
    for source in [
        format!("{}1{}", "(".repeat(4000), ")".repeat(4000)),
        format!("(1{})", "+1".repeat(4000)),
        format!("(object{})", ".a".repeat(4000)),
    ] {
        assert_eq!(Expression::compile(&source).map(|_| ()), Err("the expression is nested too deep".to_owned()));
    }
    gives(&format!("(1{})", "+1".repeat(30)), json!(31));
    gives(&format!("{}1{}", "(".repeat(8), ")".repeat(8)), json!(1));
    gives(&format!("({}true)", "true && ".repeat(1000)), json!(true));
}

#[test]
fn an_evaluation_is_bounded_in_its_steps() {
    let many = json!({"items": (0..20).collect::<Vec<_>>()});
    let nothing = Gathered(BTreeMap::new());
    let evaluation = Evaluation::limited(&many, &nothing, Room::of(1000, room::BYTES));
    let value_of = |source: &str| evaluation.value_of(&Expression::compile(source).expect("an expression"), None);
    let all = "object.items.all(a, object.items.all(b, object.items.all(c, a + b + c >= 0)))";
    for source in [format!("({all})"), format!("({all} || true)"), format!("(object.items.exists(x, {all}))")] {
        assert_eq!(value_of(&source), Err("the expression walks more than 1000 items".to_owned()), "{source}");
    }
    assert_eq!(value_of("(object.items.all(a, object.items.all(b, a + b >= 0)))"), Ok(json!(true)), "each evaluation starts anew");
}

#[test]
fn an_evaluation_is_bounded_in_what_it_builds() {
    let text = "x".repeat(1000);
    let object = json!({"text": text, "items": (0..1000).collect::<Vec<_>>(), "part": {"text": text}});
    let nothing = Gathered(BTreeMap::new());
    let evaluation = Evaluation::limited(&object, &nothing, Room::of(room::STEPS, 1 << 20));
    let value_of = |source: &str| evaluation.value_of(&Expression::compile(source).expect(source), None);
    let doubled = |doubling: &str| {
        (0..12).fold("object.text".to_owned(), |inner, level| {
            format!("[{inner}].map(x{level}, {})[0]", doubling.replace('$', &format!("x{level}")))
        })
    };
    for source in [
        "object.text.replace('x', object.text).replace('x', object.text)".to_owned(),
        "object.text.replace('', object.text, 1001).replace('', object.text)".to_owned(),
        "object.items.map(x, object.text).join(object.text)".to_owned(),
        "(object.text + object.text + object.text).replace('x', '0123456789').split('')".to_owned(),
        "(object.text + object.text + object.text).replace('x', '0123456789').findAll('')".to_owned(),
        "object.items.map(x, object.items)".to_owned(),
        "object.items.map(x, [x, object.text])".to_owned(),
        "object.items.map(x, {'a': object.text})".to_owned(),
        "object.items.map(x, object)".to_owned(),
        "object.items.filter(x, true).map(x, object.items + object.items)".to_owned(),
        doubled("$ + $ + $"),
        doubled("[$, $, $]"),
        doubled("{'a': $, 'b': $, 'c': $}"),
        doubled("'%s%s%s'.format([$, $, $])"),
    ] {
        for source in [format!("({source} == 0)"), format!("({source} == 0 || true)")] {
            assert_eq!(value_of(&source), Err("the expression builds more than 1 MiB".to_owned()), "{source}");
        }
    }
    assert_eq!(
        value_of("(object.items.map(x, x == 0 ? object.text : 'y').size())"),
        Ok(json!(1000)),
        "what fits is fine, and each evaluation starts anew"
    );
    assert_eq!(value_of("(object.items.map(x, x == 0 ? object.text : 'y').size())"), Ok(json!(1000)));
}

#[test]
fn work_on_large_values_is_counted() {
    let object = json!({"text": "x".repeat(1000), "items": (0..1000).collect::<Vec<_>>()});
    let nothing = Gathered(BTreeMap::new());
    let evaluation = Evaluation::limited(&object, &nothing, Room::of(20_000, room::BYTES));
    let value_of = |source: &str| evaluation.value_of(&Expression::compile(source).expect(source), None);
    for source in [
        "(object.items.all(x, object.items.all(y, y in object.items)))",
        "(object.items.all(x, object.items == object.items))",
        "(object.items.all(x, object.items.indexOf(x) == x))",
        "(object.items.all(x, object.text.indexOf('y') == -1))",
        "(object.items.all(x, object.text.lastIndexOf('xy') == -1))",
        "(object.items.all(x, 'x'.matches('(?i)[' + string(x) + 'a-z]+')))",
        "(object.items.exists(x, 'x'.matches('(' + string(x))))",
        "(object.text.replace('x', object.text).replace('x', 'xxxxxxxxxxxxxxxxxxxxxxxxx').indexOf('y') == 0)",
    ] {
        assert_eq!(value_of(source), Err("the expression walks more than 20000 items".to_owned()), "{source}");
    }
    let fresh = Evaluation::limited(&object, &nothing, Room::of(20_000, room::BYTES));
    let once = Expression::compile("(object.items.all(x, !string(x).matches('(?i)[a-z]{1,20}')))").expect("an expression");
    assert_eq!(fresh.value_of(&once, None), Ok(json!(true)), "a pattern is compiled once");
    let long = value_of("(object.text.indexOf(object.text + object.text) == -1)").expect_err("a long text");
    assert_eq!(long, "`indexOf`: the text to look for has 2000 bytes; 1024 are the most");
}

#[test]
fn patterns_have_a_largest_size() {
    fails("('a'.matches('((((((a{1,50}){1,50}){1,50}){1,50}){1,50}){1,50})'))", "size limit");
    fails("('a'.find('((((((a{1,50}){1,50}){1,50}){1,50}){1,50}){1,50})'))", "size limit");
    gives("('10.0.0.1'.matches('^[0-9]{1,3}([.][0-9]{1,3}){3}$') && matches('a', 'a'))", json!(true));
    fails("('a'.matches('('))", "not a valid regex");
    fails("(1.replace('a', 'b'))", "expected a value of type string");
    gives("('aaa'.replace('a', 'b', 2) + 'aaa'.replace('a', 'b', -1) + ['a', 'b'].join())", json!("bbabbbab"));
}

#[test]
fn numbers_keep_their_value_however_large() {
    let object = json!({"large": u64::MAX, "small": i64::MIN, "memory": 274_841_206_784_u64, "half": 0.5});
    assert_eq!(evaluate("(object.large)", &object), Ok(json!(u64::MAX)));
    assert_eq!(evaluate("(object.small)", &object), Ok(json!(i64::MIN)));
    assert_eq!(evaluate("(object.memory / 1048576)", &object), Ok(json!(262_109)));
    assert_eq!(evaluate("(object.half == 0.5)", &object), Ok(json!(true)));
    assert!(evaluate("(object.small - 1)", &object).expect_err("overflow").contains("overflows"));
    assert!(evaluate("(1 / 0)", &object).expect_err("no number").contains("division by zero"));
}

#[test]
fn an_error_that_holds_a_mapping_reads_the_same_each_time() {
    let errors: std::collections::BTreeSet<String> =
        (0..20).map(|_| evaluate("(object.metadata.labels + 1)", &group()).expect_err("no sum")).collect();
    assert_eq!(errors.into_iter().collect::<Vec<_>>(), ["`add` isn't defined for map and int"]);
}
