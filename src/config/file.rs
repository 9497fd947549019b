//! The configuration as text: TOML, read strictly.
//!
//! A [`Section`] gives out a table's values one by one, with the type that the caller wants, and
//! [`Section::finish`] reports what was never asked for. Each mistake is recorded and reading goes
//! on, so that one look finds all of them; a serde mirror would stop at the first. What the values
//! mean is not decided here.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use hone_strategies::Params;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::error::{ConfigErrors, Mistake, Mistakes, Place, Wrong, wrong};

/// Reads TOML: its tables, and a collector that knows the line of every key.
///
/// # Errors
/// Every place at which the text is not TOML.
pub(super) fn read(text: &str) -> Result<(Table, Mistakes), ConfigErrors> {
    // Some editors put it there; it says nothing.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Mistake> = errors.iter().map(|error| syntax(text, error)).collect();
    if mistakes.is_empty() {
        match toml::from_str(text) {
            Ok(table) => {
                let mut places = BTreeMap::new();
                for (key, value) in document.get_ref() {
                    index_places(
                        text,
                        key.get_ref(),
                        key.span().start,
                        value.get_ref(),
                        &mut places,
                    );
                }
                return Ok((table, Mistakes::in_file(places)));
            }
            Err(error) => mistakes.push(syntax(text, &error)),
        }
    }
    if let Some(language) = other_language(text) {
        let what = format!("is not TOML: this is {language}; hone reads TOML");
        let right = "see config/reference.toml for the keys";
        return Err(ConfigErrors::one("the file", wrong(what, right)));
    }
    Err(ConfigErrors::new(mistakes))
}

/// What a text that is no TOML seems to be, by its first line that says something.
fn other_language(text: &str) -> Option<&'static str> {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    if first.starts_with('{') {
        return Some("JSON");
    }
    let is_name = |name: &str| {
        let mut chars = name.chars();
        !name.is_empty() && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    let key = first.trim_start_matches("- ").split_once(':');
    let is_entry =
        key.is_some_and(|(key, rest)| is_name(key) && (rest.is_empty() || rest.starts_with(' ')));
    (first == "---" || is_entry).then_some("YAML")
}

fn syntax(text: &str, error: &toml::de::Error) -> Mistake {
    let place = error.span().map(|span| Place::of(text, span.start));
    let what = error.message().lines().collect::<Vec<_>>().join(", ");
    Mistake {
        path: "TOML".to_owned(),
        place,
        what,
        right: "see https://toml.io for the syntax".to_owned(),
    }
}

fn index_places(
    text: &str,
    path: &str,
    at: usize,
    value: &DeValue<'_>,
    places: &mut BTreeMap<String, Place>,
) {
    places.insert(path.to_owned(), Place::of(text, at));
    match value {
        DeValue::Table(table) => {
            for (key, value) in table {
                index_places(
                    text,
                    &format!("{path}.{}", key.get_ref()),
                    key.span().start,
                    value.get_ref(),
                    places,
                );
            }
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                index_places(
                    text,
                    &format!("{path}[{index}]"),
                    item.span().start,
                    item.get_ref(),
                    places,
                );
            }
        }
        DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Float(_)
        | DeValue::Integer(_)
        | DeValue::String(_) => {}
    }
}

/// Where a secret is kept. The file never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// An environment variable of this name.
    Env(String),
    /// A file at this path.
    File(PathBuf),
}

/// One table that is being read.
#[derive(Debug)]
pub(super) struct Section<'m> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    mistakes: &'m Mistakes,
}

impl<'m> Section<'m> {
    /// The table of the whole file.
    pub(super) fn root(table: Table, mistakes: &'m Mistakes) -> Self {
        Self::at(String::new(), table, mistakes)
    }

    fn at(path: String, table: Table, mistakes: &'m Mistakes) -> Self {
        Self {
            path,
            table,
            known: Vec::new(),
            mistakes,
        }
    }

    /// The path of `key` in this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Whether `key` is written here, and not yet read.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Records that the value of `key` is wrong.
    pub(super) fn wrong(&self, key: &str, wrong: Wrong) {
        self.mistakes.add(self.path_of(key), wrong);
    }

