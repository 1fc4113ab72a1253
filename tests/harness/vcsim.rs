//! govmomi's simulator behind the contract of the port: built, started, and ended by the test that wants it.
//!
//! Where Go isn't installed the tests say that they are skipped; with `VMTWIN_REQUIRE_VCSIM` set they fail then, so that no machine
//! that is meant to run them passes them over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc as messages;
use vmtwin_model::id::VmId;
use vmtwin_model::vsphere::{Answer, Change, Changed, FaultName, Operation};
use vmtwin_vcenter::inventory::Inventory;
use vmtwin_vcenter::observe::{Memory, Watch};
use vmtwin_vcenter::{Connection, Endpoint, execute};

use crate::contract::{Ground, Hypervisor};
use crate::folder::Folder;

/// The longest time that is waited for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The simulator's vSAN default policy. Source: vsphere §8.2.
pub const POLICY: &str = "aa6d5a82-1c88-45da-85d3-3d74b91a5bad";

/// A running simulator. It ends with this.
#[derive(Debug)]
pub struct Simulator {
    child: Child,
    ready: Value,
    certificate: Vec<u8>,
    /// Where its own files lie: they go even if it is killed.
    _folder: Folder,
}

impl Simulator {
    /// Builds and starts one; nothing where there is no Go, which is told.
    ///
    /// # Panics
    /// If it can't be built or doesn't come up, and if there is no Go where it is required.
    #[must_use]
    pub fn start() -> Option<Self> {
        let program = match PROGRAM.get_or_init(build) {
            Ok(program) => program,
            Err(why) => {
                #[expect(clippy::disallowed_methods, reason = "a test is no machine: what it may pass over is the caller's choice")]
                let required = std::env::var("VMTWIN_REQUIRE_VCSIM").is_ok();
                assert!(!required, "{why}");
                println!("skipped, no second world: {why}");
                return None;
            }
        };
        let folder = Folder::empty();
        let mut program = Command::new(program);
        program.env("TMPDIR", &*folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = program.spawn().expect("the simulator starts");
        let ready = first_line(&mut child);
        let ready: Value = serde_json::from_str(&ready).unwrap_or_else(|error| panic!("the simulator says {ready:?}: {error}"));
        let certificate = std::fs::read(ready["certificate"].as_str().expect("a file")).expect("the authority's certificate");
        Some(Self { child, ready, certificate, _folder: folder })
    }

    fn says(&self, what: &str) -> &str {
        self.ready[what].as_str().expect("the simulator says it")
    }

    /// Where it is and how it is talked to.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        let endpoint = Endpoint::new(self.says("url"), self.says("user"), self.says("password"));
        Endpoint { authorities: Some(self.certificate.clone()), ..endpoint }
    }

    /// The OVF item of its library.
    #[must_use]
    pub fn item(&self) -> &str {
        self.says("item")
    }

