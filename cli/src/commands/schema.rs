//! `vmtwin schema`: JSON Schemas of the file formats, and of the Kubernetes kinds.

use vmtwin_model::kube::Kind;
use vmtwin_scenarios::format;

use crate::arguments::Format;
use crate::output::Out;
use crate::status::{Misuse, Status};

/// What can be typed after `vmtwin schema`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Scenario, Inventory, or a Kubernetes kind such as VirtualMachine [default: any document of a scenario file]
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// How to print the schema; text is JSON
    #[arg(short, long, value_name = "FORMAT", default_value = "json")]
    output: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments, out: &mut Out) -> anyhow::Result<Status> {
    let name = arguments.kind.as_deref();
    let of_kind = || Kind::named(name?)?.info().schema.map(|schema| schema().clone());
    let Some(schema) = format::schema(name).or_else(of_kind) else {
        let served = Kind::all().map(Kind::info).filter(|kind| kind.schema.is_some()).map(|kind| kind.kind);
        let known: Vec<&str> = format::KINDS.iter().copied().chain(served).collect();
        return Err(Misuse::because(format!(
            "there is no schema of `{}`; there are those of {}",
            name.unwrap_or_default(),
            known.join(", ")
        )));
    };
    out.document(arguments.output, &schema)?;
    Ok(Status::Held)
}
