//! What is wrong with a configuration: every mistake at once, each with its place.
//!
//! A mistake never shows a value from the file, because the value may be a key that was put in the
//! wrong place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: a path of keys such as `upstream[0].base_url`, a flag, or the name of the file.
    pub(crate) path: String,
    /// The line of the file, counted from 1, if the path is in the file.
    pub(crate) line: Option<usize>,
    /// What is wrong, as a clause that continues the path.
    pub(crate) what: String,
    /// What would be right, as an instruction.
    pub(crate) right: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, ": {}; {}", self.what, self.right)
    }
}

/// Everything that is wrong with a configuration: never empty, in the order of the file as far as
/// lines are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Mistake>);

impl ConfigErrors {
    /// Each mistake.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
        Self(mistakes)
    }

    pub(super) fn one(path: impl Into<String>, wrong: Wrong) -> Self {
        Self(vec![Mistake {
            path: path.into(),
            line: None,
            what: wrong.what,
            right: wrong.right,
        }])
    }

    /// The same mistakes under other names, for settings that did not come from a file.
    pub(super) fn renamed(mut self, name: impl Fn(&str) -> Option<String>) -> Self {
        for mistake in &mut self.0 {
            if let Some(path) = name(&mistake.path) {
                mistake.path = path;
            }
        }
        self
    }
}

/// One mistake per line.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// What is wrong with a value, before it is known where the value stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) right: String,
}

/// A value that is `what`, where `right` would be right.
pub(super) fn wrong(what: impl Into<String>, right: impl Into<String>) -> Wrong {
    Wrong {
        what: what.into(),
        right: right.into(),
    }
}

/// Collects mistakes while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    lines: BTreeMap<String, usize>,
    found: RefCell<Vec<Mistake>>,
}

impl Mistakes {
    /// A collector that knows on which line each path stands.
    pub(super) fn in_file(lines: BTreeMap<String, usize>) -> Self {
        Self {
            lines,
            found: RefCell::default(),
        }
    }

    pub(super) fn add(&self, path: impl Into<String>, wrong: Wrong) {
        let path = path.into();
        let line = self.line(&path);
        self.found.borrow_mut().push(Mistake {
            path,
            line,
            what: wrong.what,
            right: wrong.right,
        });
    }

    /// `value`, unless a mistake was found.
    pub(super) fn or<T>(self, value: T) -> Result<T, ConfigErrors> {
        let found = self.found.into_inner();
        if found.is_empty() {
            Ok(value)
        } else {
            Err(ConfigErrors::new(found))
        }
    }

    /// The line of `path`, or of the nearest table around it: a key that is missing has no line of
    /// its own.
    fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Some(*line);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }
}
