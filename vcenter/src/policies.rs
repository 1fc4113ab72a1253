//! What the storage policy service knows of a policy: its facts, and the datastores that comply. Source: vsphere §2.8.

use vmtwin_model::id::DatastoreId;

use crate::connection::{Connection, Error};
use crate::soap::{Call, Reference};
use crate::xml::Element;

/// A storage policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it encrypts: one of its filters does, or a capability of it.
    pub encrypted: bool,
}

/// Every policy that a VM can ask for.
///
/// # Errors
/// If the service doesn't answer, or faults.
pub async fn all(connection: &Connection) -> Result<Vec<Policy>, Error> {
    let manager = connection.policy_manager("profileManager").await?;
    let kind = Element::new("resourceType").with(Element::text("resourceType", "STORAGE"));
    let arguments = vec![kind, Element::text("profileCategory", "REQUIREMENT")];
    let ids = connection.call(&Call::pbm(&manager, "PbmQueryProfile", arguments), "").await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let arguments = ids.iter().filter_map(|id| Some(profile_id("profileIds", id.text_at("uniqueId")?))).collect();
    let profiles = connection.call(&Call::pbm(&manager, "PbmRetrieveContent", arguments), "").await?;
    profiles.iter().map(policy).collect()
}

fn policy(profile: &Element) -> Result<Policy, Error> {
    let lacking = |what| Error::Lacking { method: "PbmRetrieveContent", what };
    let capabilities = profile.at("constraints").into_iter().flat_map(|constraints| constraints.list("subProfiles"));
    let mut ids = capabilities.flat_map(|sub| sub.list("capability")).filter_map(|capability| capability.at("id"));
    Ok(Policy {
        id: profile.text_at("profileId.uniqueId").ok_or_else(|| lacking("profileId"))?.to_owned(),
        name: profile.text_at("name").ok_or_else(|| lacking("name"))?.to_owned(),
        encrypted: ids.any(|id| id.text_at("namespace").is_some_and(|space| space.to_ascii_lowercase().contains("encryption"))),
    })
}

fn profile_id(name: &str, id: &str) -> Element {
    Element::new(name).with(Element::text("uniqueId", id))
}

/// The datastores among these that comply with a policy.
///
/// # Errors
/// If the service doesn't answer, or faults.
pub async fn compatible(connection: &Connection, policy: &str, among: &[DatastoreId]) -> Result<Vec<DatastoreId>, Error> {
    let solver: Reference = connection.policy_manager("placementSolver").await?;
    let hub = |id: &DatastoreId| {
        Element::new("hubsToSearch").with(Element::text("hubType", "Datastore")).with(Element::text("hubId", id.as_str()))
    };
    let mut arguments: Vec<Element> = among.iter().map(hub).collect();
    let requirement =
        Element::new("placementSubjectRequirement").typed("PbmPlacementCapabilityProfileRequirement").with(profile_id("profileId", policy));
    arguments.push(requirement);
    let results = connection.call(&Call::pbm(&solver, "PbmCheckRequirements", arguments), "").await?;
    let fits = |result: &&Element| result.child("error").is_none();
    Ok(results.iter().filter(fits).filter_map(|result| Some(DatastoreId::from(result.text_at("hub.hubId")?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_encrypts_if_a_capability_of_it_does() {
        let text = "<p><profileId><uniqueId>id</uniqueId></profileId><name>VM Encryption</name><constraints><subProfiles><capability>\
            <id><namespace>vmwarevmcrypt@encryption</namespace><id>vmwarevmcrypt@ENCRYPTION</id></id></capability></subProfiles></constraints></p>";
        let read = policy(&Element::read(text.as_bytes()).expect("a tree")).expect("a policy");
        assert_eq!(read, Policy { id: "id".into(), name: "VM Encryption".into(), encrypted: true });
        let plain = "<p><profileId><uniqueId>id</uniqueId></profileId><name>x</name></p>";
        assert!(!policy(&Element::read(plain.as_bytes()).expect("a tree")).expect("a policy").encrypted);
        assert!(policy(&Element::new("p")).is_err());
    }
}
