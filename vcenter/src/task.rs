//! Following a task to its end. Source: vsphere §2.5.
//!
//! A task outlives a connection: while it can't be read, it is asked for again, until the silence has lasted too long.

use std::time::{Duration, Instant};

use crate::connection::{Connection, Error};
use crate::properties;
use crate::soap::Reference;
use crate::xml::Element;

/// The first pause between two looks; each is twice the last.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a task may be out of sight.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// The `info` of a task that ended.
///
/// # Errors
/// If it was out of sight for too long, or is forgotten.
pub async fn ended(connection: &Connection, task: &Reference, operation_id: &str) -> Result<Element, Error> {
    let mut pause = PAUSE_MIN;
    let mut seen = Instant::now();
    loop {
        match properties::of_one(connection, task, &["info"], operation_id).await {
            Ok(mut properties) => {
                seen = Instant::now();
                let info = properties.remove("info").ok_or(Error::Lacking { method: "RetrievePropertiesEx", what: "info" })?;
                if matches!(info.text_at("state"), Some("success" | "error")) {
                    return Ok(info);
                }
            }
            Err(Error::Fault(fault)) => return Err(Error::Fault(fault)),
            Err(error) if seen.elapsed() > SILENCE_MAX => return Err(error),
            Err(error) => tracing::warn!(task = task.id, %error, "a task is out of sight"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
