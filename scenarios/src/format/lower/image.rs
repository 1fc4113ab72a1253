//! Images, guests' behaviour, timings.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::rng::Rng;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::inventory::{GuestProfile, Image, ImageDisk, Name, OvfProperty, Patience, Timing};
use vmtwin_model::vsphere::operation::METHODS;

use super::{Cx, name};
use crate::diagnostics::Code;
use crate::format::reader::from_node;
use crate::format::section::inventory::{self, DrawnTiming, Firmware, ImageType, Tools};
use crate::format::section::scalar::{Duration, Text};
use crate::format::shape::shorten;
use crate::format::spanned::{Named, Spanned};
use crate::yaml::Data;

/// The images.
pub(in crate::format) fn images(cx: &mut Cx<'_>, section: &[inventory::Image]) -> Vec<Image> {
    section.iter().map(|one| image(cx, one)).collect()
}

fn image(cx: &mut Cx<'_>, section: &inventory::Image) -> Image {
    if let Some(namespace) = &section.namespace {
        cx.known.namespaces.check(namespace, Code::UnknownNamespace, "namespace", cx.sink);
    }
    if let Some(guest) = &section.guest {
        cx.known.guests.check(guest, Code::UnknownGuest, "guest profile", cx.sink);
    }
    let type_ = section.type_.unwrap_or(ImageType::Ovf);
    let disks = match &section.disks {
        Some(disks) => disks.iter().map(|one| disk(cx, one)).collect(),
        None if type_ == ImageType::Iso => Vec::new(),
        None => vec![ImageDisk { file: None, size: Bytes::from_gib(2), capacity: Bytes::from_gib(10) }],
    };
    Image {
        name: name(&section.name),
        display_name: section.display_name.as_ref().map(name),
        namespace: section.namespace.as_ref().map(name),
        id: section.id.as_ref().map_or_else(|| drawn_id("image", &section.name.value), name),
        type_: match type_ {
            ImageType::Ovf => "OVF",
            ImageType::Iso => "ISO",
            ImageType::Vmtx => "VMTX",
        }
        .into(),
        disks,
        guest_id: section.guest_id.as_ref().map_or_else(|| "otherGuest".into(), name),
        tools: section.tools != Some(Tools::None),
        hardware_version: section.hardware_version.as_ref().and_then(|version| cx.sink.within(version, 3, 99, "the hardware version")),
        firmware: section.firmware.map(|firmware| match firmware {
            Firmware::Bios => "bios".into(),
            Firmware::Efi => "efi".into(),
        }),
        ovf_properties: section.ovf_properties.iter().map(ovf_property).collect(),
        guest: section.guest.as_ref().map(name),
    }
}

fn ovf_property(section: &inventory::OvfProperty) -> OvfProperty {
    OvfProperty {
        key: name(&section.key),
        type_: section.type_.as_ref().map_or_else(|| "string".into(), name),
        default: section.default.as_ref().map_or_else(|| "".into(), name),
    }
}

/// An id that hangs on the name alone, so that no other entry moves it.
pub(in crate::format) fn drawn_id(stream: &str, name: &str) -> Name {
    Rng::new(0).draw(&format!("format/{stream}"), name).uuid().to_string().into()
}

fn disk(cx: &mut Cx<'_>, section: &Spanned<inventory::Disk>) -> ImageDisk {
    let size = section.size.as_ref().and_then(|size| cx.sink.bytes(size));
    let capacity = section.capacity.as_ref().and_then(|capacity| cx.sink.bytes(capacity));
    let (default_size, default_capacity) = (Bytes::from_gib(2), Bytes::from_gib(10));
    let (size, capacity) = match (size, capacity) {
        (Some(size), Some(capacity)) => {
            if size > capacity {
                cx.sink.tell(Code::Contradiction, section.region, format!("the disk takes {size} and may only grow to {capacity}"));
            }
            (size, capacity)
        }
        (Some(size), None) => (size, default_capacity.at_least(size)),
        (None, Some(capacity)) => (default_size.min(capacity), capacity),
        (None, None) => (default_size, default_capacity),
    };
    ImageDisk { file: section.file.as_ref().map(name), size, capacity }
}

/// The guests' behaviour.
pub(in crate::format) fn guests(cx: &mut Cx<'_>, section: &Named<inventory::Guest>) -> BTreeMap<Name, GuestProfile> {
    section.0.iter().map(|(profile, guest)| (name(profile), guest_profile(cx, guest))).collect()
}

fn guest_profile(cx: &mut Cx<'_>, section: &inventory::Guest) -> GuestProfile {
    for (field, load) in [("cpu", &section.cpu), ("memory", &section.memory), ("write", &section.write), ("dirty", &section.dirty)] {
        if let Some(load) = load {
            cx.sink.tell(Code::NotSupported, load.region, format!("load of guests (`{field}`) is not supported yet"));
        }
    }
    GuestProfile {
        boot: timing_or_none(cx, section.boot.as_ref()),
        tools_start: timing_or_none(cx, section.tools_start.as_ref()),
        dhcp: timing_or_none(cx, section.dhcp.as_ref()),
        shutdown: patience(cx, section.shutdown.as_ref()),
        standby: patience(cx, section.standby.as_ref()),
        customization: timing_or_none(cx, section.customization.as_ref()),
    }
}

fn patience(cx: &mut Cx<'_>, section: Option<&inventory::Timing>) -> Option<Patience> {
    let section = section?;
    if cx.node(&section.0).as_str() == Some("never") {
        return Some(Patience::Never);
    }
    timing(cx, section).map(Patience::After)
}

fn timing_or_none(cx: &mut Cx<'_>, section: Option<&inventory::Timing>) -> Option<Timing> {
    section.and_then(|section| timing(cx, section))
}

fn timing(cx: &mut Cx<'_>, section: &inventory::Timing) -> Option<Timing> {
    let node = cx.node(&section.0);
    if !matches!(node.data, Data::Mapping(_)) {
        let text: Text = from_node(&node).ok()?;
        return cx.sink.duration(&Duration(text)).map(Timing::Fixed);
    }
    let drawn: DrawnTiming = from_node(&node).ok()?;
    let (median, p99) = (cx.sink.duration(&drawn.median), cx.sink.duration(&drawn.p99));
    let (median, p99) = (median?, p99?);
    if p99 < median {
        cx.sink.tell(Code::Contradiction, drawn.p99.0.region, format!("the 99th percentile {p99} is below the median {median}"));
    }
    Some(Timing::Drawn { median, p99 })
}

/// How long operations take.
pub(in crate::format) fn timings(cx: &mut Cx<'_>, section: &Named<inventory::Timing>) -> BTreeMap<Name, Timing> {
    let mut timings = BTreeMap::new();
    for (operation, one) in &section.0 {
        if operation.value != "*" {
            check_operation(cx, operation);
        }
        if let Some(timing) = timing(cx, one) {
            timings.insert(name(operation), timing);
        }
    }
    timings
}

/// Tells of an operation that the hypervisor doesn't have.
pub(in crate::format) fn check_operation(cx: &mut Cx<'_>, operation: &Text) -> Arc<str> {
    let word = operation.value.as_str();
    if !METHODS.contains(&word) {
        let task = format!("{word}_Task");
        let help = match METHODS.iter().find(|method| **method == task) {
            Some(method) => Some(format!("did you mean `{method}`?")),
            None => cx.sink.near(word, METHODS.iter().copied()),
        };
        cx.sink.tell_help(Code::UnknownOperation, operation.region, format!("no operation is named `{}`", shorten(word)), help);
    }
    name(operation)
}
