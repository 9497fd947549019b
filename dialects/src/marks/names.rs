//! Names of tools, for one request.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::ids;

/// What the tools of one request are called at an upstream, and what the client calls them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Those that had to be changed: the client's and the upstream's.
    there: BTreeMap<String, String>,
    /// The other way.
    here: BTreeMap<String, String>,
    /// Whether all names stay as they are.
    is_kept: bool,
}

impl Names {
    /// Names for `tools` that every dialect takes, no two of them the same.
    pub fn of<'a>(tools: impl IntoIterator<Item = &'a str>) -> Self {
        let tools: BTreeSet<&str> = tools.into_iter().collect();
        let mut names = Self::default();
        let kept = |name: &str| ids::is_clean(name) && tools.contains(name);
        for tool in tools.iter().filter(|tool| !ids::is_clean(tool)) {
            // Only somebody who wants two names to be one needs a second try.
            let mut salt = (*tool).to_owned();
            let mut name = ids::changed(tool, &salt);
            while kept(&name) || names.here.contains_key(&name) {
                salt.push('\n');
                name = ids::changed(tool, &salt);
            }
            names.there.insert((*tool).to_owned(), name.clone());
            names.here.insert(name, (*tool).to_owned());
        }
        names
    }

    /// Every tool keeps its name, whatever it is: for an upstream of the client's own dialect.
    pub fn kept() -> Self {
        Self::kept_but([])
    }

    /// Every tool but `tools` keeps its name, whatever it is.
    pub fn kept_but<'a>(tools: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            is_kept: true,
            ..Self::of(tools)
        }
    }

    /// Whether every tool keeps its name.
    pub fn is_empty(&self) -> bool {
        self.there.is_empty()
    }

    /// What the upstream is told. A tool that is no longer among those of the request gets a name
    /// that fits all the same.
    pub fn there<'a>(&'a self, name: &'a str) -> Cow<'a, str> {
        match self.there.get(name) {
            Some(there) => Cow::Borrowed(there),
            None if self.is_kept => Cow::Borrowed(name),
            None => ids::clean(name),
        }
    }

    /// What the client calls the tool that the upstream calls `name`.
    pub fn here<'a>(&'a self, name: &'a str) -> &'a str {
        self.here.get(name).map_or(name, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_was_chosen_to_be_another_ones_is_not_taken_for_it() {
        let other = ids::clean("a.b").into_owned();
        let names = Names::of(["a.b", other.as_str()]);
        assert_ne!(names.there("a.b"), other);
        assert_eq!(names.there(&other), other);
    }

    proptest! {
        #[test]
        fn every_tool_is_known_again(tools in prop::collection::vec("[a-c.é]{0,70}", 0..12)) {
            let names = Names::of(tools.iter().map(String::as_str));
            for tool in &tools {
                let there = names.there(tool).into_owned();
                prop_assert!(ids::is_clean(&there));
                prop_assert_eq!(names.here(&there), tool);
            }
        }
    }
}
