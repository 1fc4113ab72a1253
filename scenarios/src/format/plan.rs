//! `kind: CapacityPlan`: from a document to a plan, or to all that is wrong with it. Source: capacity §2.
//!
//! What a plan may ask beyond what is answered is known by name, and refused by it.

use std::collections::BTreeSet;
use std::path::Path;

use vmtwin_model::time::Span;
use vmtwin_sim::planning::Overcommit;

use super::files::{Disk, Files, Root};
use super::session::{Session, is_kind, own_kind};
use super::{API_VERSION, Scenario, load, load_bytes, nearest};
use crate::capacity::{Apart, HeadroomQuestion, Keep, Plan, Requirement, Sets, SurviveQuestion};
use crate::diagnostics::{Code, Diagnostic, Region};
use crate::yaml::{Data, Entry, Limits, Node};

/// What came of a plan's file.
#[derive(Clone, Debug)]
pub struct LoadedPlan {
    /// The plan; none if anything is wrong.
    pub plan: Option<Plan>,
    /// What is wrong, in the file's order; that of the baseline's own files first.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file that holds a plan; nothing if it holds none.
#[must_use]
pub fn load_plan(path: &Path, root: &Root) -> Option<LoadedPlan> {
    let disk = Disk::new(root.clone());
    let bytes = disk.read(path).ok()?;
    if !String::from_utf8_lossy(&bytes).contains("CapacityPlan") {
        return None;
    }
    let limits = Limits::default();
    let mut session = Session::new(&disk, &limits);
    let read = session.take(path, &bytes)?;
    let document = read.documents.iter().find(|document| own_kind(document) == Some("CapacityPlan"))?.clone();
    let mut reader = Reader { session: &mut session };
    if !is_kind(&document, "CapacityPlan") {
        let help = Some(format!("write `{API_VERSION}`"));
        reader.session.sink.tell_help(Code::NoScenario, document.region, "no version of the format has this name", help);
    }
    reader.fields(&document, &["apiVersion", "kind", "metadata", "spec"], &[]);
    let mut diagnostics = Vec::new();
    let spec = document.get("spec").cloned().unwrap_or_else(|| Node::new(document.region, Data::Mapping(Vec::new())));
    let baseline = reader.baseline(&spec, path, &bytes, root, &mut diagnostics);
    let plan = baseline.map(|baseline| {
        let mut plan = reader.plan(&spec, baseline);
        let name = document.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
        if let Some(name) = name {
            name.clone_into(&mut plan.name);
        }
        plan
    });
    let wrong = session.sink.errors() > 0;
    diagnostics.extend(session.sink.finish());
    Some(LoadedPlan { plan: plan.filter(|_| !wrong), diagnostics })
}

/// A baseline by itself: a scenario, or an inventory.
#[must_use]
pub fn load_baseline(path: &Path, root: &Root) -> super::Loaded {
    let disk = Disk::new(root.clone());
    let is_inventory = disk.read(path).ok().is_some_and(|bytes| !super::is_scenario_file(&bytes) && holds_inventory(&bytes));
    if !is_inventory {
        return load(path, root);
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = file.split('.').next().unwrap_or_default();
    // An inventory is the infrastructure of a scenario in which nothing happens.
    let text = format!(
        "apiVersion: {API_VERSION}\nkind: Scenario\nmetadata: {{name: {}}}\nspec: {{vsphere: {{from: {}}}}}\n",
        serde_json::Value::from(name),
        serde_json::Value::from(&*file)
    );
    let mut loaded = load_bytes(path.with_file_name(format!("{name}-baseline")), text.as_bytes(), &disk);
    for scenario in &mut loaded.scenarios {
        scenario.name = name.to_owned();
    }
    loaded
}

fn holds_inventory(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.lines().any(|line| line.strip_prefix("kind:").is_some_and(|kind| kind.trim() == "Inventory"))
}

struct Reader<'s, 'f> {
    session: &'s mut Session<'f>,
}

impl Reader<'_, '_> {
    fn wrong(&mut self, code: Code, region: Region, message: impl Into<String>) {
        self.session.sink.tell(code, region, message);
    }

    /// Holds the fields of a mapping against those that there are. `unanswered`: those of questions that aren't answered.
    fn fields(&mut self, node: &Node, known: &[&str], unanswered: &[&str]) {
        if !matches!(node.data, Data::Mapping(_)) {
            self.wrong(Code::WrongType, node.region, format!("a mapping is expected, found {}", node.sort()));
        }
        for Entry { key, key_region, .. } in node.entries() {
            if unanswered.contains(&&**key) {
                self.wrong(Code::NotSupported, *key_region, format!("`{key}` isn't answered by this version of vmtwin"));
            } else if !known.contains(&&**key) {
                let mut effort = 10_000;
                let help = nearest(key, known.iter().copied(), &mut effort).map(|near| format!("did you mean `{near}`?"));
                self.session.sink.tell_help(Code::UnknownField, *key_region, format!("unknown field `{key}`"), help);
            }
        }
    }

    fn text(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node?;
        match node.as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong(Code::WrongType, node.region, format!("a string is expected, found {}", node.sort()));
                None
            }
        }
    }

