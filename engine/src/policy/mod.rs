//! vSphere's compute policies: which of a namespace's policies a workload falls under, and the tags by which vSphere hears of it.
//!
//! A VM asks by a PolicyEvaluation of its own (`workload`); this controller answers it (`matching` is the pure part). Source:
//! placement-groups §9.
//!
//! Mirrors: vm-operator `controllers/vspherepolicy/policyevaluation`, `pkg/vmconfig/policy`.

mod matching;
pub(crate) mod workload;

use std::collections::BTreeSet;

use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::compute_policy::{ComputePolicy, EnforcementMode};
use vmtwin_model::kube::policy_evaluation::{PolicyEvaluation, PolicyEvaluationResult};
use vmtwin_model::kube::tag_policy::TagPolicy;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason, Resource};

use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::verdict::Verdict;
use crate::vm::create::prerequisites::not_found;

const FINALIZER: &str = "vmoperator.vmware.com/policy-evaluation-finalizer";

/// One pass.
pub(crate) fn run(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    let Some(mut evaluation) = cx.subject().and_then(Draft::<PolicyEvaluation>::of) else { return (Ok(Verdict::Done), None) };
    let verdict = reconcile(cx, &mut evaluation);
    (Ok(verdict), evaluation.into_write())
}

fn reconcile(cx: &mut Cx<'_>, evaluation: &mut Draft<PolicyEvaluation>) -> Verdict {
    if evaluation.base().is_deleting() {
        evaluation.remove_finalizer(FINALIZER);
        return Verdict::Done;
    }
    if !cx.settings.features.on(Feature::VSpherePolicies) {
        return Verdict::Done;
    }
    if !evaluation.has_finalizer(FINALIZER) {
        evaluation.add_finalizer(FINALIZER);
        return Verdict::Progress("added finalizer");
    }
    let answer = answer(cx, evaluation);
    let (condition, policies, verdict) = match answer {
        Ok(policies) => (Condition::holds(ConditionType::Ready), policies, Verdict::Done),
        Err((reason, error)) => (Condition::fails(ConditionType::Ready, reason, error.as_str()), Vec::new(), Verdict::failed(error)),
    };
    let (now, generation) = (cx.now(), evaluation.base().generation);
    let status = evaluation.status_mut();
    status.observed_generation = generation;
    status.policies = policies;
    status.conditions.put(condition, now);
    verdict
}

/// The policies that apply: those that must, then those that are asked for; each once.
fn answer(cx: &mut Cx<'_>, evaluation: &Draft<PolicyEvaluation>) -> Result<Vec<PolicyEvaluationResult>, (Reason, String)> {
    let namespace = evaluation.namespace().clone();
    let mut met = BTreeSet::new();
    let mut results = Vec::new();
    for policy in cx.list::<ComputePolicy>(&namespace) {
        let mandatory = policy.spec().enforcement_mode.unwrap_or(EnforcementMode::Mandatory) == EnforcementMode::Mandatory;
        if mandatory && matching::applies(policy.spec(), evaluation.spec()) {
            let result = result(cx, &policy).map_err(|error| (Reason::MandatoryPoliciesReconcileFailed, error))?;
            met.insert(policy.name().to_owned());
            results.push(result);
        }
    }
    let info = ComputePolicy::KIND.info();
    let explicit = evaluation.spec().policies.iter().filter(|named| named.kind == info.kind && named.api_version == info.api_version());
    for named in explicit {
        if met.insert(named.name.clone()) {
            let added = add_explicit(cx, evaluation, &namespace, &named.name);
            results.push(added.map_err(|error| {
                (Reason::ExplicitPoliciesReconcileFailed, format!("failed to add explicit compute policy {:?}: {error}", named.name))
            })?);
        }
    }
    Ok(results)
}

fn add_explicit(
    cx: &mut Cx<'_>,
    evaluation: &Draft<PolicyEvaluation>,
    namespace: &str,
    name: &str,
) -> Result<PolicyEvaluationResult, String> {
    let missing = || format!("failed to get compute policy {name:?}: {}", not_found(ComputePolicy::KIND, name));
    let policy = cx.find::<ComputePolicy>(namespace, name).ok_or_else(missing)?;
    if !matching::applies(policy.spec(), evaluation.spec()) {
        return Err(format!("compute policy {name:?} does not match"));
    }
    result(cx, &policy)
}

/// A policy that applies, with the tags of all its tag policies.
fn result(cx: &mut Cx<'_>, policy: &Known<ComputePolicy>) -> Result<PolicyEvaluationResult, String> {
    let (namespace, info) = (policy.object.key.namespace.clone(), ComputePolicy::KIND.info());
    let mut tags = Vec::new();
    for name in &policy.spec().tags {
        let missing = || format!("failed to get tag policy {name:?}: {}", not_found(TagPolicy::KIND, name));
        let named = cx.find::<TagPolicy>(&namespace, name).ok_or_else(missing)?;
        for tag in &named.spec().tags {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
    }
    Ok(PolicyEvaluationResult {
        api_version: info.api_version(),
        kind: info.kind.to_owned(),
        name: policy.name().to_owned(),
        observed_generation: policy.object.generation,
        tags,
    })
}
