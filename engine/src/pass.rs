//! The life of one pass, and all that a controller may do in it.
//!
//! A controller is a function that reads downward, like upstream's: it looks at objects, asks the hypervisor, writes, waits.
//! Whatever needs an answer leaves the function through `?` ([`Flow`]); when the answer is there the function is run again
//! from the top, and finds everything that it asked for before already answered. So a pass is a pure function of the objects
//! that it saw and of the answers that it got, and its whole memory is those two lists: it can be cloned, compared and thrown
//! away at any message. What a pass saw once stays as it saw it, however long the pass is open.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::id::{VmId, WriteId};
use vmtwin_model::kube::api::{self, Notice, Write};
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource, View};
use vmtwin_model::rng::{Draw, Rng};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Failure, Operation, Reply, answer};

use crate::cache::Cache;
use crate::group;
use crate::groups::Listing;
use crate::limits;
use crate::queue::Key;
use crate::settings::Settings;
use crate::storage_usage::{Sums, Taken, Whose};
use crate::verdict::Verdict;

/// The number of a pass, unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct PassId(pub u64);

/// Why a controller's function was left: an answer is still to come, or the pass is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Run it again when the answer is there.
    Suspended,
    /// The pass ends so.
    End(Verdict),
}

impl From<Verdict> for Stop {
    fn from(verdict: Verdict) -> Self {
        Self::End(verdict)
    }
}

/// What a controller's function gives back: a value, or the reason to leave.
pub type Flow<T> = Result<T, Stop>;

/// What a pass waits for besides answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// A VM has this power state.
    PowerState(VmId, PowerState),
    /// One of these objects changes.
    ObjectsChange(Vec<ObjectKey>),
}

/// Something that a pass asked for, with what came of it.
#[derive(Clone, Debug)]
enum Exchange {
    Call { operation: Operation, answer: answer::Answer, at: Timestamp },
    Writes { keys: Vec<ObjectKey>, results: Vec<api::Answer>, at: Timestamp },
    Wait { until: Until, happened: bool, objects: Vec<(ObjectKey, Option<Arc<Object>>)>, at: Timestamp },
}

/// What an open pass is waiting for.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    Call(Operation),
    /// Writes that left together; the pass goes on when the last of them is answered.
    Writes {
        keys: Vec<ObjectKey>,
        answers: BTreeMap<WriteId, api::Answer>,
    },
    Wait,
    /// The last write, after which the pass ends with this verdict.
    Closing(Verdict),
}

/// A pass: what it is for, what it saw, what it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) id: PassId,
    pub(crate) key: Key,
    pub(crate) began: Timestamp,
    pub(crate) argument: Option<Arc<Argument>>,
    pub(crate) group: group::Known,
    seen: Seen,
    exchanges: Vec<Exchange>,
    notices: usize,
    pub(crate) pending: Option<Pending>,
    pub(crate) mutated: bool,
}

/// What a controller was started with besides its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// What comes before.
    pub before: Vec<Operation>,
    /// The call that makes the VM.
    pub deploy: Operation,
    /// What takes everything back if it fails.
    pub cleanup: Option<Operation>,
    /// The zone that it goes to.
    pub zone: Arc<str>,
}

/// The objects of one kind in one namespace.
type List = Arc<[Arc<Object>]>;

#[derive(Clone, Debug, Default)]
struct Seen {
    objects: BTreeMap<ObjectKey, Option<Arc<Object>>>,
    lists: BTreeMap<(Kind, Arc<str>), List>,
    any_ring: Option<bool>,
}

/// What a controller's function may see and do. Everything that it does goes through here.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The operator's settings.
    pub settings: &'a Settings,
    cache: &'a Cache,
    usage: &'a Sums,
    pass: &'a mut Pass,
    at: usize,
    now: Timestamp,
    fresh: BTreeMap<ObjectKey, Option<Arc<Object>>>,
    said: usize,
    slots_free: bool,
    creating: bool,
    rng: Rng,
    asked: Option<Asked>,
    notices: Vec<Notice>,
    spawned: Option<(Key, Argument)>,
    remembered: Option<group::Memory>,
}

