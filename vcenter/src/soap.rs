//! SOAP on top of the tree: envelopes, answers, faults. Source: vsphere §2.1.
//!
//! It knows the shape of a call and of an answer, and no method.

use std::collections::BTreeMap;

use serde_json::Value;
use vmtwin_model::vsphere::{Fault, FaultName};

use crate::xml::{Element, ReadError, Unspeakable};

/// A managed object on the wire: its type and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// `VirtualMachine`.
    pub kind: String,
    /// `vm-42`.
    pub id: String,
}

impl Reference {
    /// A reference.
    #[must_use]
    pub fn new(kind: &str, id: &str) -> Self {
        Self { kind: kind.to_owned(), id: id.to_owned() }
    }

    /// The reference that an element holds.
    #[must_use]
    pub fn of(element: &Element) -> Option<Self> {
        Some(Self::new(element.reference.as_deref()?, &element.text))
    }

    /// The element that holds it.
    #[must_use]
    pub fn element(&self, name: &str) -> Element {
        Element::reference(name, &self.kind, &self.id)
    }
}

/// One of the services that speak SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// VIM: nearly everything.
    Vim,
    /// PBM: storage policies.
    Pbm,
}

impl Service {
    /// The path of its URL.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Vim => "/sdk",
            Self::Pbm => "/pbm",
        }
    }

    /// The namespace of its methods.
    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Vim => "urn:vim25",
            Self::Pbm => "urn:pbm",
        }
    }
}

/// A method that is called on a managed object, its arguments in the API's order.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// The object.
    pub this: Reference,
    /// The method.
    pub method: &'static str,
    /// The arguments.
    pub arguments: Vec<Element>,
}

/// What an envelope says besides the call.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// What vCenter's logs call the operation.
    pub operation_id: String,
    /// The session, where the service takes it in the header (PBM).
    pub session: Option<String>,
}

/// Why an answer can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It is no XML.
    #[error(transparent)]
    Xml(#[from] ReadError),
    /// It is no answer to what was asked.
    #[error("the answer to {method} is no SOAP answer of it: {found}")]
    Shape {
        /// The method.
        method: &'static str,
        /// What came.
        found: String,
    },
}

impl Call {
    /// A call of the VIM service.
    #[must_use]
    pub fn vim(this: &Reference, method: &'static str, arguments: Vec<Element>) -> Self {
        Self { service: Service::Vim, this: this.clone(), method, arguments }
    }

    /// A call of the PBM service.
    #[must_use]
    pub fn pbm(this: &Reference, method: &'static str, arguments: Vec<Element>) -> Self {
        Self { service: Service::Pbm, this: this.clone(), method, arguments }
    }

    /// The envelope.
    ///
    /// # Errors
    /// If a text has a character that XML can't say.
    pub fn envelope(&self, header: &Header) -> Result<String, Unspeakable> {
        let mut out = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Header>",
        );
        if !header.operation_id.is_empty() {
            Element::text("operationID", header.operation_id.as_str()).write(&mut out)?;
        }
        if let Some(session) = &header.session {
            Element::text("vcSessionCookie", session.as_str()).write(&mut out)?;
        }
        out.push_str("</soapenv:Header><soapenv:Body>");
        let mut body = Element::new(self.method).with(self.this.element("_this"));
        body.children.extend(self.arguments.iter().cloned());
        body.write_with(&mut out, &format!(" xmlns=\"{}\"", self.service.namespace()))?;
        out.push_str("</soapenv:Body></soapenv:Envelope>");
        Ok(out)
    }

    /// Reads the answer: what was returned, or the fault.
    ///
    /// # Errors
    /// If it is no answer to this call.
    pub fn answer(&self, bytes: &[u8]) -> Result<Result<Vec<Element>, Fault>, AnswerError> {
        let envelope = Element::read(bytes)?;
        let content = envelope.child("Body").and_then(|body| body.children.first());
        let shape = |found: &str| AnswerError::Shape { method: self.method, found: found.to_owned() };
        match content {
            _ if envelope.name != "Envelope" => Err(shape(&format!("<{}>", envelope.name))),
            Some(element) if element.name == "Fault" => Ok(Err(call_fault(element))),
            Some(element) if element.name.strip_suffix("Response") == Some(self.method) => {
                Ok(Ok(element.list("returnval").cloned().collect()))
            }
            Some(element) => Err(shape(&format!("<{}>", element.name))),
            None => Err(shape("an empty body")),
        }
    }
}

/// The fault with which a call was answered.
fn call_fault(element: &Element) -> Fault {
    let text = element.text_at("faultstring").unwrap_or_default();
    match element.child("detail").and_then(|detail| detail.children.first()) {
        Some(detail) => fault(detail, text),
        None => Fault::new(FaultName::SystemError, text),
    }
}

/// The fault of a `LocalizedMethodFault`, as a failed task has it.
#[must_use]
pub fn localized_fault(element: &Element) -> Fault {
    let text = element.text_at("localizedMessage").unwrap_or_default();
    match element.child("fault") {
        Some(inner) => fault(inner, text),
        // The other shape: the fault itself.
        None => fault(element, text),
    }
}

