//! Images of the content library, and the behaviour of the guests in them.

use std::sync::Arc;

use vmtwin_model::time::Span;
use vmtwin_model::vsphere::inventory::{self, GuestProfile, Patience, Timing};

use crate::latency::drawn;

/// An image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) item: inventory::Image,
    pub(crate) behaviour: Arc<Behaviour>,
}

/// How a guest behaves, all defaults filled in. Source: vsphere §9.3.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    pub(crate) tools: bool,
    pub(crate) boot: Timing,
    pub(crate) tools_start: Timing,
    pub(crate) dhcp: Timing,
    /// Whether the address shows up with the next poll of VM Tools only, as it does unless a scenario says when.
    pub(crate) polled: bool,
    pub(crate) shutdown: Patience,
    pub(crate) standby: Patience,
    pub(crate) customization: Timing,
}

impl Behaviour {
    pub(crate) fn new(profile: Option<&GuestProfile>, guest_id: &str, tools: bool) -> Self {
        let profile = profile.cloned().unwrap_or_default();
        let windows = guest_id.starts_with("win");
        let patience = Patience::After(drawn(10_000, 60_000));
        Self {
            tools,
            boot: profile.boot.unwrap_or(if windows { drawn(45_000, 180_000) } else { drawn(20_000, 60_000) }),
            tools_start: profile.tools_start.unwrap_or(Timing::Fixed(Span::from_secs(5))),
            polled: profile.dhcp.is_none(),
            dhcp: profile.dhcp.unwrap_or(Timing::Fixed(Span::from_secs(3))),
            shutdown: profile.shutdown.unwrap_or(patience),
            standby: profile.standby.unwrap_or(patience),
            customization: profile.customization.unwrap_or(Timing::Fixed(Span::from_secs(30))),
        }
    }
}
