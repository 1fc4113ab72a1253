//! Reading properties, of one object or of all of a kind. Source: vsphere §2.3.

use crate::connection::{Connection, Error};
use crate::soap::{Call, Reference};
use crate::translate::vm::Properties;
use crate::xml::Element;

/// How many objects an answer may hold; the rest is asked for.
const OBJECTS_PER_ANSWER: u32 = 200;

/// Properties of one object.
///
/// # Errors
/// If there is no answer, or a fault: `ManagedObjectNotFound` where the object isn't there.
pub async fn of_one(connection: &Connection, object: &Reference, paths: &[&str], operation_id: &str) -> Result<Properties, Error> {
    let set = Element::new("objectSet").with(object.element("obj"));
    let spec = Element::new("specSet").with(of_kind(&object.kind, paths)).with(set);
    let found = retrieve(connection, spec, operation_id).await?;
    Ok(found.into_iter().find(|(found, _)| found.id == object.id).map(|(_, properties)| properties).unwrap_or_default())
}

/// Properties of every object of these kinds in the inventory.
///
/// # Errors
/// If there is no answer, or a fault.
pub async fn of_all(connection: &Connection, kinds: &[&str], paths: &[&str]) -> Result<Vec<(Reference, Properties)>, Error> {
    let view = view(connection, kinds).await?;
    let mut spec = Element::new("specSet");
    spec.children.extend(kinds.iter().map(|kind| of_kind(kind, paths)));
    spec.children.push(in_view(&view));
    let found = retrieve(connection, spec, "vmtwin-inventory").await;
    connection.call(&Call::vim(&view, "DestroyView", Vec::new()), "vmtwin-inventory").await?;
    found
}

/// A view on every object of these kinds.
pub(crate) async fn view(connection: &Connection, kinds: &[&str]) -> Result<Reference, Error> {
    let root = connection.content().manager("rootFolder")?;
    let mut arguments = vec![root.element("container")];
    arguments.extend(kinds.iter().map(|kind| Element::text("type", *kind)));
    arguments.push(Element::text("recursive", "true"));
    let manager = connection.content().manager("viewManager")?;
    connection.call_for_reference(&Call::vim(&manager, "CreateContainerView", arguments), "vmtwin-view").await
}

/// Which properties of which kind.
pub(crate) fn of_kind(kind: &str, paths: &[&str]) -> Element {
    let mut set = Element::new("propSet").with(Element::text("type", kind));
    set.children.extend(paths.iter().map(|path| Element::text("pathSet", *path)));
    set
}

/// The objects that a view shows.
pub(crate) fn in_view(view: &Reference) -> Element {
    let traversal = Element::new("selectSet")
        .typed("TraversalSpec")
        .with(Element::text("type", view.kind.as_str()))
        .with(Element::text("path", "view"))
        .with(Element::text("skip", "false"));
    Element::new("objectSet").with(view.element("obj")).with(Element::text("skip", "true")).with(traversal)
}

async fn retrieve(connection: &Connection, spec: Element, operation_id: &str) -> Result<Vec<(Reference, Properties)>, Error> {
    let collector = connection.content().manager("propertyCollector")?;
    let options = Element::new("options").with(Element::text("maxObjects", OBJECTS_PER_ANSWER.to_string()));
    let mut call = Call::vim(&collector, "RetrievePropertiesEx", vec![spec, options]);
    let mut found = Vec::new();
    loop {
        let returned = connection.call(&call, operation_id).await?;
        let Some(result) = returned.first() else { return Ok(found) };
        found.extend(result.list("objects").filter_map(object));
        let Some(token) = result.text_at("token").filter(|token| !token.is_empty()) else { return Ok(found) };
        call = Call::vim(&collector, "ContinueRetrievePropertiesEx", vec![Element::text("token", token)]);
    }
}

fn object(content: &Element) -> Option<(Reference, Properties)> {
    let set = content.list("propSet").filter_map(|set| Some((set.text_at("name")?.to_owned(), set.child("val")?.clone())));
    Some((Reference::of(content.child("obj")?)?, set.collect()))
}
