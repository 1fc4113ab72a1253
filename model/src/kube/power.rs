//! The words of power: what a VM or a group is asked to be, and how hard to pull. Shared by the VM, the group and the
//! snapshot; which transition is allowed is admission's business.

use crate::kube::choice::choice;

choice! {
    /// Whether a VM runs.
    pub enum PowerState {
        /// Off: no memory, no CPU.
        PoweredOff = "PoweredOff",
        /// Running.
        PoweredOn = "PoweredOn",
        /// Stopped with its memory kept on disk.
        Suspended = "Suspended",
    }
}

choice! {
    /// How a power operation is carried out.
    pub enum PowerOpMode {
        /// By the hypervisor alone, as if the cord were pulled.
        Hard = "Hard",
        /// By the guest, through VM Tools; it fails or waits if the guest does not answer.
        Soft = "Soft",
        /// By the guest first, and by the hypervisor if that fails or takes too long.
        TrySoft = "TrySoft",
    }
}