/// What a controller's function asked for when it was left.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Call(Operation),
    Writes(Vec<Write>),
    Wait { until: Until, deadline: Timestamp },
}

/// What a run of a controller's function brought about.
#[derive(Debug)]
pub(crate) struct Effects {
    /// What it waits for.
    pub(crate) asked: Option<Asked>,
    /// What it tells people.
    pub(crate) notices: Vec<Notice>,
    /// What it starts in the background.
    pub(crate) spawned: Option<(Key, Argument)>,
}

/// What a pass may know of the operator besides the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) cache: &'a Cache,
    pub(crate) usage: &'a Sums,
    pub(crate) slots_free: bool,
    pub(crate) creating: bool,
    pub(crate) rng: Rng,
}

impl Pass {
    pub(crate) fn new(id: PassId, key: Key, began: Timestamp, argument: Option<Arc<Argument>>) -> Self {
        Self {
            id,
            key,
            began,
            argument,
            group: group::Known::default(),
            seen: Seen::default(),
            exchanges: Vec::new(),
            notices: 0,
            pending: None,
            mutated: false,
        }
    }

    /// The versions of the objects that the pass saw, in the order of their keys.
    pub(crate) fn versions(&self) -> Vec<(ObjectKey, u64)> {
        let seen = self.seen.objects.iter();
        seen.filter_map(|(key, object)| Some((key.clone(), object.as_ref()?.resource_version))).collect()
    }

    pub(crate) fn answered(&mut self, now: Timestamp, operation: Operation, answer: answer::Answer) {
        self.mutated |= operation.mutates() && answer.result.is_ok();
        self.push(Exchange::Call { operation, answer, at: now });
    }

    pub(crate) fn written(&mut self, now: Timestamp, keys: Vec<ObjectKey>, results: Vec<api::Answer>) {
        self.mutated |= results.iter().any(Result::is_ok);
        self.push(Exchange::Writes { keys, results, at: now });
    }

    pub(crate) fn waited(&mut self, now: Timestamp, until: Until, happened: bool, cache: &Cache) {
        let objects = match &until {
            Until::ObjectsChange(keys) => keys.iter().map(|key| (key.clone(), cache.get(key).cloned())).collect(),
            Until::PowerState(..) => Vec::new(),
        };
        self.push(Exchange::Wait { until, happened, objects, at: now });
    }

    fn push(&mut self, exchange: Exchange) {
        assert!(self.exchanges.len() < limits::EXCHANGES_PER_PASS, "a pass of {} asks for ever", self.key);
        self.exchanges.push(exchange);
    }
}

impl<'a> Cx<'a> {
    pub(crate) fn new(pass: &'a mut Pass, around: Around<'a>) -> Self {
        let Around { settings, cache, usage, slots_free, creating, rng } = around;
        let now = pass.began;
        Self {
            settings,
            cache,
            usage,
            pass,
            at: 0,
            now,
            fresh: BTreeMap::new(),
            said: 0,
            slots_free,
            creating,
            rng,
            asked: None,
            notices: Vec::new(),
            spawned: None,
            remembered: None,
        }
    }

    /// The instant: that of the pass's beginning, or of the last answer that it looked at.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The object that the pass is for, as it was when the pass began.
    pub fn subject(&mut self) -> Option<Arc<Object>> {
        let key = self.pass.key.object.clone();
        self.get(&key)
    }

    /// An object as the operator knows it, or knew it when this pass first asked; what a wait was about is seen anew.
    pub fn get(&mut self, key: &ObjectKey) -> Option<Arc<Object>> {
        if let Some(fresh) = self.fresh.get(key) {
            return fresh.clone();
        }
        if let Some(seen) = self.pass.seen.objects.get(key) {
            return seen.clone();
        }
        let object = self.cache.get(key).cloned();
        self.pass.seen.objects.insert(key.clone(), object.clone());
        object
    }

    /// The object of kind `K` with this namespace (empty for cluster scope) and name.
    pub fn find<K: Resource>(&mut self, namespace: &str, name: &str) -> Option<Known<K>> {
        Known::new(self.get(&ObjectKey::of::<K>(namespace, name))?)
    }

