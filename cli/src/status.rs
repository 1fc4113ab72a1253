//! Exit statuses, and which errors come to which.

use std::fmt;
use std::process::ExitCode;

/// How a command ends. Of two ends the later one in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All held.
    Held,
    /// A scenario or an invariant failed.
    Failed,
    /// The input is invalid, or the usage is wrong.
    Invalid,
    /// An error outside: a file that can't be written.
    Outside,
    /// It was interrupted.
    Interrupted,
}

/// The exit status of a bug in vmtwin; there the process ends at once.
pub const BUG: i32 = 101;

impl Status {
    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::Outside => 3,
            Self::Interrupted => 130,
        }
    }

    /// The status that an error comes to: what isn't the user's is the world's.
    pub fn of(error: &anyhow::Error) -> Self {
        if error.is::<Misuse>() { Self::Invalid } else { Self::Outside }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// A command that can't mean what it says.
#[derive(Debug)]
pub struct Misuse(String);

impl Misuse {
    /// An error with this text.
    pub fn because(text: impl Into<String>) -> anyhow::Error {
        Self(text.into()).into()
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::error::Error for Misuse {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statuses_are_the_documented_ones_and_invalid_goes_before_failed() {
        let all = [Status::Held, Status::Failed, Status::Invalid, Status::Outside, Status::Interrupted];
        assert_eq!(all.map(Status::code), [0, 1, 2, 3, 130]);
        assert_eq!(Status::Failed.max(Status::Invalid), Status::Invalid);
    }

    #[test]
    fn misuse_is_the_users_and_everything_else_the_worlds() {
        assert_eq!(Status::of(&Misuse::because("no")), Status::Invalid);
        assert_eq!(Status::of(&anyhow::anyhow!("disk full")), Status::Outside);
        assert_eq!(Status::of(&Misuse::because("no").context("with more")), Status::Invalid);
    }
}
