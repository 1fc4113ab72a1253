//! Standard output. A reader who goes away early (`| head`) is no error: what follows is dropped.

use std::io::{self, BufWriter, Stdout, Write};

use anyhow::Context as _;
use serde::Serialize;

use crate::arguments::Format;

/// Standard output, in whole blocks.
pub struct Out(BufWriter<Quiet<Stdout>>);

impl Out {
    /// The process's standard output.
    pub fn stdout() -> Self {
        Self(BufWriter::new(Quiet { inner: io::stdout(), closed: false }))
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.0.get_ref().closed
    }

    /// Writes a text and a line break.
    pub fn line(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.0, "{text}").context(CANNOT_WRITE)
    }

    /// Writes a document for programs.
    pub fn document(&mut self, format: Format, document: &impl Serialize) -> anyhow::Result<()> {
        match format {
            Format::Text | Format::Json => {
                serde_json::to_writer_pretty(&mut self.0, document).context(CANNOT_WRITE)?;
                self.line("")
            }
            Format::Yaml => self.line(yaml(document)?.trim_end()),
        }
    }

    /// Writes what is still held back.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.0.flush().context(CANNOT_WRITE)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What is said when standard output doesn't take it.
pub const CANNOT_WRITE: &str = "standard output can't be written";

/// A value as YAML.
pub fn yaml(value: &impl Serialize) -> anyhow::Result<String> {
    serde_saphyr::to_string(value).context("the data can't be told in YAML")
}

/// A writer that swallows what a closed pipe doesn't take.
struct Quiet<W> {
    inner: W,
    closed: bool,
}

impl<W> Quiet<W> {
    fn unless_closed<T>(&mut self, result: io::Result<T>, otherwise: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(otherwise)
            }
            result => result,
        }
    }
}

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.unless_closed(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.unless_closed(result, ())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_who_goes_away_is_no_error() {
        let mut out = Quiet { inner: Closed, closed: false };
        assert!(out.write_all(b"text").is_ok() && out.flush().is_ok() && out.closed);
    }

    #[test]
    fn yaml_reads_back_as_what_it_was_written_from() {
        let value = json!({"a": ["010", "yes", "null", "1e3", "2026-01-01", "", " x", "a: b", "l1\nl2\n", "#", "${x}", "\u{fffd}"], "b": {"c": 1, "d": null, "e": []}, "f": true});
        let back: Value = serde_saphyr::from_str(&yaml(&value).expect("YAML")).expect("a value");
        assert_eq!(back, value);
    }
}
