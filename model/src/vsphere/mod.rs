//! vSphere's side of the world: the hypervisor port and what it speaks of.
//!
//! [`operation`] has everything that can be asked of a vCenter, named after the vSphere API; [`answer`] what comes back;
//! [`fault`] how it fails; [`change`] what a watcher of the inventory hears. [`vm`] is a virtual machine as the property
//! collector shows it, and [`spec`] what is sent to make or change one. [`inventory`] describes a whole infrastructure
//! at rest, and [`action`] what people and fate do to it.

pub mod action;
pub mod answer;
pub mod change;
pub mod fault;
pub mod inventory;
pub mod operation;
pub mod snapshot;
pub mod spec;
pub mod vm;

pub use action::Action;
pub use answer::{Answer, Failure, Reply};
pub use change::{Change, Changed};
pub use fault::{Fault, FaultName};
pub use inventory::Inventory;
pub use operation::Operation;
pub use spec::ConfigSpec;
pub use vm::VirtualMachine;
