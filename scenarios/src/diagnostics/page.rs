//! The page of the documentation on all codes.

use std::fmt::Write as _;

use super::codes::Code;

const HEAD: &str = "# Diagnostics\n
What `vmtwin` says about files, code by code. This page is made from the table in `scenarios/src/diagnostics/codes.rs`; the examples are the files of
`tests/diagnostics`, in which every wrong line carries `#!` with the code and the message.\n";

const CHAPTERS: &[(&str, &str)] = &[
    ("VT1", "Shape"),
    ("VT2", "Names and references"),
    ("VT3", "Values and units"),
    ("VT4", "Steps and time"),
    ("VT5", "Contradictions"),
    ("VT9", "Warnings"),
];

/// The page `docs/diagnostics.md`.
#[must_use]
pub fn render_page() -> String {
    let mut page = HEAD.to_owned();
    for (prefix, chapter) in CHAPTERS {
        writeln!(page, "\n## {chapter}").expect("writing to a string can't fail");
        for code in Code::ALL.iter().filter(|code| code.id().starts_with(prefix)) {
            let info = code.info();
            writeln!(page, "\n### {code}: {}\n\n{}", info.title, info.text).expect("writing to a string can't fail");
            if let Some(example) = info.example {
                writeln!(page, "\n```yaml\n{}\n```", shown(example)).expect("writing to a string can't fail");
            }
        }
    }
    page
}

/// The example as it can be printed: control characters spelled out, long lines cut.
fn shown(example: &str) -> String {
    let lines = example.trim_end().lines().map(|line| {
        let line: String = line.chars().map(|c| if c.is_control() { format!("\\x{:02x}", u32::from(c)) } else { c.to_string() }).collect();
        if line.chars().count() > 200 { format!("{}…", line.chars().take(200).collect::<String>()) } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
