//! VM-V-148 to VM-V-152: Sysprep's answer file is given as fields or raw, and its fields go together.
//!
//! Page: admission §13.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateSysprep`, `validateInlineSysprep`.

use vmtwin_model::kube::virtual_machine::{GuiUnattended, Identification, VirtualMachine};

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const FIELD: &str = "spec.bootstrap.sysprep";
const INLINE: &str = "spec.bootstrap.sysprep.sysprep";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let bootstrap = request.new.spec.bootstrap.as_ref();
    let Some(sysprep) = bootstrap.and_then(|bootstrap| bootstrap.sysprep.as_ref()) else { return };
    match (&sysprep.sysprep, &sysprep.raw_sysprep) {
        (Some(_), Some(_)) => causes.push(cause::invalid(FIELD, "sysPrep", "sysprep and rawSysprep are mutually exclusive")),
        (None, None) => causes.push(cause::invalid(FIELD, "sysPrep", "either sysprep or rawSysprep must be provided")),
        (Some(_), None) | (None, Some(_)) => {}
    }
    let Some(inline) = &sysprep.sysprep else { return };
    if let Some(gui) = &inline.gui_unattended {
        validate_logon(gui, causes);
    }
    if let Some(identification) = &inline.identification {
        let domain = request.new.spec.network.as_ref().map_or("", |network| &network.domain_name);
        validate_identification(identification, domain, causes);
    }
}

fn validate_logon(gui: &GuiUnattended, causes: &mut Causes) {
    if gui.auto_logon && gui.auto_logon_count == 0 {
        causes.push(cause::invalid(INLINE, "guiUnattended", "autoLogon requires autoLogonCount to be specified"));
    }
    if gui.auto_logon && gui.password.as_ref().is_none_or(|password| password.name.is_empty()) {
        causes.push(cause::invalid(INLINE, "guiUnattended", "autoLogon requires password selector to be set"));
    }
}

fn validate_identification(identification: &Identification, domain: &str, causes: &mut Causes) {
    let workgroup = !identification.join_workgroup.is_empty();
    let password = identification.domain_admin_password.as_ref().is_some_and(|password| !password.name.is_empty());
    let mut wrong = |text| causes.push(cause::invalid(INLINE, "identification", text));
    if !domain.is_empty() {
        if workgroup {
            wrong("spec.network.domainName and joinWorkgroup are mutually exclusive");
        }
        if identification.domain_admin.is_empty() || !password {
            wrong("spec.network.domainName requires domainAdmin and domainAdminPassword selector to be set");
        }
    }
    if workgroup && (!identification.domain_admin.is_empty() || password || !identification.domain_ou.is_empty()) {
        wrong("joinWorkgroup and domainAdmin/domainAdminPassword/domainOU are mutually exclusive");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(sysprep: Value) -> Sample {
        Sample::vm().spec("bootstrap", json!({"sysprep": sysprep}))
    }

    fn inline(field: &str, value: Value) -> Sample {
        with(json!({"sysprep": {"userData": {"fullName": "a", "orgName": "b"}, field: value}}))
    }

    #[test]
    fn the_answer_file_is_given_once() {
        let raw = json!({"name": "s", "key": "k"});
        assert!(with(json!({"rawSysprep": raw})).admitted().is_ok());
        let nothing = "spec.bootstrap.sysprep: Invalid value: \"sysPrep\": either sysprep or rawSysprep must be provided";
        assert_eq!(with(json!({})).denied(), [nothing]);
        let both = with(json!({"rawSysprep": raw, "sysprep": {"userData": {"fullName": "a", "orgName": "b"}}}));
        assert_eq!(both.denied(), ["spec.bootstrap.sysprep: Invalid value: \"sysPrep\": sysprep and rawSysprep are mutually exclusive"]);
    }

    #[test]
    fn an_automatic_logon_needs_count_and_password() {
        let whole = json!({"autoLogon": true, "autoLogonCount": 1, "password": {"name": "s", "key": "k"}});
        assert!(inline("guiUnattended", whole).admitted().is_ok());
        let path = "spec.bootstrap.sysprep.sysprep: Invalid value: \"guiUnattended\"";
        assert_eq!(
            inline("guiUnattended", json!({"autoLogon": true})).denied(),
            [
                format!("{path}: autoLogon requires autoLogonCount to be specified"),
                format!("{path}: autoLogon requires password selector to be set"),
            ]
        );
    }

    #[test]
    fn a_workgroup_excludes_a_domain() {
        let path = "spec.bootstrap.sysprep.sysprep: Invalid value: \"identification\"";
        let workgroup = inline("identification", json!({"joinWorkgroup": "w"}));
        assert!(workgroup.admitted().is_ok());
        assert_eq!(
            workgroup.spec("network", json!({"domainName": "example.com"})).denied(),
            [
                format!("{path}: spec.network.domainName and joinWorkgroup are mutually exclusive"),
                format!("{path}: spec.network.domainName requires domainAdmin and domainAdminPassword selector to be set"),
            ]
        );
        let both = inline("identification", json!({"joinWorkgroup": "w", "domainAdmin": "a"}));
        assert_eq!(both.denied(), [format!("{path}: joinWorkgroup and domainAdmin/domainAdminPassword/domainOU are mutually exclusive")]);
        let domain = inline("identification", json!({"domainAdmin": "a", "domainAdminPassword": {"name": "s", "key": "k"}}));
        assert!(domain.spec("network", json!({"domainName": "example.com"})).admitted().is_ok());
    }
}
