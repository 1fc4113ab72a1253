//! `vmtwin init`: writes a first scenario, ready to run and to edit.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::output::Out;
use crate::status::{Misuse, Status};

const NAME: &str = "first-vm.yaml";
const CONTENT: &str = include_str!("../../templates/first-vm.yaml");

/// What can be typed after `vmtwin init`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder; it is made if it isn't there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Arguments, out: &mut Out) -> anyhow::Result<Status> {
    let folder = &arguments.folder;
    let path = if folder.as_os_str() == "." { PathBuf::from(NAME) } else { folder.join(NAME) };
    let shown = path.display();
    std::fs::create_dir_all(folder).with_context(|| format!("folder `{}` can't be made", folder.display()))?;
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file.write_all(CONTENT.as_bytes()).with_context(|| format!("`{shown}` can't be written"))?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Misuse::because(format!("`{shown}` is there already and was left as it is; name another folder")));
        }
        Err(error) => return Err(error).with_context(|| format!("`{shown}` can't be written")),
    }
    out.line(&format!("wrote {shown}: a VM is created, boots and gets an address; then its host fails\n"))?;
    out.line("next:")?;
    for (command, what) in [("run", "run it"), ("timeline", "see what happened, event by event"), ("lint", "check it after an edit")] {
        out.line(&format!("  vmtwin {command:<8} {shown}   # {what}"))?;
    }
    Ok(Status::Held)
}