    fn whole(&mut self, node: Option<&Node>, least: u64) -> Option<u64> {
        let node = node?;
        let number = match &node.data {
            Data::Number(number) => number.as_u64(),
            _ => None,
        };
        match number.filter(|number| *number >= least) {
            Some(number) => Some(number),
            None => {
                self.wrong(Code::NumberRange, node.region, format!("CAP005: a whole number of at least {least} is expected"));
                None
            }
        }
    }

    fn span(&mut self, node: Option<&Node>) -> Option<Span> {
        let node = node?;
        match node.as_str().and_then(span_of).filter(|span| *span > Span::ZERO) {
            Some(span) => Some(span),
            None => {
                self.wrong(Code::Duration, node.region, "CAP005: a positive duration is expected, such as `90s` or `7d`");
                None
            }
        }
    }

    fn words<T: std::str::FromStr<Err = String>>(&mut self, node: &Node) -> Vec<T> {
        if node.items().is_empty() {
            self.wrong(Code::WrongType, node.region, "CAP005: a list with something in it is expected");
        }
        let mut words = Vec::new();
        for item in node.items() {
            match item.as_str().map(str::parse::<T>) {
                Some(Ok(word)) => words.push(word),
                Some(Err(message)) => self.wrong(Code::UnknownWord, item.region, message),
                None if matches!(item.data, Data::Sequence(_)) => {
                    self.wrong(Code::NotSupported, item.region, "sets of hosts aren't answered by this version of vmtwin");
                }
                None => self.wrong(Code::WrongType, item.region, format!("a string is expected, found {}", item.sort())),
            }
        }
        words
    }

    fn baseline(&mut self, spec: &Node, path: &Path, bytes: &[u8], root: &Root, told: &mut Vec<Diagnostic>) -> Option<Scenario> {
        let own = super::is_scenario_file(bytes);
        let given = spec.get("baseline");
        let loaded = match (given, own) {
            (Some(given), true) => {
                self.wrong(Code::Contradiction, given.region, "CAP001: there are two baselines: this one, and the Scenario of this file");
                return None;
            }
            (None, false) => {
                self.wrong(Code::MissingField, spec.region, "CAP001: there is no baseline: name one, or put a Scenario into this file");
                return None;
            }
            (None, true) => load_bytes(path, bytes, &Disk::new(root.clone())),
            (Some(given), false) => match given.as_str() {
                Some(text) => {
                    let resolved = self.session.resolve(text, given.region)?;
                    load_baseline(&resolved, root)
                }
                None => {
                    self.wrong(Code::NotSupported, given.region, "a baseline in place isn't read by this version of vmtwin: name a file");
                    return None;
                }
            },
        };
        told.extend(loaded.diagnostics);
        match <[Scenario; 1]>::try_from(loaded.scenarios) {
            Ok([one]) => Some(one),
            Err(several) if several.is_empty() => None,
            Err(_) => {
                let region = given.map_or(spec.region, |given| given.region);
                self.wrong(Code::NotSupported, region, "a baseline with a matrix isn't read by this version of vmtwin");
                None
            }
        }
    }

