//! VM Operator's own settings.

use vmtwin_engine::features::GATES;
use vmtwin_model::time::Span;

use super::Cx;
use crate::diagnostics::Code;
use crate::format::output::{InvariantSelection, NetworkProvider, OperatorSection};
use crate::format::section::scalar::{Duration, Text};
use crate::format::section::scenario::{self, FastDeployMode, Invariants, Operator};
use crate::format::shape::shorten;
use crate::invariants::UNCHECKED;

/// The invariants that scenarios can name (reproduce §2).
pub const INVARIANTS: &[&str] = &[
    "affinity-required",
    "boot-order-delays",
    "claims-safe",
    "crash-changes-nothing",
    "crypto-legal",
    "datastore-allowed",
    "delete-held",
    "destroy-in-order",
    "group-power-reached",
    "group-ready-true",
    "hard-after-soft",
    "host-usable",
    "identity-fixed",
    "invalid-denied",
    "keys-agree",
    "member-waits-placement",
    "members-exact",
    "must-rules-kept",
    "network-config-true",
    "one-pass-one-change",
    "one-vm-each",
    "owner-iff-linked",
    "placed-when-possible",
    "power-call-wanted",
    "power-on-held",
    "power-reached",
    "power-transition-legal",
    "privilege-kept",
    "quota-respected",
    "rekey-needed",
    "reservations-fit",
    "resize-due-only",
    "resize-marks-true",
    "resize-off-only",
    "rest-is-rest",
    "restart-happens",
    "restart-once",
    "settles",
    "status-true",
    "usage-exact",
    "user-fields-kept",
    "volumes-before-on",
    "volumes-true",
    "zone-kept",
];

/// The settings.
pub(in crate::format) fn operator(cx: &mut Cx<'_>, section: &Operator) -> OperatorSection {
    let default = OperatorSection::default();
    let texts = |texts: &[Text]| texts.iter().map(|text| text.value.clone()).collect();
    let mut features = std::collections::BTreeMap::new();
    for (gate, on) in &section.features.0 {
        check_gate(cx, gate, on.value);
        features.insert(gate.value.clone(), on.value);
    }
    for server in &section.nameservers {
        if server.value.parse::<std::net::IpAddr>().is_err() {
            cx.sink.tell(Code::Address, server.region, format!("`{}` is not an IP address", shorten(&server.value)));
        }
    }
    let resync_period = match &section.resync_period {
        None => default.resync_period,
        Some(Duration(text)) if text.value == "none" => None,
        Some(period) => cx.sink.duration(period).filter(|period| *period > Span::ZERO),
    };
    OperatorSection {
        network_provider: section.network_provider.as_ref().map_or(default.network_provider, |provider| match provider.value {
            scenario::NetworkProvider::Vpc => NetworkProvider::Vpc,
            scenario::NetworkProvider::NsxT => NetworkProvider::NsxT,
            scenario::NetworkProvider::Vds => NetworkProvider::Vds,
            scenario::NetworkProvider::Named => NetworkProvider::Named,
        }),
        nameservers: texts(&section.nameservers),
        search_domains: texts(&section.search_domains),
        features,
        privileged_users: texts(&section.privileged_users),
        fast_deploy_mode: match section.fast_deploy_mode.as_ref().map(|mode| mode.value) {
            Some(FastDeployMode::Direct) => "direct".to_owned(),
            Some(FastDeployMode::Linked) | None => default.fast_deploy_mode,
        },
        resync_period,
        create_vm_requeue_delay: cx.sink.duration_or(section.create_vm_requeue_delay.as_ref(), default.create_vm_requeue_delay),
        powered_on_vm_has_ip_requeue_delay: cx
            .sink
            .duration_or(section.powered_on_vm_has_ip_requeue_delay.as_ref(), default.powered_on_vm_has_ip_requeue_delay),
        max_concurrent_reconciles: cx.sink.within_or(
            section.max_concurrent_reconciles.as_ref(),
            1,
            100_000,
            "the number of workers",
            default.max_concurrent_reconciles,
        ),
        max_create_vms_on_provider: cx.sink.within_or(
            section.max_create_vms_on_provider.as_ref(),
            1,
            100,
            "the share of the workers in per cent",
            default.max_create_vms_on_provider,
        ),
        max_deploy_threads_on_provider: cx.sink.within_or(
            section.max_deploy_threads_on_provider.as_ref(),
            0,
            100_000,
            "the number of creates at once",
            default.max_deploy_threads_on_provider,
        ),
        async_signal_enabled: section.async_signal_enabled.as_ref().map_or(default.async_signal_enabled, |on| on.value),
        async_create_enabled: section.async_create_enabled.as_ref().map_or(default.async_create_enabled, |on| on.value),
    }
}

fn check_gate(cx: &mut Cx<'_>, name: &Text, on: bool) {
    match GATES.iter().find(|gate| gate.name == name.value) {
        None => {
            let help = cx.sink.near(&name.value, GATES.iter().map(|gate| gate.name));
            cx.sink.tell_help(Code::UnknownGate, name.region, format!("no feature gate is named `{}`", shorten(&name.value)), help);
        }
        Some(gate) if on && !gate.supported && !gate.default => {
            cx.sink.tell(Code::NotSupported, name.region, format!("the gate `{}` can't be switched on yet", gate.name));
        }
        Some(_) => {}
    }
}

/// Which invariants are checked.
pub(in crate::format) fn invariants(cx: &mut Cx<'_>, section: &Invariants) -> InvariantSelection {
    for name in section.only.iter().chain(&section.disable) {
        if !INVARIANTS.contains(&name.value.as_str()) {
            let help = cx.sink.near(&name.value, INVARIANTS.iter().copied());
            cx.sink.tell_help(Code::UnknownInvariant, name.region, format!("no invariant is named `{}`", shorten(&name.value)), help);
        }
    }
    for name in &section.only {
        if let Some((_, why)) = UNCHECKED.iter().find(|(unchecked, _)| *unchecked == name.value) {
            cx.sink.tell(Code::UnknownInvariant, name.region, format!("`{}` isn't checked by runs: {why}", name.value));
        }
    }
    for name in &section.disable {
        if section.only.iter().any(|only| only.value == name.value) {
            cx.sink.tell(Code::Contradiction, name.region, format!("`{}` stands in `only`, too", shorten(&name.value)));
        }
    }
    let texts = |texts: &[Text]| texts.iter().map(|text| text.value.clone()).collect();
    InvariantSelection { only: texts(&section.only), disable: texts(&section.disable) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_invariant_is_checked_or_said_not_to_be() {
        let checked: BTreeSet<&str> = crate::invariants::all().iter().map(|rule| rule.name).collect();
        let unchecked: BTreeSet<&str> = UNCHECKED.iter().map(|(name, _)| *name).collect();
        assert!(checked.is_disjoint(&unchecked));
        assert_eq!(checked.union(&unchecked).copied().collect::<Vec<_>>(), INVARIANTS);
    }
}