/// A fault by the element that holds its fields: the type is the `xsi:type`, or the element's name less `Fault`.
fn fault(element: &Element, text: &str) -> Fault {
    let name = match element.type_name() {
        "" => element.name.strip_suffix("Fault").unwrap_or(&element.name),
        name => name,
    };
    let mut fault = Fault::new(FaultName::from(name), text);
    let names: std::collections::BTreeSet<&str> = element.children.iter().map(|child| child.name.as_str()).collect();
    fault.properties = names.into_iter().map(|name| (name.to_owned(), json_of_list(element.list(name)))).collect();
    fault
}

/// A property's value as JSON: text, an object with `_typeName`, or several of them. The schema isn't known, so a number stays a text.
pub fn json_of_list<'a>(elements: impl Iterator<Item = &'a Element>) -> Value {
    let mut values: Vec<Value> = elements.map(json).collect();
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

fn json(element: &Element) -> Value {
    if element.children.is_empty() {
        return Value::String(element.text.clone());
    }
    let mut fields: BTreeMap<&str, Vec<&Element>> = BTreeMap::new();
    for child in &element.children {
        fields.entry(&child.name).or_default().push(child);
    }
    let mut object = serde_json::Map::new();
    if !element.type_name().is_empty() {
        object.insert("_typeName".to_owned(), element.type_name().into());
    }
    object.extend(fields.into_iter().map(|(name, values)| (name.to_owned(), json_of_list(values.into_iter()))));
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power_on() -> Call {
        Call::vim(&Reference::new("VirtualMachine", "vm-42"), "PowerOnVM_Task", vec![Element::reference("host", "HostSystem", "host-9")])
    }

    #[test]
    fn an_envelope_has_the_object_first_and_then_the_arguments() {
        let header = Header { operation_id: "op<1>".into(), session: None };
        let text = power_on().envelope(&header).expect("an envelope");
        assert!(text.contains("<soapenv:Header><operationID>op&lt;1&gt;</operationID></soapenv:Header>"), "{text}");
        let body = "<PowerOnVM_Task xmlns=\"urn:vim25\"><_this type=\"VirtualMachine\">vm-42</_this><host type=\"HostSystem\">host-9</host></PowerOnVM_Task>";
        assert!(text.contains(body), "{text}");
    }

    #[test]
    fn the_storage_policy_service_takes_the_session_in_the_header() {
        let call = Call::pbm(&Reference::new("PbmServiceInstance", "ServiceInstance"), "PbmRetrieveServiceContent", Vec::new());
        let text = call.envelope(&Header { operation_id: String::new(), session: Some("abc".into()) }).expect("an envelope");
        assert!(text.contains("<soapenv:Header><vcSessionCookie>abc</vcSessionCookie></soapenv:Header>"), "{text}");
        assert!(text.contains("xmlns=\"urn:pbm\""), "{text}");
    }

    #[test]
    fn an_answer_gives_what_was_returned() {
        let text = br#"<e:Envelope xmlns:e="s"><e:Body><PowerOnVM_TaskResponse xmlns="urn:vim25"><returnval type="Task">task-7</returnval></PowerOnVM_TaskResponse></e:Body></e:Envelope>"#;
        let returned = power_on().answer(text).expect("an answer").expect("no fault");
        assert_eq!(returned.iter().filter_map(Reference::of).collect::<Vec<_>>(), [Reference::new("Task", "task-7")]);
    }

    #[test]
    fn a_fault_has_its_type_its_text_and_its_fields() {
        let text = br#"<e:Envelope xmlns:e="s" xmlns:x="i"><e:Body><e:Fault><faultcode>ServerFaultCode</faultcode><faultstring>wrong state</faultstring>
            <detail><InvalidPowerStateFault x:type="InvalidPowerState"><requestedState>poweredOn</requestedState><existingState>poweredOn</existingState></InvalidPowerStateFault></detail></e:Fault></e:Body></e:Envelope>"#;
        let fault = power_on().answer(text).expect("an answer").expect_err("a fault");
        assert_eq!((&fault.name, &*fault.localized_message), (&FaultName::InvalidPowerState, "wrong state"));
        assert_eq!(fault.text("existingState"), Some("poweredOn"));
    }

    #[test]
    fn a_fault_without_type_is_called_after_its_element() {
        let detail = Element::new("NotAuthenticatedFault");
        assert_eq!(fault(&detail, "").name, FaultName::NotAuthenticated);
        assert_eq!(fault(&Element::new("x").typed("vim25:FileLocked"), "").name, FaultName::FileLocked);
    }

    #[test]
    fn a_failed_task_has_its_fault_in_either_shape() {
        let inner = Element::new("fault").typed("NoCompatibleHost").with(Element::reference("host", "HostSystem", "host-1"));
        let wrapped = Element::new("error").with(inner.clone()).with(Element::text("localizedMessage", "none"));
        let found = localized_fault(&wrapped);
        assert_eq!((found.name, &*found.localized_message), (FaultName::NoCompatibleHost, "none"));
        assert_eq!(localized_fault(&inner).name, FaultName::NoCompatibleHost);
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for (text, told) in [
            ("<html><body>404</body></html>", "<html>"),
            ("<Envelope><Body/></Envelope>", "an empty body"),
            ("<Envelope><Body><DestroyResponse/></Body></Envelope>", "<DestroyResponse>"),
            ("Service Unavailable", "text outside of the root element"),
        ] {
            let error = power_on().answer(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
