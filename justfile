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

# hostile input without end (or `just fuzz run 600`, seconds); targets: read, run, admit. Needs a nightly compiler and a C++ compiler.
fuzz TARGET='run' SECONDS='0':
    cd tests/fuzz && mkdir -p corpus/{{TARGET}} artifacts/{{TARGET}} seeds/{{TARGET}} finds/{{TARGET}} && \
    cargo +nightly run --release --target "$(rustc -vV | sed -n 's/^host: //p')" --bin {{TARGET}} -- \
        -max_total_time={{SECONDS}} -timeout=10 -rss_limit_mb=1024 -max_len=16384 -dict=scenario.dict -artifact_prefix=artifacts/{{TARGET}}/ \
        corpus/{{TARGET}} seeds/{{TARGET}} finds/{{TARGET}} $(test {{TARGET}} = admit || find ../../scenarios/library -mindepth 1 -type d)

# random worlds, operations and faults against the invariants, so many runs of each profile
explore N='1000':
    cargo run --release --bin vmtwin -- explore --runs {{N}} --profile default --profile power --profile placement --profile groups \
        --profile crypto --profile storage --profile chaos

# each mistake that can be planted into the engine is found, made small, and gone without it
planted:
    cargo test --release --workspace --features vmtwin-scenarios/planted --test planted -- --nocapture

# the benchmarks; figures in benches/BASELINE.md
bench *ARGS:
    cargo build --release --bin vmtwin
    cargo bench -p vmtwin-benches {{ARGS}}