    /// Reports every key that was never asked for, with the nearest one that would have been.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let right = match nearest(key, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.wrong(key, wrong("is not a known key", right));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn wrong_kind(&self, path: String, found: &Value, right: &str) {
        self.mistakes
            .add(path, wrong(format!("is {}", kind(found)), right));
    }

    /// A string.
    pub(super) fn string(&mut self, key: &'static str) -> Option<String> {
        self.parsed(key, |text| Ok(text.to_owned()))
    }

    /// A string that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        right: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.has(key) {
            self.known.push(key);
            self.wrong(key, wrong("is missing", right));
            return None;
        }
        self.parsed(key, parse)
    }

    /// A string with a meaning.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.take(key)?;
        let Value::String(text) = value else {
            self.wrong_kind(self.path_of(key), &value, "write a string in quotes");
            return None;
        };
        parse(&text).map_err(|wrong| self.wrong(key, wrong)).ok()
    }

    /// A string with a meaning; a number is told to need a unit, such as
    /// `unit`.
    pub(super) fn parsed_with_unit<T>(
        &mut self,
        key: &'static str,
        unit: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let Some(Value::Integer(number)) = self.table.get(key) else {
            return self.parsed(key, parse);
        };
        let right = format!("write it with one, in quotes: \"{number}{unit}\"");
        self.wrong(key, wrong("is a number without a unit", right));
        self.take(key);
        None
    }

    /// A list of strings with a meaning. Wrong ones are recorded and left out.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        let value = self.take(key)?;
        let Value::Array(items) = value else {
            self.wrong_kind(self.path_of(key), &value, "write a list: [\"…\", \"…\"]");
            return None;
        };
        let mut parsed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match item {
                Value::String(text) => match parse(text) {
                    Ok(value) => parsed.push(value),
                    Err(wrong) => self.mistakes.add(path, wrong),
                },
                other => self.wrong_kind(path, other, "write a string in quotes"),
            }
        }
        Some(parsed)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        match self.take(key)? {
            Value::Boolean(value) => Some(value),
            other => {
                self.wrong_kind(
                    self.path_of(key),
                    &other,
                    "write true or false, without quotes",
                );
                None
            }
        }
    }

    /// A whole number in `range`.
    pub(super) fn integer(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let right = format!(
            "write a whole number from {} to {}",
            range.start(),
            range.end()
        );
        match self.take(key)? {
            Value::Integer(value) => {
                let value = u64::try_from(value)
                    .ok()
                    .filter(|value| range.contains(value));
                if value.is_none() {
                    self.wrong(key, wrong("is out of range", right));
                }
                value
            }
            other => {
                self.wrong_kind(self.path_of(key), &other, &right);
                None
            }
        }
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(&mut self, key: &'static str, most: u32) -> Option<NonZeroU32> {
        let value = self.integer(key, 1..=u64::from(most))?;
        NonZeroU32::new(u32::try_from(value).ok()?)
    }

    /// A number greater than 0 and at most 1.
    pub(super) fn share(&mut self, key: &'static str) -> Option<f64> {
        let right = "write a number greater than 0 and at most 1, such as 0.5";
        let value = match self.take(key)? {
            Value::Float(value) => value,
            Value::Integer(1) => 1.0,
            Value::Integer(_) => 0.0,
            other => {
                self.wrong_kind(self.path_of(key), &other, right);
                return None;
            }
        };
        if value > 0.0 && value <= 1.0 {
            return Some(value);
        }
        self.wrong(key, wrong("is out of range", right));
        None
    }

    /// A number that is not negative, and must be there.
    pub(super) fn amount(&mut self, key: &'static str) -> Option<f64> {
        let right = "write a number from 0 on, such as 2.5";
        let amount = match self.take(key) {
            None => {
                self.wrong(key, wrong("is missing", right));
                return None;
            }
            Some(Value::Float(value)) => Some(value),
            Some(Value::Integer(value)) => u32::try_from(value).ok().map(f64::from),
            Some(other) => {
                self.wrong_kind(self.path_of(key), &other, right);
                return None;
            }
        };
        let amount = amount.filter(|amount| amount.is_finite() && *amount >= 0.0);
        if amount.is_none() {
            self.wrong(key, wrong("is out of range", right));
        }
        amount
    }

    /// A table. An absent one is `None`.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Self> {
        match self.take(key)? {
            Value::Table(table) => Some(Self::at(self.path_of(key), table, self.mistakes)),
            other => {
                self.wrong_kind(self.path_of(key), &other, "write a table");
                None
            }
        }
    }

    /// A list of tables, `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Self> {
        let path = self.path_of(key);
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong_kind(
                    path,
                    &other,
                    &format!("write [[{key}]], with two brackets, above each one"),
                );
                return Vec::new();
            }
        };
        let mut sections = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            match item {
                Value::Table(table) => sections.push(Self::at(path, table, self.mistakes)),
                other => self.wrong_kind(path, &other, &format!("write [[{key}]] above each one")),
            }
        }
        sections
    }

    /// Where a secret is kept.
    pub(super) fn reference(&mut self, key: &'static str) -> Option<Reference> {
        let right = "write { env = \"NAME\" } or { file = \"PATH\" }";
        let path = self.path_of(key);
        let table = match self.take(key)? {
            Value::Table(table) => table,
            Value::String(_) => {
                self.wrong(
                    key,
                    wrong(
                        "is written out in the configuration, where secrets do not belong",
                        right,
                    ),
                );
                return None;
            }
            other => {
                self.wrong_kind(path, &other, right);
                return None;
            }
        };
        let mut inner = Self::at(path, table, self.mistakes);
        let reference = match (inner.string("env"), inner.string("file")) {
            (Some(name), None) => Some(Reference::Env(name)),
            (None, Some(file)) => Some(Reference::File(file.into())),
            (Some(_), Some(_)) => {
                self.wrong(key, wrong("names both a variable and a file", right));
                None
            }
            (None, None) => {
                self.wrong(key, wrong("names neither a variable nor a file", right));
                None
            }
        };
        inner.finish();
        reference
    }

    /// A table of strategy parameters, each of which `check` accepts.
    pub(super) fn params(
        &mut self,
        key: &'static str,
        check: impl Fn(&str, &serde_json::Value) -> Result<(), Wrong>,
    ) -> Option<Params> {
        let section = self.section(key)?;
        let mut params = Params::new();
        for (name, value) in &section.table {
            match serde_json::to_value(value) {
                Ok(json) if !json.is_null() && !matches!(value, Value::Datetime(_)) => {
                    match check(name, &json) {
                        Ok(()) => params.set(name, json),
                        Err(wrong) => section.wrong(name, wrong),
                    }
                }
                Ok(_) | Err(_) => section.wrong_kind(
                    section.path_of(name),
                    value,
                    "write a string, a finite number, true or false",
                ),
            }
        }
        Some(params)
    }
}

/// The known name that `name` was probably meant to be.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    scored
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Float(_) => "a number with a fraction",
        Value::Integer(_) => "a number",
        Value::String(_) => "a string",
        Value::Table(_) => "a table",
    }
}
