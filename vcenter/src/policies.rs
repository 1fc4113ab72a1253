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
    /// Whether it encrypts: one of its I/O filters does.
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
    let profiles: Vec<Element> = ids.iter().filter_map(|id| Some(profile_id("profileIds", id.text_at("uniqueId")?))).collect();
    let filters = connection.call(&Call::pbm(&manager, "PbmQueryIOFiltersFromProfileId", profiles.clone()), "").await?;
    let contents = connection.call(&Call::pbm(&manager, "PbmRetrieveContent", profiles), "").await?;
    contents.iter().map(|content| policy(content, &filters)).collect()
}

/// A policy by its content, and the filters of all policies.
fn policy(content: &Element, filters: &[Element]) -> Result<Policy, Error> {
    let lacking = |what| Error::Lacking { method: "PbmRetrieveContent", what };
    let id = content.text_at("profileId.uniqueId").ok_or_else(|| lacking("profileId"))?;
    let own = filters.iter().filter(|filter| filter.text_at("key.uniqueId") == Some(id));
    let mut kinds = own.flat_map(|filter| filter.list("iofilters")).filter_map(|filter| filter.text_at("filterType"));
    Ok(Policy {
        id: id.to_owned(),
        name: content.text_at("name").ok_or_else(|| lacking("name"))?.to_owned(),
        encrypted: kinds.any(|kind| kind == "ENCRYPTION"),
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
    fn a_policy_encrypts_if_a_filter_of_it_does() {
        let read = |text: &str| Element::read(text.as_bytes()).expect("a tree");
        let content = read("<p><profileId><uniqueId>id</uniqueId></profileId><name>VM Encryption</name></p>");
        let filter = |id: &str| {
            read(&format!("<m><key><uniqueId>{id}</uniqueId></key><iofilters><filterType>ENCRYPTION</filterType></iofilters></m>"))
        };
        let expected = |encrypted| Policy { id: "id".into(), name: "VM Encryption".into(), encrypted };
        assert_eq!(policy(&content, &[filter("other"), filter("id")]).expect("a policy"), expected(true));
        assert_eq!(policy(&content, &[filter("other")]).expect("a policy"), expected(false));
        assert!(policy(&Element::new("p"), &[]).is_err());
    }
}
