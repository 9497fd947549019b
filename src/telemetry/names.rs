//! Label values that strangers choose, bounded.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::SharedString;

/// Most different values of one label that callers of one kind bring.
const MAX_NAMES: usize = 64;
/// Longest value, in bytes.
pub(super) const MAX_BYTES: usize = 128;
/// What every value becomes that is not among the first.
const OTHER: &str = "other";

/// The values that a label may have: those of the configuration, and the first few that proved
/// real. Strangers have a room of their own: some upstreams answer to any name, so that a stranger
/// can prove as many as there is room for.
#[derive(Debug)]
pub(super) struct Names(RwLock<BTreeMap<Arc<str>, Source>>);

/// Who brought a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Operator,
    Tenant,
    Stranger,
}

/// Whether a name may become a label value of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Something answered to it, and a tenant of the operator's asked.
    Proven,
    /// Something answered to it, and anybody may have asked.
    ProvenByStranger,
    /// Anyone may have made it up.
    Unproven,
}

impl Names {
    pub(super) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// Lets these names, which the operator has written, always be label values.
    pub(super) fn know<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for name in names.filter(|name| name.len() <= MAX_BYTES) {
            known.insert(Arc::from(name), Source::Operator);
        }
    }

    /// The label value for `name`: itself if it is known, or proven while there is room, else
    /// `other`.
    pub(super) fn label(&self, name: &str, standing: Standing) -> SharedString {
        if name.is_empty() {
            return SharedString::const_str("");
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, _)) = known.get_key_value(name) {
            return SharedString::from_shared(Arc::clone(known));
        }
        drop(known);
        let source = match standing {
            Standing::Proven => Source::Tenant,
            Standing::ProvenByStranger => Source::Stranger,
            Standing::Unproven => return SharedString::const_str(OTHER),
        };
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let alike = names.values().filter(|other| **other == source).count();
        if alike >= MAX_NAMES || name.len() > MAX_BYTES {
            return SharedString::const_str(OTHER);
        }
        let name: Arc<str> = Arc::from(name);
        names.insert(Arc::clone(&name), source);
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
    fn strangers_use_up_nobodys_names_but_their_own() {
        let names = Names::new();
        names.know(["gpt-4o", &"x".repeat(MAX_BYTES + 1)].into_iter());
        for index in 0..10 * MAX_NAMES {
            let name = format!("made-up-{index}");
            let label = names.label(&name, Standing::ProvenByStranger);
            assert_eq!(&*label == OTHER, index >= MAX_NAMES, "{index}");
        }
        assert_eq!(&*names.label("theirs", Standing::ProvenByStranger), OTHER);
        assert_eq!(&*names.label("gpt-4o", Standing::Unproven), "gpt-4o");
        assert_eq!(
            &*names.label("tenants-own", Standing::Proven),
            "tenants-own"
        );
        let label = names.label("tenants-own", Standing::ProvenByStranger);
        assert_eq!(&*label, "tenants-own");
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
