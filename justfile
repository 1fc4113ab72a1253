# Shorthands for those who work on vmtwin. `just` is a convenience: `.ci/run` needs none of it.

# formatting, lints, tests, house rules
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --release --workspace

# the scenario library
run *ARGS:
    cargo run --release --bin vmtwin -- run scenarios/ {{ARGS}}

# takes over what the timelines and generated pages say now; read the diff aloud before committing it
bless:
    VMTWIN_BLESS=1 INSTA_UPDATE=always cargo test --release --workspace

# the benchmarks; figures in benches/BASELINE.md
bench *ARGS:
    cargo build --release --bin vmtwin
    cargo bench -p vmtwin-benches {{ARGS}}
