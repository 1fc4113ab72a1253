//! Mistakes that are put in on purpose, each one line where the rule lives, so that `explore` can be seen to find them.
//!
//! Without the feature `planted` nothing is planted and nothing of this is left in the program; no release has it.
//! Source: reproduce §8.

/// The mistakes, and the invariant that finds each.
pub const ALL: &[(&str, &str)] = &[
    ("check-skipped-on-resume", "power-on-held"),
    ("fallback-too-early", "hard-after-soft"),
    ("restart-not-recorded", "restart-once"),
    ("restart-recorded-first", "restart-happens"),
    ("resize-while-on", "resize-off-only"),
    ("resize-marked-on-failure", "resize-marks-true"),
    ("zone-label-ignored", "zone-kept"),
    ("tags-forgotten", "affinity-required"),
    ("no-capacity-is-final", "power-reached"),
    ("delays-not-summed", "boot-order-delays"),
    ("off-stops-at-first-level", "group-power-reached"),
    ("leaver-kept", "members-exact"),
    ("quota-counts-size", "quota-respected"),
    ("quota-forgets-granted", "quota-respected"),
    ("volumes-not-awaited", "volumes-before-on"),
    ("rekey-on-empty-key", "rekey-needed"),
    ("disks-keep-old-key", "keys-agree"),
    ("one-check-is-enough", "delete-held"),
    ("create-not-searched", "one-vm-each"),
    ("stale-write-back", "user-fields-kept"),
];

/// Whether this mistake is planted.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is(_: &str) -> bool {
    false
}

#[cfg(feature = "planted")]
static PLANTED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Whether this mistake is planted.
#[cfg(feature = "planted")]
#[must_use]
pub fn is(mistake: &str) -> bool {
    ALL.get(PLANTED.load(std::sync::atomic::Ordering::Relaxed)).is_some_and(|(planted, _)| *planted == mistake)
}

/// Plants a mistake in the place of what was planted before; none for `None`. Tells whether it is one of the list.
#[cfg(feature = "planted")]
pub fn plant(mistake: Option<&str>) -> bool {
    let at = mistake.and_then(|mistake| ALL.iter().position(|(known, _)| *known == mistake));
    PLANTED.store(at.unwrap_or(usize::MAX), std::sync::atomic::Ordering::Relaxed);
    mistake.is_none() || at.is_some()
}