    fn plan(&mut self, spec: &Node, baseline: Scenario) -> Plan {
        const KNOWN: [&str; 8] = ["baseline", "settle", "allow", "seed", "overcommit", "headroom", "survive", "requirements"];
        const UNANSWERED: [&str; 8] = ["seeds", "classes", "usable", "maintenance", "consolidate", "growth", "changes", "experiment"];

        self.fields(spec, &KNOWN, &UNANSWERED);
        let mut plan = Plan::of(baseline);
        if let Some(settle) = self.span(spec.get("settle")) {
            plan.settle = settle;
        }
        plan.seed = self.whole(spec.get("seed"), 0);
        if let Some(allow) = spec.get("allow") {
            plan.allow = self.words::<Allowed>(allow).into_iter().map(|Allowed(word)| word).collect();
        }
        if let Some(overcommit) = spec.get("overcommit") {
            plan.overcommit = self.overcommit(overcommit);
        }
        if let Some(headroom) = spec.get("headroom") {
            if headroom.items().is_empty() {
                self.wrong(Code::WrongType, headroom.region, "CAP005: a list with something in it is expected");
            }
            plan.headroom = headroom.items().iter().filter_map(|item| self.headroom(item)).collect();
        }
        plan.survive = spec.get("survive").map(|survive| self.survive(survive));
        for item in spec.get("requirements").map_or(&[][..], Node::items) {
            let requirement = self.requirement(item);
            // A requirement on what isn't asked adds that question.
            match &requirement {
                Some(Requirement::AtLeast { headroom, .. }) if !plan.headroom.iter().any(|question| question.name == *headroom) => {
                    plan.headroom.push(HeadroomQuestion::of(headroom));
                }
                Some(Requirement::Survive { of, .. }) => {
                    let asked = || SurviveQuestion { of: BTreeSet::new(), within: Span::from_hours(1), keep: None };
                    plan.survive.get_or_insert_with(asked).of.insert(*of);
                }
                _ => {}
            }
            plan.requirements.extend(requirement);
        }
        plan
    }

    fn overcommit(&mut self, node: &Node) -> Overcommit {
        let none = Overcommit::default();
        if node.as_str() == Some("none") {
            return none;
        }
        self.fields(node, &["cpu", "memory", "storage"], &[]);
        let mut ratio = |key: &str, otherwise: i64| match node.get(key) {
            None => Some(otherwise),
            Some(node) if is_unbounded(node) => None,
            Some(node) => {
                let ratio = hundredths(node).filter(|ratio| *ratio > 0);
                if ratio.is_none() {
                    self.wrong(Code::NumberRange, node.region, "CAP005: a positive ratio is expected, such as `4` or `1.5`");
                }
                Some(ratio.unwrap_or(otherwise))
            }
        };
        Overcommit { cpu: ratio("cpu", 400), memory: ratio("memory", 100) }
    }

