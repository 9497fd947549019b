//! What a tenant may ask for.

use super::glob;

/// The approaches and models that a caller may ask for. Whatever the operator chooses for it (a
/// virtual model, a default) is not asked here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// Slugs of strategies; `None` allows all. `none` is always allowed.
    pub(crate) approaches: Option<Vec<String>>,
    /// Globs over model names; `None` allows all.
    pub(crate) models: Option<Vec<String>>,
}

impl Permissions {
    /// Everything: a caller that the operator did not confine.
    pub(crate) const ALL: Self = Self {
        approaches: None,
        models: None,
    };

    /// The first of `slugs` that may not be used.
    pub(crate) fn refused_slug<'a>(&self, slugs: &[&'a str]) -> Option<&'a str> {
        let allowed = self.approaches.as_ref()?;
        let is_refused =
            |slug: &&str| *slug != "none" && !allowed.iter().any(|allowed| allowed == slug);
        slugs.iter().copied().find(|slug| is_refused(slug))
    }

    /// Whether `model` may be used.
    pub(crate) fn allows_model(&self, model: &str) -> bool {
        self.models
            .as_ref()
            .is_none_or(|allowed| glob::matches_any(allowed, model))
    }

    /// Whether there are models that may not be used.
    pub(crate) fn is_confined(&self) -> bool {
        self.models.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_and_models_outside_of_the_lists_are_refused() {
        let some = Permissions {
            approaches: Some(vec!["bon".to_owned(), "re2".to_owned()]),
            models: Some(vec!["gpt-4o*".to_owned()]),
        };
        for allowed in [&["none"][..], &["bon"], &["re2", "bon"], &["re2", "none"]] {
            assert_eq!(some.refused_slug(allowed), None, "{allowed:?}");
        }
        assert_eq!(some.refused_slug(&["re2", "moa", "mcts"]), Some("moa"));
        assert!(some.allows_model("gpt-4o-mini") && !some.allows_model("o1"));
        assert!(some.is_confined());
    }

    #[test]
    fn without_lists_everything_is_allowed() {
        assert_eq!(Permissions::ALL.refused_slug(&["mcts"]), None);
        assert!(Permissions::ALL.allows_model("o1") && !Permissions::ALL.is_confined());
    }
}