    /// All objects of kind `K` in a namespace (empty: in cluster scope, or in all), in the order of their names, as
    /// they were when this pass first asked.
    pub fn list<K: Resource>(&mut self, namespace: &str) -> Vec<Known<K>> {
        let key = (K::KIND, Arc::<str>::from(namespace));
        let cache = self.cache;
        let list = self
            .pass
            .seen
            .lists
            .entry(key)
            .or_insert_with(|| cache.list(K::KIND, (!namespace.is_empty()).then_some(namespace)).cloned().collect());
        list.iter().cloned().filter_map(Known::new).collect()
    }

    /// The objects of kind `K` that name this one, in the order of their keys, as they were when this pass first asked.
    pub fn naming<K: Resource>(&mut self, target: &ObjectKey) -> Vec<Known<K>> {
        // The names of namespaces have no slash.
        let key = (K::KIND, Arc::<str>::from(target.to_string()));
        let cache = self.cache;
        let list = self.pass.seen.lists.entry(key).or_insert_with(|| {
            cache.referrers(target).filter(|key| key.kind == K::KIND).filter_map(|key| cache.get(key).cloned()).collect()
        });
        list.iter().cloned().filter_map(Known::new).collect()
    }

    /// What is taken of a storage class in a namespace.
    pub(crate) fn taken(&self, namespace: &Arc<str>, class: &str, whose: Whose) -> Taken {
        self.usage.taken(namespace, class, whose)
    }

    /// Where a group lists a member.
    #[must_use]
    pub(crate) fn place_in(&self, group: &Object, member: &ObjectKey) -> Option<usize> {
        self.cache.groups().listing(group)?.place(member)
    }

    /// All that a group lists.
    #[must_use]
    pub(crate) fn listing(&self, group: &Object) -> Arc<Listing> {
        self.cache.groups().listing(group).expect("only groups list members")
    }

    /// Whether any groups formed a ring when this pass first asked.
    pub(crate) fn any_ring(&mut self) -> bool {
        *self.pass.seen.any_ring.get_or_insert_with(|| self.cache.groups().any_ring())
    }

    /// What is known beforehand of the group that the pass is for.
    pub(crate) fn group(&self) -> &group::Known {
        &self.pass.group
    }

    /// Leaves a memory to the group's next pass; it is kept if this one ends well.
    pub(crate) fn remember(&mut self, memory: group::Memory) {
        self.remembered = Some(memory);
    }

    /// The memory that was to be left so far.
    pub(crate) fn take_memory(&mut self) -> Option<group::Memory> {
        self.remembered.take()
    }

    /// Asks the hypervisor.
    ///
    /// # Errors
    /// Leaves the function while the answer isn't there.
    pub fn call(&mut self, operation: Operation) -> Flow<Result<Reply, Failure>> {
        match self.pass.exchanges.get(self.at) {
            Some(Exchange::Call { operation: asked, answer, at }) => {
                assert!(*asked == operation, "a pass asked for {operation} where it had asked for {asked}");
                (self.at, self.now) = (self.at + 1, *at);
                Ok(answer.result.clone())
            }
            Some(other) => unreachable!("a pass asked for {operation} where it had asked for {other:?}"),
            None => self.leave(Asked::Call(operation)),
        }
    }

    /// Writes an object other than the pass's own (that one is written when the pass ends).
    ///
    /// # Errors
    /// Leaves the function while the answer isn't there.
    pub fn write(&mut self, write: Write) -> Flow<api::Answer> {
        let mut answers = self.write_all(vec![write])?;
        Ok(answers.pop().expect("one write has one answer"))
    }

