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
    /// Where in the file, if the path is in it.
    pub(crate) place: Option<Place>,
    /// What is wrong, as a clause that continues the path.
    pub(crate) what: String,
    /// What would be right, as an instruction.
    pub(crate) right: String,
}

/// A place in a file. Both numbers count from 1; a column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// Where the byte `at` of `text` stands.
    pub(super) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.get(line_start..).unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, " (line {line}, column {column})")?;
        }
        write!(f, ": {}; {}", self.what, self.right)
    }
}

/// Everything that is wrong with a configuration: never empty, in the order of the file as far as
/// lines are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    mistakes: Vec<Mistake>,
    /// The file that they are in.
    file: Option<String>,
}

impl ConfigErrors {
    /// Each mistake.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.mistakes.iter()
    }

    /// Each mistake, with the name of the file.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let file = self.file.as_ref();
        let file = file.map(|file| format!("{file}: ")).unwrap_or_default();
        self.iter().map(move |mistake| format!("{file}{mistake}"))
    }

    /// The same mistakes, in the file of this name.
    pub(super) fn in_file(self, name: &str) -> Self {
        Self {
            file: Some(name.to_owned()),
            ..self
        }
    }

    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| (mistake.place.is_none(), mistake.place));
        Self {
            mistakes,
            file: None,
        }
    }

    pub(super) fn one(path: impl Into<String>, wrong: Wrong) -> Self {
        Self::new(vec![Mistake {
            path: path.into(),
            place: None,
            what: wrong.what,
            right: wrong.right,
        }])
    }

    /// The same mistakes under other names, for settings that did not come from a file.
    pub(super) fn renamed(mut self, name: impl Fn(&str) -> Option<String>) -> Self {
        for mistake in &mut self.mistakes {
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
        for (index, mistake) in self.lines().enumerate() {
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
    places: BTreeMap<String, Place>,
    found: RefCell<Vec<Mistake>>,
}

impl Mistakes {
    /// A collector that knows where each path stands.
    pub(super) fn in_file(places: BTreeMap<String, Place>) -> Self {
        Self {
            places,
            found: RefCell::default(),
        }
    }

    pub(super) fn add(&self, path: impl Into<String>, wrong: Wrong) {
        let path = path.into();
        let place = self.place(&path);
        self.found.borrow_mut().push(Mistake {
            path,
            place,
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

    /// The place of `path`, or of the nearest table around it: a key that is missing has none of
    /// its own.
    fn place(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return Some(*place);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }
}
