//! What hostile input is thrown at: one function for each door through which strangers' bytes come in. The fuzz targets (`tests/fuzz`) and the
//! stable test (`tests/it/hostile.rs`) call the same functions, so that whatever a fuzzer finds fails in both.
//!
//! Nothing is expected of the input. Held are: no panic, little time, and what each function's assertions say.

mod entropy;
mod objects;
mod requests;

use std::cell::Cell;
use std::path::Path;

use vmtwin_model::vsphere::Inventory;
use vmtwin_scenarios::format::{self, Loaded, Memory, Scenario};
use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{self, Options};
use vmtwin_scenarios::timeline::{self, Style};
use vmtwin_scenarios::yaml::Limits;

pub use requests::admit;

/// Where the file is said to lie: from there the library's files find their inventory.
const NAME: &str = "scenarios/library/hostile/a.yaml";
/// The inventories that the library leans on.
const INVENTORY: &str = include_str!("../../../scenarios/inventories/small.yaml");
const THREE_ZONES: &str = include_str!("../../../scenarios/inventories/three-zones.yaml");
/// How many scenarios of a matrix are run.
const SCENARIOS: usize = 3;
/// The hosts and datastores of an infrastructure that is still run; larger ones cost time and show nothing more.
const HOSTS: usize = 200;
/// How often a run asks whether to go on before it is told to stop; it asks every thousand turns or so.
const ASKS: u32 = 3;

/// Reads bytes as a scenario file.
///
/// # Panics
/// If the reader panics, if a diagnostic can't be shown, or if scenarios come of a file that isn't valid.
pub fn read(bytes: &[u8]) -> Loaded {
    let _whatever_it_says = format::is_scenario_file(bytes);
    let files = ["scenarios/inventories/small.yaml", "scenarios/library/hostile/small.yaml"];
    let files = files.into_iter().fold(Memory::default(), |files, path| files.with(path, INVENTORY));
    let files = files.with("scenarios/inventories/three-zones.yaml", THREE_ZONES);
    let limits = Limits { bytes: 1 << 20, nodes: 50_000, scalar: 1 << 16, text: 1 << 20, ..Limits::default() };
    let loaded = format::load_within(Path::new(NAME), bytes, &files, &limits);
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.render(true).is_empty() && diagnostic.to_json()["code"].is_string());
    }
    assert_eq!(loaded.scenarios.is_empty(), !loaded.is_valid(), "scenarios come of valid files alone, and of every one");
    loaded
}

/// Reads bytes as a scenario file, and runs what it comes to, each scenario twice and for so long.
///
/// # Panics
/// If a run panics, can't be told, or isn't the same the second time.
pub fn run(bytes: &[u8]) {
    let loaded = read(bytes);
    for scenario in loaded.scenarios.iter().filter(|scenario| is_small(&scenario.inventory)).take(SCENARIOS) {
        let (first, second) = (digest(scenario), digest(scenario));
        assert_eq!(first, second, "the same file and seed give the same run");
    }
}

fn is_small(inventory: &Inventory) -> bool {
    let hosts: usize = inventory.zones.iter().flat_map(|zone| &zone.clusters).map(|cluster| cluster.hosts.len()).sum();
    hosts <= HOSTS && inventory.datastores.len() <= HOSTS && inventory.virtual_machines.len() <= HOSTS
}

/// The digest of a run, all of which was told.
fn digest(scenario: &Scenario) -> String {
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > ASKS
    };
    let ran = runner::run(scenario, &Options { keep: Keep::All, ..Options::default() }, &stop);
    for record in &ran.records {
        assert!(record.to_json().is_object() && !timeline::line(record, Style::default()).is_empty());
    }
    assert!(ran.report.to_json().is_object());
    ran.report.digest
}
