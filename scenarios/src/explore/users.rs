//! What the users of a drawn run ask for: requests that fit what is there, by a small model of the drawer's own, and now and then one
//! that breaks a rule and must be denied.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::dice::Dice;
use super::world::{VMOP, World};

const ZONE: &str = "topology.kubernetes.io/zone";

/// What the drawer thinks is there. It hears of no denial: what is refused because of it ends nothing.
#[derive(Debug, Default)]
pub(super) struct Users {
    pub(super) vms: Vec<Vm>,
    groups: Vec<Group>,
    made: u64,
}

/// A VM as the drawer knows it.
#[derive(Clone, Debug)]
pub(super) struct Vm {
    pub(super) namespace: String,
    pub(super) name: String,
    power: &'static str,
    hard_off: bool,
    checks: Vec<String>,
    volumes: Vec<(String, String)>,
    group: Option<String>,
    boot_disk: u64,
    gone: bool,
}

/// A boot group: its delay in seconds, and its members by kind and name.
type BootGroup = (Option<u64>, Vec<(&'static str, String)>);

#[derive(Clone, Debug)]
struct Group {
    namespace: String,
    name: String,
    boot_order: Vec<BootGroup>,
}

/// A step of the drawer's: the verb with its value, who asks, what is expected.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) verb: &'static str,
    pub(super) value: Value,
    pub(super) privileged: bool,
    pub(super) denied: Option<&'static str>,
}

impl Asked {
    fn of(verb: &'static str, value: Value) -> Self {
        Self { verb, value, privileged: false, denied: None }
    }

    fn privileged(self) -> Self {
        Self { privileged: true, ..self }
    }

    fn denied_at(self, field: &'static str) -> Self {
        Self { denied: Some(field), ..self }
    }
}

impl Users {
    /// The groups that are there from the start, each below the one before up to the depth.
    pub(super) fn begin(&mut self, dice: &mut Dice<'_>, world: &World) -> Vec<Value> {
        let mut objects = Vec::new();
        let depth = usize::try_from(dice.number("world.depth")).unwrap_or(1);
        for at in 0..dice.number("world.groups") {
            let Some(namespace) = dice.one(&world.namespaces).cloned() else { break };
            let name = format!("g-{}", at + 1);
            let parent = self.groups.iter().rev().find(|group| group.namespace == namespace).map(|group| group.name.clone());
            let parent = parent.filter(|_| usize::try_from(at).unwrap_or_default() % depth != 0);
            let group = Group { namespace: namespace.clone(), name: name.clone(), boot_order: Vec::new() };
            let mut spec = json!({});
            if let Some(parent) = parent {
                spec["groupName"] = parent.as_str().into();
                let delay = dice.happens(40).then(|| dice.between(1, 120));
                if let Some(above) = self.groups.iter_mut().find(|group| group.namespace == namespace && group.name == parent) {
                    above.boot_order.push((delay, vec![("VirtualMachineGroup", name.clone())]));
                }
            }
            if dice.happens(30) {
                spec["powerState"] = if dice.happens(60) { "PoweredOn".into() } else { "PoweredOff".into() };
            }
            objects.push(json!({"apiVersion": VMOP, "kind": "VirtualMachineGroup", "metadata": {"name": name, "namespace": namespace}, "spec": spec}));
            self.groups.push(group);
        }
        for object in &mut objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if let Some(group) = self.groups.iter().find(|group| group.name == name).filter(|group| !group.boot_order.is_empty()) {
                object["spec"]["bootOrder"] = boot_order(group);
            }
        }
        objects
    }

    /// The next request, by the weights of this run; several, where one needs another.
    pub(super) fn ask(&mut self, dice: &mut Dice<'_>, world: &World, weights: &BTreeMap<&str, u64>) -> Vec<Asked> {
        if dice.chance("users.invalid")
            && let Some(asked) = self.invalid(dice, world)
        {
            return vec![asked];
        }
        // An operation that finds nothing to work on gives way to another.
        for _ in 0..8 {
            let Some(operation) = dice.weighted(weights.iter().map(|(name, weight)| (*name, *weight))) else { break };
            if let Some(asked) = self.operation(operation, dice, world) {
                return asked;
            }
        }
        self.create(dice, world)
    }

    fn operation(&mut self, operation: &str, dice: &mut Dice<'_>, world: &World) -> Option<Vec<Asked>> {
        if operation == "createVM" {
            return Some(self.create(dice, world));
        }
        if let Some(asked) = self.on_group(operation, dice, world) {
            return Some(asked);
        }
        match operation {
            "editClass" => {
                let (namespace, class) = (dice.one(&world.namespaces)?, dice.one(&world.classes)?);
                let spec = json!({"hardware": {"cpus": dice.between(1, 6), "memory": format!("{}Gi", dice.between(1, 6))}});
                let patch = json!({"apiVersion": VMOP, "kind": "VirtualMachineClass", "metadata": {"name": class, "namespace": namespace}, "spec": spec});
                return Some(vec![Asked::of("patch", patch).privileged()]);
            }
            "editQuota" => {
                let (namespace, policy) = (dice.one(&world.namespaces)?, dice.one(&world.policies)?);
                let name = format!("{policy}-storagepolicyquota");
                let patch = json!({"apiVersion": "cns.vmware.com/v1alpha2", "kind": "StoragePolicyQuota",
                    "metadata": {"name": name, "namespace": namespace}, "spec": {"limit": format!("{}Gi", dice.between(4, 80))}});
                return world.quota.then(|| vec![Asked::of("patch", patch).privileged()]);
            }
            _ => {}
        }
        let alive: Vec<usize> = (0..self.vms.len()).filter(|at| !self.vms[*at].gone || operation == "removeCheck").collect();
        let at = *dice.one(&alive)?;
        let vm = &mut self.vms[at];
        let patch = |vm: &Vm, part: Value| {
            let mut patch = json!({"kind": "VirtualMachine", "metadata": {"name": vm.name, "namespace": vm.namespace}});
            for (name, value) in part.as_object().into_iter().flatten() {
                if name == "metadata" {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        patch["metadata"][name] = value.clone();
                    }
                } else {
                    patch[name] = value.clone();
                }
            }
            Asked::of("patch", patch)
        };
        Some(match operation {
            "deleteVM" => {
                vm.gone = true;
                vec![Asked::of("delete", format!("VirtualMachine/{}/{}", vm.namespace, vm.name).into()).privileged()]
            }
            "setPower" => {
                let to = match vm.power {
                    "PoweredOn" => {
                        if dice.happens(65) {
                            "PoweredOff"
                        } else {
                            "Suspended"
                        }
                    }
                    "PoweredOff" => "PoweredOn",
                    _ if vm.hard_off && dice.happens(50) => "PoweredOff",
                    _ => "PoweredOn",
                };
                vm.power = to;
                vec![patch(vm, json!({"spec": {"powerState": to}}))]
            }
            "restart" => {
                if vm.power != "PoweredOn" {
                    return None;
                }
                vec![patch(vm, json!({"spec": {"nextRestartTime": "now"}}))]
            }
            "setModes" => {
                let field = *dice.one(&["powerOffMode", "suspendMode", "restartMode"])?;
                let mode = *dice.one(&["Hard", "Soft", "TrySoft", "TrySoft"])?;
                if field == "powerOffMode" {
                    vm.hard_off = mode == "Hard";
                }
                vec![patch(vm, json!({"spec": {field: mode}}))]
            }
            "setClass" => vec![patch(vm, json!({"spec": {"className": dice.one(&world.classes)?}}))],
            "addCheck" => {
                let kind = if dice.happens(60) { "delete" } else { "poweron" };
                let key = format!("{kind}.check.vmoperator.vmware.com/{}", dice.one(&["a", "b"])?);
                vm.checks.push(key.clone());
                vec![patch(vm, json!({"metadata": {"annotations": {key: "x"}}})).privileged()]
            }
            "removeCheck" => {
                if vm.checks.is_empty() {
                    return None;
                }
                let key = vm.checks.remove(usize::try_from(dice.between(0, vm.checks.len() as u64 - 1)).unwrap_or_default());
                vec![patch(vm, json!({"metadata": {"annotations": {key: null}}})).privileged()]
            }
            "pause" => {
                let value = if dice.happens(30) { json!("true") } else { Value::Null };
                vec![patch(vm, json!({"metadata": {"annotations": {"vmoperator.vmware.com/paused": value}}})).privileged()]
            }
            "setLabel" => {
                let follows = dice.happens(30);
                if follows {
                    vec![patch(vm, json!({"metadata": {"annotations": {"vmoperator.vmware.com/same-vm-class-resize": ""}}}))]
                } else {
                    let (key, value) = (format!("team-{}", dice.between(1, 3)), format!("{}", dice.between(1, 9)));
                    let part = if dice.happens(50) { "labels" } else { "annotations" };
                    vec![patch(vm, json!({"metadata": {part: {key: value}}}))]
                }
            }
            "setCrypto" => {
                let class = dice.one(&world.encryption_classes)?;
                let crypto = if dice.happens(15) { Value::Null } else { json!({"encryptionClassName": class}) };
                vec![patch(vm, json!({"spec": {"crypto": crypto}}))]
            }
            "addVolume" => {
                let claim = format!("claim-{}", self.made + 1);
                self.made += 1;
                let volume = format!("v{}", self.made);
                vm.volumes.push((volume, claim.clone()));
                let size = format!("{}Gi", dice.between(1, 8));
                let manifest = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim, "namespace": vm.namespace},
                    "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Block", "storageClassName": dice.one(&world.policies)?,
                        "resources": {"requests": {"storage": size}}}});
                vec![Asked::of("create", manifest), patch(vm, json!({"spec": {"volumes": volumes(vm)}}))]
            }
            "removeVolume" => {
                if vm.volumes.is_empty() {
                    return None;
                }
                vm.volumes.pop();
                vec![patch(vm, json!({"spec": {"volumes": volumes(vm)}}))]
            }
            "growBootDisk" => {
                vm.boot_disk += dice.between(1, 10);
                vec![patch(vm, json!({"spec": {"advanced": {"bootDiskCapacity": format!("{}Gi", vm.boot_disk)}}}))]
            }
            "setCdrom" => {
                let image = world.iso.as_ref()?;
                let cdrom = json!([{"name": "cd1", "image": {"kind": "ClusterVirtualMachineImage", "name": image}}]);
                vec![patch(vm, json!({"spec": {"hardware": {"cdrom": cdrom}}}))]
            }
            _ => return None,
        })
    }

    pub(super) fn create(&mut self, dice: &mut Dice<'_>, world: &World) -> Vec<Asked> {
        let first = |list: &[String]| list.first().cloned().unwrap_or_default();
        self.made += 1;
        let namespace = dice.one(&world.namespaces).cloned().unwrap_or_default();
        let name = format!("vm-{}", self.made);
        let policy = dice.one(&world.policies).cloned().unwrap_or_else(|| first(&world.policies));
        let mut spec = json!({"className": dice.one(&world.classes), "imageName": dice.one(&world.images), "storageClass": policy});
        let mut meta = json!({"name": name, "namespace": namespace});
        let mut vm = Vm {
            namespace: namespace.clone(),
            name,
            power: "PoweredOn",
            hard_off: false,
            checks: Vec::new(),
            volumes: Vec::new(),
            group: None,
            boot_disk: 12,
            gone: false,
        };
        if dice.happens(20) {
            spec["powerState"] = "PoweredOff".into();
            vm.power = "PoweredOff";
        }
        if dice.happens(50) {
            let mode = dice.one(&["Hard", "Soft", "TrySoft"]).copied().unwrap_or("Hard");
            spec["powerOffMode"] = mode.into();
            vm.hard_off = mode == "Hard";
        }
        if dice.happens(25) {
            let key = "poweron.check.vmoperator.vmware.com/a";
            meta["annotations"] = json!({key: "x"});
            vm.checks.push(key.to_owned());
        }
        if dice.happens(25)
            && let Some(zone) = dice.one(&world.zones)
        {
            meta["labels"] = json!({ZONE: zone});
        }
        if !world.encryption_classes.is_empty() && world.encrypted.contains(&policy) && dice.happens(50) {
            spec["crypto"] = json!({"encryptionClassName": dice.one(&world.encryption_classes)});
        }
        let mut asked = Vec::new();
        let groups: Vec<usize> = (0..self.groups.len()).filter(|at| self.groups[*at].namespace == namespace).collect();
        if let Some(at) = dice.one(&groups).copied().filter(|_| dice.happens(60)) {
            let group = &mut self.groups[at];
            spec["groupName"] = group.name.as_str().into();
            vm.group = Some(group.name.clone());
            affinity(dice, world, &mut spec, &mut meta);
            let delay = dice.happens(40).then(|| dice.between(1, 90));
            place(dice, &mut group.boot_order, delay, ("VirtualMachine", vm.name.clone()));
            asked.push(group_patch(group));
        }
        asked.insert(0, Asked::of("create", json!({"apiVersion": VMOP, "kind": "VirtualMachine", "metadata": meta, "spec": spec})));
        if dice.happens(30) {
            asked.reverse();
        }
        self.vms.push(vm);
        asked
    }

    fn on_group(&mut self, operation: &str, dice: &mut Dice<'_>, world: &World) -> Option<Vec<Asked>> {
        if operation == "createGroup" {
            self.made += 1;
            let group =
                Group { namespace: dice.one(&world.namespaces)?.clone(), name: format!("g-{}x", self.made), boot_order: Vec::new() };
            let above: Vec<String> =
                self.groups.iter().filter(|above| above.namespace == group.namespace).map(|above| above.name.clone()).collect();
            let mut spec = json!({});
            let mut asked = Vec::new();
            if let Some(above) = dice.one(&above).filter(|_| dice.happens(50))
                && let Some(above) = self.groups.iter_mut().find(|known| known.name == *above && known.namespace == group.namespace)
            {
                spec["groupName"] = above.name.as_str().into();
                let delay = dice.happens(40).then(|| dice.between(1, 60));
                place(dice, &mut above.boot_order, delay, ("VirtualMachineGroup", group.name.clone()));
                asked.push(group_patch(above));
            }
            let meta = json!({"name": group.name, "namespace": group.namespace});
            asked
                .insert(0, Asked::of("create", json!({"apiVersion": VMOP, "kind": "VirtualMachineGroup", "metadata": meta, "spec": spec})));
            self.groups.push(group);
            return Some(asked);
        }
        if !matches!(operation, "editGroup" | "setGroupPower" | "joinGroup" | "leaveGroup" | "deleteGroup" | "forceSync")
            || self.groups.is_empty()
        {
            return None;
        }
        let at = usize::try_from(dice.between(0, self.groups.len() as u64 - 1)).unwrap_or_default();
        let patch = |group: &Group, spec: Value| {
            Asked::of(
                "patch",
                json!({"kind": "VirtualMachineGroup", "metadata": {"name": group.name, "namespace": group.namespace}, "spec": spec}),
            )
        };
        Some(match operation {
            "setGroupPower" => {
                let to = *dice.one(&["PoweredOn", "PoweredOff", "PoweredOn", "PoweredOff", "Suspended"])?;
                vec![patch(&self.groups[at], json!({"powerState": to}))]
            }
            "forceSync" => vec![patch(&self.groups[at], json!({"nextForcePowerStateSyncTime": "now"}))],
            "editGroup" => {
                let group = &mut self.groups[at];
                if group.boot_order.is_empty() {
                    return None;
                }
                if dice.happens(50) {
                    group.boot_order.reverse();
                } else {
                    let which = usize::try_from(dice.between(0, group.boot_order.len() as u64 - 1)).unwrap_or_default();
                    group.boot_order[which].0 = Some(dice.between(0, 90));
                }
                vec![group_patch(group)]
            }
            "joinGroup" => {
                let group = &mut self.groups[at];
                let alone = self.vms.iter_mut().filter(|vm| vm.namespace == group.namespace && vm.group.is_none() && !vm.gone);
                let mut alone: Vec<&mut Vm> = alone.collect();
                let which = usize::try_from(dice.between(0, (alone.len() as u64).saturating_sub(1))).unwrap_or_default();
                let vm = alone.get_mut(which)?;
                vm.group = Some(group.name.clone());
                let delay = dice.happens(30).then(|| dice.between(1, 60));
                place(dice, &mut group.boot_order, delay, ("VirtualMachine", vm.name.clone()));
                let own = json!({"kind": "VirtualMachine", "metadata": {"name": vm.name, "namespace": vm.namespace}, "spec": {"groupName": group.name}});
                let mut asked = vec![Asked::of("patch", own), group_patch(group)];
                if dice.happens(50) {
                    asked.reverse();
                }
                asked
            }
            "leaveGroup" => {
                let group = &mut self.groups[at];
                let members: Vec<String> = group
                    .boot_order
                    .iter()
                    .flat_map(|(_, members)| members)
                    .filter(|(kind, _)| *kind == "VirtualMachine")
                    .map(|(_, name)| name.clone())
                    .collect();
                let name = dice.one(&members)?.clone();
                for (_, members) in &mut group.boot_order {
                    members.retain(|(_, member)| *member != name);
                }
                group.boot_order.retain(|(_, members)| !members.is_empty());
                let mut asked = vec![group_patch(group)];
                if let Some(vm) = self.vms.iter_mut().find(|vm| vm.name == name)
                    && dice.happens(70)
                {
                    vm.group = None;
                    asked.push(Asked::of(
                        "patch",
                        json!({"kind": "VirtualMachine", "metadata": {"name": vm.name, "namespace": vm.namespace}, "spec": {"groupName": null}}),
                    ));
                }
                asked
            }
            _ => {
                let group = self.groups.remove(at);
                for vm in self.vms.iter_mut().filter(|vm| vm.group.as_ref() == Some(&group.name)) {
                    vm.gone = true;
                }
                vec![Asked::of("delete", format!("VirtualMachineGroup/{}/{}", group.namespace, group.name).into()).privileged()]
            }
        })
    }

    /// A request that breaks a rule, and the field at which it must be denied.
    fn invalid(&self, dice: &mut Dice<'_>, world: &World) -> Option<Asked> {
        let (namespace, class, image, policy) =
            (dice.one(&world.namespaces)?, dice.one(&world.classes)?, dice.one(&world.images)?, dice.one(&world.policies)?);
        let create = |more: Value| {
            let mut spec = json!({"className": class, "imageName": image, "storageClass": policy});
            for (name, value) in more.as_object().into_iter().flatten() {
                spec[name] = value.clone();
            }
            Asked::of(
                "create",
                json!({"apiVersion": VMOP, "kind": "VirtualMachine", "metadata": {"name": "wrong", "namespace": namespace}, "spec": spec}),
            )
        };
        Some(match dice.between(0, 5) {
            0 => create(json!({"powerState": "Suspended"})).denied_at("spec.powerState"),
            1 => create(json!({"nextRestartTime": "now"})).denied_at("spec.nextRestartTime"),
            2 => create(json!({"storageClass": "none-such"})).denied_at("spec.storageClass"),
            3 => create(json!({"biosUUID": "42"})).denied_at("spec.biosUUID"),
            4 => {
                let vm = dice.one(&self.vms).filter(|vm| !vm.gone)?;
                let meta =
                    json!({"name": vm.name, "namespace": vm.namespace, "annotations": {"delete.check.vmoperator.vmware.com/c": "mine"}});
                Asked::of("patch", json!({"kind": "VirtualMachine", "metadata": meta}))
                    .denied_at("metadata.annotations[delete.check.vmoperator.vmware.com/c]")
            }
            _ => {
                let vm = dice.one(&self.vms).filter(|vm| !vm.gone)?;
                let meta = json!({"name": vm.name, "namespace": vm.namespace});
                Asked::of("patch", json!({"kind": "VirtualMachine", "metadata": meta, "spec": {"powerState": ""}}))
                    .denied_at("spec.powerState")
            }
        })
    }
}

