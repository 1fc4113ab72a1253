//! One value of `nextRestartTime` restarts a VM once. Source: seed "Restart"; lifecycle §12.5.

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record};

const LAST_RESTART: &str = "vmservice.lastRestartTime";

pub(super) const RULE: Invariant = Invariant {
    name: "restart-once",
    guards: "seed: Restart; lifecycle §12.5",
    holds: "per VM and value of nextRestartTime at most one successful restart, plus one for each crash, lost answer or failed record in \
            between; no call lowers vmservice.lastRestartTime",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    match (record.event, &record.data) {
        (Event::Pass, _) => restarted(view, record, out),
        (Event::Operation, Data::Call(Operation::ReconfigVm { vm, spec })) => {
            let number = |text: &str| text.parse::<i128>().ok();
            let written = spec.extra_config.iter().find(|option| &*option.key == LAST_RESTART).and_then(|option| number(&option.value));
            let there = view.vm(vm).and_then(|vm| number(vm.extra_config(LAST_RESTART)?));
            if let (Some(written), Some(there)) = (written, there)
                && written < there
            {
                out.violated(&[vm], "the last restart is set back", format!("at least {there}"), written.to_string());
            }
        }
        _ => {}
    }
}

fn restarted(view: &View<'_>, record: &Record, out: &mut Check) {
    let calls = view.calls_of(record);
    if !calls.iter().any(|call| matches!(call.operation, Operation::ResetVm { .. } | Operation::RebootGuest { .. })) {
        return;
    }
    let Some(known) = view.known(record) else { return };
    let Some(vm) = known.view::<VirtualMachine>() else { return };
    let wanted = &vm.spec.next_restart_time;
    let Some(restarts) = view.history().restarts.get(&(known.uid().to_owned(), wanted.clone())) else { return };
    out.premise();
    let allowed = 1 + restarts.failed + (view.history().interruptions - restarts.interruptions);
    if restarts.done > allowed {
        out.violated(
            &[&known.key],
            format!("restarted again for nextRestartTime {wanted}"),
            format!("at most {allowed}"),
            restarts.done.to_string(),
        );
    }
}