    /// Writes several objects other than the pass's own at once, and gives the answers in the order of the writes. However many
    /// they are, the function is run again once.
    ///
    /// # Errors
    /// Leaves the function while an answer isn't there.
    pub fn write_all(&mut self, writes: Vec<Write>) -> Flow<Vec<api::Answer>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        match self.pass.exchanges.get(self.at) {
            Some(Exchange::Writes { keys, results, at }) => {
                let same = keys.iter().eq(writes.iter().map(Write::key));
                assert!(same, "a pass wrote {:?} where it had written {keys:?}", writes.iter().map(Write::key).collect::<Vec<_>>());
                (self.at, self.now) = (self.at + 1, *at);
                Ok(results.clone())
            }
            Some(other) => unreachable!("a pass wrote {} where it had asked for {other:?}", writes[0].key()),
            None => self.leave(Asked::Writes(writes)),
        }
    }

    /// Waits for something, but not longer than `at_most`; tells whether it happened. The pass holds nothing meanwhile.
    ///
    /// # Errors
    /// Leaves the function while neither has come.
    pub fn wait(&mut self, until: Until, at_most: Span) -> Flow<bool> {
        match self.pass.exchanges.get(self.at) {
            Some(Exchange::Wait { until: waited, happened, objects, at }) => {
                assert!(*waited == until, "a pass waited for {until:?} where it had waited for {waited:?}");
                (self.at, self.now) = (self.at + 1, *at);
                self.fresh.extend(objects.iter().cloned());
                Ok(*happened)
            }
            Some(other) => unreachable!("a pass waited for {until:?} where it had asked for {other:?}"),
            None => {
                let deadline = self.now + at_most;
                self.leave(Asked::Wait { until, deadline })
            }
        }
    }

    fn leave<T>(&mut self, asked: Asked) -> Flow<T> {
        self.asked = Some(asked);
        Err(Stop::Suspended)
    }

    /// Tells people something about an object (a Kubernetes Event); once, however often the function is run again.
    pub fn notice(&mut self, notice: Notice) {
        self.said += 1;
        if self.said > self.pass.notices {
            self.pass.notices = self.said;
            self.notices.push(notice);
        }
    }

    /// A draw of chance, by the name of what is drawn and a key for what; the same whenever the function is run again.
    #[must_use]
    pub fn draw(&self, stream: &str, key: impl std::fmt::Debug) -> Draw {
        self.rng.draw(stream, key)
    }

    /// Whether one more VM may be created just now.
    #[must_use]
    pub fn create_slot_is_free(&self) -> bool {
        self.slots_free
    }

    /// Whether a create of this object is under way in the background.
    #[must_use]
    pub fn is_creating(&self) -> bool {
        self.creating
    }

    /// Starts the background part of this VM's creation; it begins when this pass ends.
    pub fn create_in_background(&mut self, argument: Argument) {
        let key = Key { controller: crate::queue::Controller::VmCreate, object: self.pass.key.object.clone() };
        self.spawned = Some((key, argument));
    }

    pub(crate) fn controller(&self) -> crate::queue::Controller {
        self.pass.key.controller
    }

    pub(crate) fn into_effects(self) -> Effects {
        // A function that is left is run again, and knows no more beforehand than the first time.
        if self.asked.is_none() {
            self.pass.group.memory = self.remembered.map(Arc::new);
        }
        Effects { asked: self.asked, notices: self.notices, spawned: self.spawned }
    }

    /// What the pass was started with.
    #[must_use]
    pub fn argument(&self) -> Option<Arc<Argument>> {
        self.pass.argument.clone()
    }
}

/// An object of kind `K` that a pass holds on to.
#[derive(Debug)]
pub struct Known<K: Resource> {
    /// The object.
    pub object: Arc<Object>,
    kind: std::marker::PhantomData<K>,
}

impl<K: Resource> Clone for Known<K> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), kind: std::marker::PhantomData }
    }
}

impl<K: Resource> Known<K> {
    /// The object as kind `K`, if it is one.
    #[must_use]
    pub fn new(object: Arc<Object>) -> Option<Self> {
        object.view::<K>()?;
        Some(Self { object, kind: std::marker::PhantomData })
    }

    /// Its typed view.
    #[must_use]
    pub fn view(&self) -> View<'_, K> {
        self.object.view().expect("the kind was checked when this was made")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.object.key.name
    }

    /// Its spec.
    #[must_use]
    pub fn spec(&self) -> &K::Spec {
        self.view().spec
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> &K::Status {
        self.view().status
    }
}
