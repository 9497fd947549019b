//! Every strategy there is, and what can be looked up in their list.

use crate::methods::{
    auto, confidence, judge, long_text, merge, panel, prompt, search, thinking, vote, z3,
};
use crate::params::Params;
pub use crate::spec::{COMMON_PARAMS, ParamKind, ParamSpec, model_names};
pub use crate::strategy::{Entry, Makes, Support};

/// Every strategy, by slug.
pub static STRATEGIES: &[Entry] = &[
    prompt::none::ENTRY,
    prompt::reread::ENTRY,
    prompt::cot_reflection::ENTRY,
    judge::best_of_n::ENTRY,
    vote::self_consistency::ENTRY,
    vote::majority_voting::ENTRY,
    panel::mixture_of_agents::ENTRY,
    judge::generative_selection::ENTRY,
    merge::recursive_aggregation::ENTRY,
    vote::universal_self_consistency::ENTRY,
    merge::parallel_distill_refine::ENTRY,
    judge::knockout::ENTRY,
    long_text::memory::ENTRY,
    search::monte_carlo_tree_search::ENTRY,
    search::planning_and_optimization::ENTRY,
    merge::multi_agent_reasoning::ENTRY,
    judge::round_trip_optimization::ENTRY,
    judge::prover_verifier_game::ENTRY,
    z3::ENTRY,
    panel::fusion::ENTRY,
    panel::race::ENTRY,
    search::mutual_reasoning::ENTRY,
    vote::deep_think::ENTRY,
    confidence::deepconf::ENTRY,
    long_text::long_context::ENTRY,
    confidence::self_certainty::ENTRY,
    confidence::cot_decoding::ENTRY,
    confidence::entropy_decoding::ENTRY,
    search::plan_search::ENTRY,
    panel::cascade::ENTRY,
    auto::ENTRY,
    prompt::principle_learning::ENTRY,
    thinking::thinkdeeper::ENTRY,
    thinking::autothink::ENTRY,
    thinking::shortest::ENTRY,
    vote::pal::ENTRY,
];

/// Furthest edit distance at which a slug is suggested for another.
const NEAR: usize = 3;

/// Whether the parameter `name` of some strategy names models.
pub fn names_models(name: &str) -> bool {
    STRATEGIES
        .iter()
        .flat_map(Entry::params)
        .any(|param| param.name == name && matches!(param.kind, ParamKind::Models { .. }))
}

/// The approaches that the values of `params` name, wherever some strategy reads one there.
pub fn named_approaches(params: &Params) -> Vec<&str> {
    let declared = || STRATEGIES.iter().flat_map(Entry::params);
    let by = |name: &str, value| {
        declared()
            .filter(|param| param.name == name)
            .find_map(|param| param.names_approach(value))
    };
    params
        .iter()
        .filter_map(|(name, value)| by(name, value))
        .collect()
}

/// The strategy with this slug.
pub fn entry(slug: &str) -> Option<&'static Entry> {
    STRATEGIES.iter().find(|entry| entry.slug == slug)
}

/// The slug that is most like `slug`, if one is like it.
pub fn nearest_slug(slug: &str) -> Option<&'static str> {
    let distance = |entry: &&Entry| strsim::damerau_levenshtein(slug, entry.slug);
    let nearest = STRATEGIES.iter().min_by_key(distance)?;
    // Every three-letter slug is three letters away from every other.
    let allowed = NEAR.min(nearest.slug.len().max(slug.len()).saturating_sub(1) / 2);
    (distance(&nearest) <= allowed).then_some(nearest.slug)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_default_is_acceptable_and_every_entry_says_where_it_comes_from() {
        for entry in STRATEGIES {
            assert!(
                entry.slug.chars().all(crate::plan::expr::is_slug_char),
                "{}",
                entry.slug
            );
            assert!(
                !entry.summary.is_empty() && !entry.cost.is_empty() && !entry.paper.is_empty(),
                "{}",
                entry.slug
            );
            for param in entry.params().chain(COMMON_PARAMS) {
                assert!(
                    param.accepts(&param.default()),
                    "{}.{}",
                    entry.slug,
                    param.name
                );
                assert_eq!(param.read(&Params::new()), Ok(param.default()));
            }
        }
    }

    #[test]
    fn a_choice_among_approaches_is_declared_as_one_and_at_the_top() {
        fn check(slug: &str, param: &ParamSpec, is_top: bool) {
            match param.kind {
                ParamKind::Approach { options, .. } => {
                    assert!(
                        is_top && options.iter().all(|option| entry(option).is_some()),
                        "{slug}.{}",
                        param.name
                    );
                }
                ParamKind::Choice { options, .. } => {
                    assert!(
                        !options.iter().all(|option| entry(option).is_some()),
                        "{slug}.{}",
                        param.name
                    );
                }
                ParamKind::Object { members } => {
                    for member in members {
                        check(slug, member, false);
                    }
                }
                _ => {}
            }
        }
        for entry in STRATEGIES {
            entry
                .params()
                .for_each(|param| check(entry.slug, param, true));
        }
    }

    #[test]
    fn approaches_are_found_in_the_parameters_that_name_them() {
        let params: Params = [
            ("auto_heavy", json!("bon")),
            ("mars_thinking_tags", json!("moa")),
            ("moa_critique", Value::Null),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        assert_eq!(named_approaches(&params), ["bon"]);
    }

    #[test]
    fn a_mistyped_slug_has_a_nearest_one_and_nonsense_has_none() {
        assert_eq!(nearest_slug("nome"), Some("none"));
        assert_eq!(nearest_slug("re"), Some("re2"));
        assert_eq!(nearest_slug("xyzzy"), None);
    }
}