    /// The next calls of this method fail, so many times.
    ///
    /// # Panics
    /// If the simulator doesn't take it.
    pub fn fail(&self, method: &str, fault: &str, times: u32) {
        let rule = json!({"method": method, "fault": fault, "message": "on purpose", "times": times}).to_string();
        let address = self.says("control").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the control port");
        let head = format!("POST /faults HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", rule.len());
        stream.write_all((head + &rule).as_bytes()).expect("the rule is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }

    /// Ends it at once, as a machine that loses its power.
    ///
    /// # Panics
    /// If it can't be ended.
    pub fn kill(&mut self) {
        self.child.kill().expect("the simulator is killed");
        self.child.wait().expect("the simulator ends");
    }
}

/// It ends when nobody holds its input any more; only if it doesn't, it is killed.
impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        #[expect(clippy::disallowed_methods, reason = "a test is no machine: it waits in real time")]
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();

fn build() -> Result<PathBuf, String> {
    let folder = crate::root().join("tests/vcsim");
    let program = target().join("vcsim");
    let mut command = Command::new("go");
    command
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(&folder)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly -buildvcs=false");
    match command.output() {
        Err(error) => Err(format!("Go isn't installed ({error})")),
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => Err(format!("vcsim can't be built: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// A folder that git doesn't see, beside what cargo builds.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a program");
    test.parent().and_then(Path::parent).expect("it lies in a folder of the target").to_owned()
}

/// The first line of the simulator, awaited no longer than patience lasts.
fn first_line(child: &mut Child) -> String {
    let output = child.stdout.take().expect("the output is piped");
    let (sender, receiver) = mpsc::channel();
    #[expect(clippy::disallowed_methods, reason = "a test is no machine: a read without a limit needs a thread beside it")]
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line).map(|_| line);
        drop(sender.send(read));
    });
    receiver.recv_timeout(PATIENCE).expect("the simulator comes up in time").expect("its output can be read")
}

/// The simulator behind the contract of the port, by the very functions that carry the engine's calls.
#[derive(Debug)]
pub struct Wire {
    runtime: Runtime,
    simulator: Simulator,
    connection: Connection,
    ground: Ground,
    changes: messages::UnboundedReceiver<Change>,
    calls: u64,
}

impl Wire {
    /// Connects to a simulator of its own; nothing where there is no Go.
    ///
    /// # Panics
    /// If the simulator or the connection doesn't come up.
    #[must_use]
    pub fn open() -> Option<Self> {
        let simulator = Simulator::start()?;
        let runtime = runtime();
        let connection = runtime.block_on(Connection::open(simulator.endpoint())).expect("a connection");
        let ground = runtime.block_on(ground(&connection, simulator.item()));
        let (sender, changes) = messages::unbounded_channel();
        runtime.spawn(listen(connection.clone(), sender));
        Some(Self { runtime, simulator, connection, ground, changes, calls: 0 })
    }
}

/// What the simulator's wire runs on.
///
/// # Panics
/// If the system gives no runtime.
#[must_use]
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Where new VMs go, read off the inventory.
///
/// # Panics
/// If the inventory isn't the simulator's.
pub async fn ground(connection: &Connection, item: &str) -> Ground {
    let inventory = Inventory::read(connection).await.expect("the inventory");
    let cluster = inventory.of_kind("ClusterComputeResource").next().expect("a cluster").object.clone();
    let pool = inventory.below(&cluster).find(|entry| entry.object.kind == "ResourcePool").expect("the cluster's root pool");
    let folder = inventory.of_kind("Folder").find(|entry| entry.name == "vm").expect("the datacenter's folder of VMs");
    let datastore = inventory.of_kind("Datastore").next().expect("a datastore");
    Ground {
        cluster: cluster.id.clone().into(),
        pool: pool.object.id.as_str().into(),
        folder: folder.object.id.as_str().into(),
        datastore: datastore.name.as_str().into(),
        item: item.into(),
        policy: POLICY.into(),
    }
}

async fn listen(connection: Connection, sender: messages::UnboundedSender<Change>) {
    let mut memory = Memory::default();
    let mut watch = Watch::begin(&connection, &mut memory).await.expect("a watch");
    loop {
        for change in watch.next(&mut memory).await.expect("the watch goes on") {
            if sender.send(change).is_err() {
                return;
            }
        }
    }
}

impl Hypervisor for Wire {
    fn ground(&self) -> Ground {
        self.ground.clone()
    }

    fn call_all(&mut self, operations: Vec<Operation>) -> Vec<Vec<Answer>> {
        let mut calls = Vec::new();
        for operation in operations {
            self.calls += 1;
            let (connection, id) = (self.connection.clone(), format!("vmtwin-contract-{}", self.calls));
            calls.push(self.runtime.spawn(async move { execute::execute(&connection, &operation, &id).await }));
        }
        self.runtime.block_on(async {
            let mut answers = Vec::new();
            for call in calls {
                let answer = tokio::time::timeout(PATIENCE, call).await.expect("an answer in time").expect("no call breaks off");
                answers.push(vec![answer]);
            }
            answers
        })
    }

    fn fail_next(&mut self, method: &'static str, fault: FaultName) {
        self.simulator.fail(method, fault.as_str(), 1);
    }

    fn hear(&mut self, vm: &VmId, wanted: Changed) -> Change {
        let changes = &mut self.changes;
        let heard = async {
            loop {
                let change = changes.recv().await.expect("the watch goes on");
                if change.vm == *vm && change.changed.contains(&wanted) {
                    return change;
                }
            }
        };
        let waited = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, heard).await });
        waited.unwrap_or_else(|_| panic!("{vm} never told {wanted:?}"))
    }
}
