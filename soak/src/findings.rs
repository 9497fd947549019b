//! What was seen, and what was wrong.

use std::collections::BTreeMap;
use std::fmt;

/// Different mistakes that are shown.
const SHOWN: usize = 40;

/// Lines of the summary, and mistakes by their text.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    lines: Vec<String>,
    wrong: BTreeMap<String, u64>,
}

impl Findings {
    /// Something worth knowing.
    pub(crate) fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Something that must not be.
    pub(crate) fn wrong(&mut self, what: String) {
        *self.wrong.entry(what).or_default() += 1;
    }

    /// Something that must not be, unless `holds`.
    pub(crate) fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(what());
        }
    }

    /// Several at once.
    pub(crate) fn all_wrong(&mut self, mistakes: &BTreeMap<String, u64>) {
        for (what, times) in mistakes {
            *self.wrong.entry(what.clone()).or_default() += times;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wrong.is_empty()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        if self.wrong.is_empty() {
            return write!(f, "nothing was wrong");
        }
        writeln!(f, "WRONG:")?;
        for (what, times) in self.wrong.iter().take(SHOWN) {
            writeln!(f, "  {times} x {what}")?;
        }
        write!(f, "{} different mistakes", self.wrong.len())
    }
}
