//! Label values that strangers choose, bounded.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::SharedString;

/// Most different values of one label.
const MAX_NAMES: usize = 64;
/// Longest value, in bytes.
pub(super) const MAX_BYTES: usize = 128;
/// What every value becomes that is not among the first.
const OTHER: &str = "other";

/// The values that a label may have: the first few that proved real.
#[derive(Debug)]
pub(super) struct Names(RwLock<BTreeSet<Arc<str>>>);

/// Whether a name may become a label value of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Something answered to it.
    Proven,
    /// Anyone may have made it up.
    Unproven,
}

impl Names {
    pub(super) const fn new() -> Self {
        Self(RwLock::new(BTreeSet::new()))
    }

    /// The label value for `name`: itself if it is known, or proven while there is room, else
    /// `other`.
    pub(super) fn label(&self, name: &str, standing: Standing) -> SharedString {
        if name.is_empty() {
            return SharedString::const_str("");
        }
        if let Some(known) = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
        {
            return SharedString::from_shared(Arc::clone(known));
        }
        if standing == Standing::Unproven || name.len() > MAX_BYTES {
            return SharedString::const_str(OTHER);
        }
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_NAMES {
            return SharedString::const_str(OTHER);
        }
        let name: Arc<str> = Arc::from(name);
        names.insert(Arc::clone(&name));
        SharedString::from_shared(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_proven_names_are_kept() {
        let names = Names::new();
        assert_eq!(&*names.label("made-up", Standing::Unproven), OTHER);
        for index in 0..MAX_NAMES {
            let name = format!("model-{index}");
            assert_eq!(&*names.label(&name, Standing::Proven), name.as_str());
        }
        assert_eq!(&*names.label("one-too-many", Standing::Proven), OTHER);
        assert_eq!(&*names.label("model-0", Standing::Unproven), "model-0");
        assert_eq!(&*names.label("", Standing::Proven), "");
    }

    #[test]
    fn a_long_name_is_no_label() {
        let names = Names::new();
        assert_eq!(
            &*names.label(&"x".repeat(MAX_BYTES + 1), Standing::Proven),
            OTHER
        );
    }
}
