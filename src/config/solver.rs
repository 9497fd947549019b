//! Where the solver z3 is.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where packages put it. `PATH` is not asked: no environment variable is read implicitly.
const PLACES: [&str; 4] = [
    "/usr/bin/z3",
    "/usr/local/bin/z3",
    "/opt/homebrew/bin/z3",
    "/opt/local/bin/z3",
];

/// Where the solver is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum SolverPlace {
    /// At this path.
    At(PathBuf),
    /// Where packages install it, if it is there.
    #[default]
    Auto,
    /// Nowhere: not to be used.
    Off,
}

impl SolverPlace {
    /// The path that it comes to on this machine, if a solver is there.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::At(path) => Some(path),
            Self::Auto => PLACES
                .into_iter()
                .map(Path::new)
                .find(|path| path.is_file()),
            Self::Off => None,
        }
    }
}

impl fmt::Display for SolverPlace {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(path) => path.display().fmt(f),
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
        }
    }
}
