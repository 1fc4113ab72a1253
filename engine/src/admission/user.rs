//! Who asks: the users that rules make an exception for.
//!
//! Page: admission §2.3. A request comes from one of six standings; three of them are privileged.
//!
//! Mirrors: vm-operator `pkg/webhooks/builder`, `isPrivilegedAccount`, `inPrivilegedUsersList`.

use vmtwin_model::kube::api::User;

use crate::settings::Settings;

/// A user's standing with the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The operator's own service account.
    Operator,
    /// A member of `system:masters`.
    Masters,
    /// `kubernetes-admin`, or an entry of the operator's list of privileged users.
    Administrator,
    /// The service account of Cluster API's provider in a domain of its own; not privileged.
    ClusterApi,
    /// A service account of the cluster that looks after volumes; not privileged.
    Volumes,
    /// Everyone else.
    DevOps,
}

impl Standing {
    /// The standing of this user.
    pub(super) fn of(user: &User, settings: &Settings) -> Self {
        if user.name.eq_ignore_ascii_case(&settings.operator().name) {
            Self::Operator
        } else if user.groups.iter().any(|group| &**group == "system:masters") {
            Self::Masters
        } else if user.name.eq_ignore_ascii_case("kubernetes-admin") || is_listed(user, settings) {
            Self::Administrator
        } else if is_cluster_api(&user.name) {
            Self::ClusterApi
        } else if CLAIM_HANDLERS.iter().any(|handler| service_account(&user.name) == Some(*handler)) {
            Self::Volumes
        } else {
            Self::DevOps
        }
    }

    /// Whether rules for namespace users don't hold.
    pub(super) fn is_privileged(self) -> bool {
        match self {
            Self::Operator | Self::Masters | Self::Administrator => true,
            Self::ClusterApi | Self::Volumes | Self::DevOps => false,
        }
    }

    /// Whether claims of instance storage are this user's business.
    pub(super) fn handles_claims(self) -> bool {
        self.is_privileged() || self == Self::Volumes
    }

    /// Whether an object's schema upgrade is this user's own business.
    pub(super) fn may_upgrade(self) -> bool {
        matches!(self, Self::Operator | Self::Masters)
    }
}

/// The service accounts that make, bind and delete claims for the system, by namespace and name.
const CLAIM_HANDLERS: [(&str, &str); 5] = [
    ("kube-system", "persistent-volume-binder"),
    ("kube-system", "pvc-protection-controller"),
    ("kube-system", "generic-garbage-collector"),
    ("kube-system", "namespace-controller"),
    ("vmware-system-csi", "vsphere-csi-controller"),
];

fn is_listed(user: &User, settings: &Settings) -> bool {
    settings.privileged_users.iter().any(|entry| match (service_account(entry.trim()), service_account(&user.name)) {
        (Some(entry), Some(user)) => entry.1 == user.1 && is_namespace(entry.0, user.0),
        (None, None) => entry.trim() == &*user.name,
        (Some(_), None) | (None, Some(_)) => false,
    })
}

/// Namespace and name of a service account.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// Whether a namespace is the one that an entry names; an entry's `-HASH` stands for any five letters or digits.
fn is_namespace(entry: &str, namespace: &str) -> bool {
    match entry.strip_suffix("-HASH") {
        None => entry == namespace,
        Some(prefix) => namespace
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|hash| hash.len() == 5 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric())),
    }
}

/// `system:serviceaccount:svc-tkg-domain-…:default`.
fn is_cluster_api(user: &str) -> bool {
    service_account(user).is_some_and(|(namespace, name)| {
        name == "default" && namespace.strip_prefix("svc-tkg-domain-").is_some_and(|domain| !domain.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(name: &str) -> Standing {
        let settings = Settings {
            privileged_users: vec!["admin@vsphere.local".into(), " system:serviceaccount:vmware-HASH:robot".into()],
            ..Settings::default()
        };
        Standing::of(&User::named(name), &settings)
    }

    #[test]
    fn built_in_users_are_known_without_regard_to_case() {
        assert_eq!(standing("System:ServiceAccount:vmware-system-vmop:Default"), Standing::Operator);
        assert_eq!(standing("Kubernetes-Admin"), Standing::Administrator);
        assert_eq!(standing("devops@vsphere.local"), Standing::DevOps);
    }

    #[test]
    fn a_member_of_masters_is_privileged_and_may_upgrade() {
        let user = User { groups: ["system:masters".into()].into(), ..User::named("anyone") };
        let standing = Standing::of(&user, &Settings::default());
        assert!(standing.is_privileged() && standing.may_upgrade());
        assert!(!Standing::Administrator.may_upgrade());
    }

    #[test]
    fn listed_users_match_whole_and_with_a_hash_in_the_namespace() {
        assert_eq!(standing("admin@vsphere.local"), Standing::Administrator);
        assert_eq!(standing("Admin@vsphere.local"), Standing::DevOps);
        assert_eq!(standing("system:serviceaccount:vmware-a1B2c:robot"), Standing::Administrator);
        assert_eq!(standing("system:serviceaccount:vmware-a1b2c3:robot"), Standing::DevOps);
        assert_eq!(standing("system:serviceaccount:vmware-a1b2c:other"), Standing::DevOps);
    }

    #[test]
    fn cluster_api_has_a_standing_of_its_own() {
        assert_eq!(standing("system:serviceaccount:svc-tkg-domain-c8:default"), Standing::ClusterApi);
        assert_eq!(standing("system:serviceaccount:svc-tkg-domain-:default"), Standing::DevOps);
        assert!(!Standing::ClusterApi.is_privileged());
    }
}