fn volumes(vm: &Vm) -> Value {
    vm.volumes.iter().map(|(name, claim)| json!({"name": name, "persistentVolumeClaim": {"claimName": claim}})).collect()
}

/// Puts a member into one of the boot groups, or into one of its own.
fn place(dice: &mut Dice<'_>, boot_order: &mut Vec<BootGroup>, delay: Option<u64>, member: (&'static str, String)) {
    if boot_order.is_empty() || dice.happens(60) {
        boot_order.push((delay, vec![member]));
    } else {
        let at = usize::try_from(dice.between(0, boot_order.len() as u64 - 1)).unwrap_or_default();
        boot_order[at].1.push(member);
    }
}

fn boot_order(group: &Group) -> Value {
    let one = |(delay, members): &BootGroup| {
        let members: Vec<Value> = members.iter().map(|(kind, name)| json!({"kind": kind, "name": name})).collect();
        match delay {
            Some(delay) => json!({"members": members, "powerOnDelay": format!("{delay}s")}),
            None => json!({"members": members}),
        }
    };
    group.boot_order.iter().map(one).collect()
}

fn group_patch(group: &Group) -> Asked {
    let spec = json!({"bootOrder": boot_order(group)});
    Asked::of("patch", json!({"kind": "VirtualMachineGroup", "metadata": {"name": group.name, "namespace": group.namespace}, "spec": spec}))
}

/// Terms between the VMs of one label: mostly all of a tier carry them, as in the seed's examples.
fn affinity(dice: &mut Dice<'_>, world: &World, spec: &mut Value, meta: &mut Value) {
    if !dice.happens(world.affinity) {
        return;
    }
    let Some(app) = dice.one(&["db", "web"]) else { return };
    let term = json!([{"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": ZONE}]);
    let (field, strength) = match *app {
        "db" => ("vmAntiAffinity", "requiredDuringSchedulingPreferredDuringExecution"),
        _ => ("vmAffinity", "requiredDuringSchedulingPreferredDuringExecution"),
    };
    let strength = if dice.happens(20) { "preferredDuringSchedulingPreferredDuringExecution" } else { strength };
    spec["affinity"] = json!({field: {strength: term}});
    if let Some(labels) = meta.get_mut("labels") {
        // A VM that names its zone isn't placed by zone terms.
        labels["app"] = (*app).into();
    } else {
        meta["labels"] = json!({"app": app});
    }
}