    fn headroom(&mut self, node: &Node) -> Option<HeadroomQuestion> {
        if let Some(class) = node.as_str() {
            return Some(HeadroomQuestion::of(class));
        }
        const KNOWN: [&str; 9] = ["class", "name", "namespace", "image", "storageClass", "zone", "per", "apart", "limit"];
        self.fields(node, &KNOWN, &["mix", "together", "template"]);
        let Some(class) = self.text(node.get("class")) else {
            if node.get("class").is_none() {
                self.wrong(Code::MissingField, node.region, "the field `class` is missing");
            }
            return None;
        };
        let per = node.get("per").map(|per| self.words::<Per>(per)).unwrap_or_default();
        let apart = self.text(node.get("apart")).and_then(|word| match word.as_str() {
            "host" => Some(Apart::Host),
            "zone" => Some(Apart::Zone),
            _ => {
                let region = node.get("apart").map_or(node.region, |apart| apart.region);
                self.wrong(Code::UnknownWord, region, format!("`{word}` is neither `host` nor `zone`"));
                None
            }
        });
        Some(HeadroomQuestion {
            name: self.text(node.get("name")).unwrap_or_else(|| class.clone()),
            namespace: self.text(node.get("namespace")),
            image: self.text(node.get("image")),
            storage_class: self.text(node.get("storageClass")),
            zone: self.text(node.get("zone")),
            per_zone: !per.is_empty(),
            apart,
            limit: self.whole(node.get("limit"), 1).map_or(10_000, |limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            class,
        })
    }

    fn survive(&mut self, node: &Node) -> SurviveQuestion {
        let within = Span::from_hours(1);
        if matches!(node.data, Data::Sequence(_)) {
            return SurviveQuestion { of: self.words::<Sets>(node).into_iter().collect(), within, keep: None };
        }
        self.fields(node, &["of", "within", "keep"], &["recreate"]);
        let of = match node.get("of") {
            Some(of) => self.words::<Sets>(of).into_iter().collect(),
            None => {
                self.wrong(Code::MissingField, node.region, "the field `of` is missing");
                BTreeSet::new()
            }
        };
        let keep = node.get("keep").map(|keep| self.words::<Keep>(keep).into_iter().collect());
        SurviveQuestion { of, within: self.span(node.get("within")).unwrap_or(within), keep }
    }

    fn requirement(&mut self, node: &Node) -> Option<Requirement> {
        const UNANSWERED: [&str; 10] =
            ["timeRemaining", "percentile", "maintenance", "hosts", "used", "atMost", "cel", "cluster", "zone", "of"];
        self.fields(node, &["name", "headroom", "atLeast", "survive", "within"], &UNANSWERED);
        match (node.get("headroom"), node.get("survive")) {
            (Some(headroom), None) => {
                let headroom = self.text(Some(headroom))?;
                let Some(at_least) = node.get("atLeast") else {
                    self.wrong(Code::MissingField, node.region, "the field `atLeast` is missing");
                    return None;
                };
                let at_least = self.whole(Some(at_least), 0)?;
                Some(Requirement::AtLeast { headroom, at_least: u32::try_from(at_least).unwrap_or(u32::MAX) })
            }
            (None, Some(survive)) => {
                let word = self.text(Some(survive))?;
                match word.parse::<Sets>() {
                    Ok(of) => Some(Requirement::Survive { of, within: self.span(node.get("within")) }),
                    Err(message) => {
                        self.wrong(Code::UnknownWord, survive.region, message);
                        None
                    }
                }
            }
            _ => {
                self.wrong(Code::MissingField, node.region, "a requirement is on `headroom` or on `survive`");
                None
            }
        }
    }
}

/// What a baseline may be all the same.
struct Allowed(String);

impl std::str::FromStr for Allowed {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "unsettled" | "infeasible" => Ok(Self(word.to_owned())),
            _ => Err(format!("`{word}` is neither `unsettled` nor `infeasible`")),
        }
    }
}

/// What is counted apart.
struct Per;

impl std::str::FromStr for Per {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "zone" => Ok(Self),
            "cluster" => Err("`per: [cluster]` isn't answered by this version of vmtwin".to_owned()),
            _ => Err(format!("`{word}` is neither `zone` nor `cluster`")),
        }
    }
}

/// A duration as Go's, and days and weeks besides. Source: capacity §2.
#[must_use]
pub fn span_of(text: &str) -> Option<Span> {
    for (unit, hours) in [("d", 24), ("w", 7 * 24)] {
        if let Some(number) = text.strip_suffix(unit)
            && let Ok(number) = number.parse::<i64>()
        {
            return number.checked_mul(hours).filter(|hours| (0..=43_800).contains(hours)).map(Span::from_hours);
        }
    }
    text.parse().ok()
}

fn is_unbounded(node: &Node) -> bool {
    matches!(node.as_str(), Some(".inf" | "none")) || matches!(&node.data, Data::Number(number) if number.to_string().contains("inf"))
}

/// A number with at most two digits after the point, in hundredths.
fn hundredths(node: &Node) -> Option<i64> {
    let text = match &node.data {
        Data::Number(number) => number.to_string(),
        Data::String(text) => text.to_string(),
        _ => return None,
    };
    hundredths_of(&text)
}

/// A number with at most two decimals, in hundredths; nothing if the text is none.
#[must_use]
pub fn hundredths_of(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fraction)
}
