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
    let profiles = ids.iter().filter_map(|id| Some(profile_id("profileIds", id.text_at("uniqueId")?))).collect();
    let contents = connection.call(&Call::pbm(&manager, "PbmRetrieveContent", profiles), "").await?;
    contents.iter().map(policy).collect()
}

fn policy(content: &Element) -> Result<Policy, Error> {
    let text = |path, what| content.text_at(path).map(str::to_owned).ok_or(Error::Lacking { method: "PbmRetrieveContent", what });
    Ok(Policy { id: text("profileId.uniqueId", "profileId")?, name: text("name", "name")? })
}

/// Whether a policy encrypts: one of its I/O filters does. One policy at a time, since a fault about one is a fault of the whole call.
///
/// # Errors
/// If the service doesn't answer, or faults.
pub async fn encrypts(connection: &Connection, policy: &str) -> Result<bool, Error> {
    let manager = connection.policy_manager("profileManager").await?;
    let call = Call::pbm(&manager, "PbmQueryIOFiltersFromProfileId", vec![profile_id("profileIds", policy)]);
    let returned = connection.call(&call, "").await?;
    Ok(returned.iter().any(has_encryption))
}

fn has_encryption(filters: &Element) -> bool {
    filters.list("iofilters").any(|filter| filter.text_at("filterType") == Some("ENCRYPTION"))
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
    fn a_policy_is_read_off_its_content_and_encrypts_if_a_filter_of_it_does() {
        let read = |text: &str| Element::read(text.as_bytes()).expect("a tree");
        let content = read("<p><profileId><uniqueId>id</uniqueId></profileId><name>VM Encryption</name></p>");
        assert_eq!(policy(&content).expect("a policy"), Policy { id: "id".into(), name: "VM Encryption".into() });
        assert!(policy(&Element::new("p")).is_err());
        let filter = |kind: &str| read(&format!("<m><iofilters><vibId>v</vibId><filterType>{kind}</filterType></iofilters></m>"));
        assert!(has_encryption(&filter("ENCRYPTION")) && !has_encryption(&filter("CACHE")) && !has_encryption(&Element::new("m")));
    }
}
