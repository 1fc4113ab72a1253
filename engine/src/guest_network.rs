//! Which bootstrap provider tells a guest what of its network: one table for admission, which refuses what no provider would tell, and for
//! `docs/guest-network.md`. Source: seed "Global Guest Network Configuration", "Per-Interface Guest Network Configuration"; admission §14.2.

use std::fmt::Write as _;

use vmtwin_model::kube::virtual_machine::BootstrapSpec;

/// Whether a provider tells the guest of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It does.
    Yes,
    /// It takes the field as the default of the interfaces' own.
    AsDefault,
    /// It doesn't.
    No,
}

/// A field, and who tells the guest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The field's name.
    pub field: &'static str,
    /// What it says.
    pub what: &'static str,
    /// Cloud-init.
    pub cloud_init: Told,
    /// vSphere's customization of Linux.
    pub linux_prep: Told,
    /// Windows' Sysprep.
    pub sysprep: Told,
}

const fn row(field: &'static str, what: &'static str, [cloud_init, linux_prep, sysprep]: [Told; 3]) -> Row {
    Row { field, what, cloud_init, linux_prep, sysprep }
}

const ALL: [Told; 3] = [Told::Yes, Told::Yes, Told::Yes];
const CLOUD_INIT: [Told; 3] = [Told::Yes, Told::No, Told::No];

/// Fields of `spec.network`.
pub const GLOBAL: &[Row] = &[
    row("hostName", "the guest's host name", ALL),
    row("domainName", "the guest's domain name", ALL),
    row("nameservers", "name servers", [Told::AsDefault, Told::Yes, Told::Yes]),
    row("searchDomains", "search domains", [Told::AsDefault, Told::Yes, Told::Yes]),
];

/// Fields of `spec.network.interfaces[]`.
pub const INTERFACE: &[Row] = &[
    row("guestDeviceName", "the interface's name in the guest", CLOUD_INIT),
    row("macAddr", "the MAC address", ALL),
    row("addresses", "addresses with the length of their prefix", ALL),
    row("dhcp4", "IPv4 by DHCP", ALL),
    row("dhcp6", "IPv6 by DHCP", ALL),
    row("gateway4", "the gateway of IPv4", ALL),
    row("gateway6", "the gateway of IPv6", ALL),
    row("mtu", "the largest packet", CLOUD_INIT),
    row("nameservers", "name servers", [Told::Yes, Told::No, Told::Yes]),
    row("routes", "static routes", CLOUD_INIT),
    row("searchDomains", "search domains", CLOUD_INIT),
];

/// The row of a field.
///
/// # Panics
/// If there is none: fields are named by the code alone.
pub(crate) fn row_of(table: &'static [Row], field: &str) -> &'static Row {
    table.iter().find(|row| row.field == field).expect("every field that admission looks at has a row")
}

impl Row {
    /// Whether one of the VM's providers tells the guest of it.
    pub(crate) fn is_told_by(&self, bootstrap: &BootstrapSpec) -> bool {
        let providers = [
            (bootstrap.cloud_init.is_some(), self.cloud_init),
            (bootstrap.linux_prep.is_some(), self.linux_prep),
            (bootstrap.sysprep.is_some(), self.sysprep),
        ];
        providers.into_iter().any(|(named, told)| named && told != Told::No)
    }

    /// The providers that tell it themselves, as a denial lists them.
    pub(crate) fn providers(&self) -> String {
        let providers = [("CloudInit", self.cloud_init), ("LinuxPrep", self.linux_prep), ("Sysprep", self.sysprep)];
        let named: Vec<&str> = providers.into_iter().filter(|(_, told)| *told == Told::Yes).map(|(name, _)| name).collect();
        named.join(" and ")
    }
}

/// The page made of both tables.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# What a guest is told of its network\n\nMade of the tables in `engine/src/guest_network.rs`; `VMTWIN_BLESS=1 cargo test` renews it. *default*: cloud-init takes the field for interfaces that\n\
         say nothing themselves, unless `useGlobalNameserversAsDefault` or `useGlobalSearchDomainsAsDefault` is false. A field that none of a VM's providers tells is refused at\n\
         admission (`docs/admission.md`); addresses, gateways and names stand in `status.network.config` whatever the provider.\n",
    );
    for (title, prefix, table) in
        [("The whole guest", "spec.network.", GLOBAL), ("Each interface", "spec.network.interfaces[].", INTERFACE)]
    {
        let _ = write!(page, "\n## {title}\n\n| field | says | cloud-init | LinuxPrep | Sysprep |\n| --- | --- | --- | --- | --- |\n");
        for row in table {
            let [cloud_init, linux_prep, sysprep] = [row.cloud_init, row.linux_prep, row.sysprep].map(|told| match told {
                Told::Yes => "✓",
                Told::AsDefault => "default",
                Told::No => "",
            });
            let _ = writeln!(page, "| `{prefix}{}` | {} | {cloud_init} | {linux_prep} | {sysprep} |", row.field, row.what);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_lists_who_tells_the_field_itself() {
        let providers = |table, field| row_of(table, field).providers();
        assert_eq!(providers(INTERFACE, "mtu"), "CloudInit");
        assert_eq!(providers(INTERFACE, "nameservers"), "CloudInit and Sysprep");
        assert_eq!(providers(GLOBAL, "nameservers"), "LinuxPrep and Sysprep");
    }
}
