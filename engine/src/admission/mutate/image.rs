//! VM-M-008: a new VM's image name is resolved into the image object that it means.
//!
//! Page: admission §6.1. Object names begin with `vmi-` and are looked up in the namespace, then in the cluster; any other name
//! is a display name, which must be unique in both together. `spec.imageName` stays as it was written.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `ResolveImageNameOnCreate`.

use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::virtual_machine::{ImageRef, VirtualMachine};
use vmtwin_model::kube::virtual_machine_image::{VirtualMachineImage, VirtualMachineImageStatus};
use vmtwin_model::kube::{Resource, View};

use crate::admission::cause;
use crate::admission::request::{AdmissionCx, Denial, Request};
use crate::draft::Draft;

const OBJECT_PREFIX: &str = "vmi-";

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let name = &vm.spec().image_name;
    if name.is_empty() {
        return Ok(());
    }
    let found = if name.starts_with(OBJECT_PREFIX) {
        by_object_name(&request.cx, request.namespace(), name)
    } else {
        by_display_name(&request.cx, request.namespace(), name)
    };
    let found = found.map_err(Denial::Text)?;
    match &vm.spec().image {
        None => vm.spec_mut().image = Some(found),
        Some(given) if *given == found => {}
        Some(_) => return Err(cause::invalid("spec.imageName", name, "must refer to the same resource as spec.image").into()),
    }
    Ok(())
}

fn by_object_name(cx: &AdmissionCx<'_>, namespace: &str, name: &str) -> Result<ImageRef, String> {
    if cx.cache.view::<VirtualMachineImage>(namespace, name).is_some() {
        Ok(reference::<VirtualMachineImage>(name))
    } else if cx.cache.view::<ClusterVirtualMachineImage>("", name).is_some() {
        Ok(reference::<ClusterVirtualMachineImage>(name))
    } else {
        Err(nowhere(name))
    }
}

fn by_display_name(cx: &AdmissionCx<'_>, namespace: &str, name: &str) -> Result<ImageRef, String> {
    let ambiguous = |scope: &str| format!("multiple VM images exist for \"{name}\" in {scope} scope");
    let in_namespace = called::<VirtualMachineImage>(cx, Some(namespace), name, |image| image.status);
    if in_namespace.len() > 1 {
        return Err(ambiguous("namespace"));
    }
    let in_cluster = called::<ClusterVirtualMachineImage>(cx, None, name, |image| image.status);
    if in_cluster.len() > 1 {
        return Err(ambiguous("cluster"));
    }
    match (&in_namespace[..], &in_cluster[..]) {
        ([object], []) => Ok(reference::<VirtualMachineImage>(object)),
        ([], [object]) => Ok(reference::<ClusterVirtualMachineImage>(object)),
        ([], []) => Err(nowhere(name)),
        _ => Err(ambiguous("namespace and cluster")),
    }
}

/// The names of the first two images with this display name.
fn called<'a, K: Resource>(
    cx: &AdmissionCx<'a>,
    namespace: Option<&'a str>,
    name: &str,
    status: fn(View<'a, K>) -> &'a VirtualMachineImageStatus,
) -> Vec<&'a str> {
    let images = cx.cache.list(K::KIND, namespace);
    let called = images.filter(|image| image.view::<K>().is_some_and(|image| status(image).name == name));
    called.map(|image| &*image.key.name).take(2).collect()
}

fn reference<K: Resource>(name: &str) -> ImageRef {
    ImageRef { kind: K::KIND.to_string(), name: name.to_owned() }
}

fn nowhere(name: &str) -> String {
    format!("no VM image exists for \"{name}\" in namespace or cluster scope")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    fn image(sample: Sample, kind: &str, object: &str, name: &str) -> Sample {
        let namespace = if kind.starts_with("Cluster") { json!(null) } else { json!("my-namespace") };
        sample.given(json!({
            "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": kind, "metadata": {"name": object, "namespace": namespace},
            "status": {"name": name}
        }))
    }

    #[test]
    fn an_object_name_is_looked_up_in_the_namespace_then_in_the_cluster() {
        let sample = image(Sample::vm(), "ClusterVirtualMachineImage", "vmi-c", "photon");
        let resolved = |name: &str| sample.clone().spec("imageName", json!(name)).created()["spec"]["image"].clone();
        assert_eq!(resolved("vmi-1"), json!({"kind": "VirtualMachineImage", "name": "vmi-1"}));
        assert_eq!(resolved("vmi-c"), json!({"kind": "ClusterVirtualMachineImage", "name": "vmi-c"}));
        assert_eq!(resolved("photon"), json!({"kind": "ClusterVirtualMachineImage", "name": "vmi-c"}));
    }

    #[test]
    fn what_is_nowhere_is_refused() {
        for name in ["vmi-9", "elsewhere"] {
            let text = format!("no VM image exists for \"{name}\" in namespace or cluster scope");
            assert_eq!(Sample::vm().spec("imageName", json!(name)).denied_by_mutation(), text);
        }
    }

    #[test]
    fn an_ambiguous_display_name_is_refused() {
        let denied = |sample: Sample| sample.spec("imageName", json!("twin")).denied_by_mutation();
        let (own, other) = ("VirtualMachineImage", "ClusterVirtualMachineImage");
        for (first, second, scope) in [(own, own, "namespace"), (other, other, "cluster"), (own, other, "namespace and cluster")] {
            let sample = image(image(Sample::vm(), first, "vmi-a", "twin"), second, "vmi-b", "twin");
            assert_eq!(denied(sample), format!("multiple VM images exist for \"twin\" in {scope} scope"));
        }
    }

    #[test]
    fn name_and_reference_must_mean_the_same() {
        let with = |name: &str| Sample::vm().spec("image", json!({"kind": "VirtualMachineImage", "name": name}));
        assert_eq!(with("vmi-1").created()["spec"]["image"]["name"], "vmi-1");
        let text = "spec.imageName: Invalid value: \"vmi-1\": must refer to the same resource as spec.image";
        assert_eq!(with("vmi-2").denied_by_mutation(), text);
    }
}
