//! Every strategy there is: slug, source, parameters and cost.

use serde_json::Value;

use crate::error::SpecError;
use crate::expr::Expr;
use crate::params::Params;
use crate::strategy::DynStrategy;

/// Every strategy, by slug.
pub static STRATEGIES: &[Entry] = &[
    crate::none::ENTRY,
    crate::reread::ENTRY,
    crate::cot_reflection::ENTRY,
    crate::best_of_n::ENTRY,
    crate::self_consistency::ENTRY,
    crate::majority_voting::ENTRY,
    crate::mixture_of_agents::ENTRY,
    crate::generative_selection::ENTRY,
    crate::recursive_aggregation::ENTRY,
    crate::universal_self_consistency::ENTRY,
    crate::parallel_distill_refine::ENTRY,
    crate::knockout::ENTRY,
    crate::memory::ENTRY,
    crate::monte_carlo_tree_search::ENTRY,
    crate::planning_and_optimization::ENTRY,
    crate::multi_agent_reasoning::ENTRY,
    crate::round_trip_optimization::ENTRY,
    crate::prover_verifier_game::ENTRY,
    crate::z3::ENTRY,
    crate::fusion::ENTRY,
    crate::race::ENTRY,
    crate::mutual_reasoning::ENTRY,
    crate::deep_think::ENTRY,
    crate::deepconf::ENTRY,
    crate::long_context::ENTRY,
    crate::self_certainty::ENTRY,
    crate::cot_decoding::ENTRY,
    crate::entropy_decoding::ENTRY,
    crate::plan_search::ENTRY,
    crate::cascade::ENTRY,
    crate::auto::ENTRY,
    crate::principle_learning::ENTRY,
    crate::thinkdeeper::ENTRY,
    crate::autothink::ENTRY,
];

/// Parameters that hold for a whole approach.
pub static COMMON_PARAMS: &[ParamSpec] = &[
    SAMPLING,
    SAMPLE_N_ABOVE,
    STOP_CONFIDENCE,
    STOP_WINDOW,
    SHOWN_BYTES,
];

pub(crate) const SAMPLING: ParamSpec = ParamSpec {
    name: "sampling",
    kind: ParamKind::Choice {
        default: "parallel",
        options: &["parallel", "waves"],
    },
    help: "candidates of a vote at once, or four at a time",
};

pub(crate) const SAMPLE_N_ABOVE: ParamSpec = ParamSpec {
    name: "sample_n_above",
    kind: ParamKind::Integer {
        default: 2000,
        min: 0,
        max: 10_000_000,
    },
    help: "prompts of more tokens than this are sent once, with n",
};

pub(crate) const STOP_CONFIDENCE: ParamSpec = ParamSpec {
    name: "stop_confidence",
    kind: ParamKind::Number {
        default: 0.99,
        min: 0.0,
        max: 1.0,
    },
    help: "a vote stops when its leader is so likely to win; 1: when it is certain to; 0: never",
};

pub(crate) const STOP_WINDOW: ParamSpec = ParamSpec {
    name: "stop_window",
    kind: ParamKind::Integer {
        default: 0,
        min: 0,
        max: 64,
    },
    help: "a vote stops after so many equal answers in a row; 0: whatever the row",
};

pub(crate) const SHOWN_BYTES: ParamSpec = ParamSpec {
    name: "shown_bytes",
    // A token is about four bytes, so the default fills a window of some 260,000 tokens.
    kind: ParamKind::Integer {
        default: 1024 * 1024,
        min: 1024,
        max: 64 * 1024 * 1024,
    },
    help: "bytes that the candidates in one prompt may take together; of what is longer the middle \
        is left out",
};

/// Furthest edit distance at which a slug is suggested for another.
const NEAR: usize = 3;

/// One strategy.
#[derive(Clone, Copy)]
pub struct Entry {
    /// How users ask for it.
    pub slug: &'static str,
    /// Its name in full.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// Its parameters.
    pub params: &'static [ParamSpec],
    /// Calls and depth, in its parameters.
    pub cost: &'static str,
    /// What it makes of a request.
    pub makes: Makes,
    /// Whether tools the client offers reach the call that answers.
    pub tools: Support,
    /// Whether spoken answers survive it.
    pub audio: Support,
    pub(crate) build: fn(&Params) -> Result<DynStrategy, SpecError>,
}

/// What a strategy makes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// An answer.
    Answer,
    /// Another request; as the last step it is followed by a plain call.
    Request,
}

/// Whether a strategy can honour something a client asks for. One that cannot is replaced by a
/// plain call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It survives.
    Honours,
    /// It would be lost.
    Loses,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("slug", &self.slug)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// Whether it cannot run without a [`crate::Solver`].
    pub fn needs_solver(&self) -> bool {
        (self.build)(&Params::new()).is_ok_and(|strategy| strategy.needs_solver())
    }
}

/// One parameter: a field of the request's body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamSpec {
    /// The field's name.
    pub name: &'static str,
    /// Its type, default and range.
    pub kind: ParamKind,
    /// What it does.
    pub help: &'static str,
}

/// A parameter's type, default and range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamKind {
    /// One of a few approaches, which then runs. A caller who names one must be allowed to use it,
    /// see [`named_approaches`].
    Approach {
        /// The default.
        default: &'static str,
        /// Their slugs.
        options: &'static [&'static str],
    },
    /// True or false.
    Boolean {
        /// The default.
        default: bool,
    },
    /// One of a few words.
    Choice {
        /// The default.
        default: &'static str,
        /// The words.
        options: &'static [&'static str],
    },
    /// A whole number.
    Integer {
        /// The default.
        default: u32,
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// Names of models beside the request's own; none by default. Whoever embeds this crate decides
    /// what each name means, see [`crate::Plan::models`].
    Models {
        /// Most names.
        most: usize,
    },
    /// A text.
    Text {
        /// The default.
        default: &'static str,
        /// Most bytes.
        longest: usize,
    },
    /// Several texts; none by default.
    Texts {
        /// Most texts.
        most: usize,
        /// Most bytes of each.
        longest: usize,
    },
    /// A number.
    Number {
        /// The default.
        default: f64,
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// An object. A member that is left out, or null, has its own default.
    Object {
        /// Its members.
        members: &'static [ParamSpec],
    },
}

impl ParamSpec {
    /// The default.
    pub fn default(&self) -> Value {
        match self.kind {
            ParamKind::Boolean { default } => default.into(),
            ParamKind::Approach { default, .. }
            | ParamKind::Choice { default, .. }
            | ParamKind::Text { default, .. } => default.into(),
            ParamKind::Integer { default, .. } => default.into(),
            ParamKind::Models { .. } | ParamKind::Texts { .. } => Value::Array(Vec::new()),
            ParamKind::Number { default, .. } => default.into(),
            ParamKind::Object { members } => members
                .iter()
                .map(|member| (member.name.to_owned(), member.default()))
                .collect(),
        }
    }

    /// What it accepts, in words: `an integer from 1 to 64`.
    pub fn range(&self) -> String {
        match self.kind {
            ParamKind::Boolean { .. } => "true or false".to_owned(),
            ParamKind::Approach { options, .. } | ParamKind::Choice { options, .. } => {
                format!("one of {}", options.join(", "))
            }
            ParamKind::Integer { min, max, .. } => format!("an integer from {min} to {max}"),
            ParamKind::Models { most } => models_range(most),
            ParamKind::Number { min, max, .. } => format!("a number from {min} to {max}"),
            ParamKind::Text { longest, .. } => format!("a text of at most {longest} bytes"),
            ParamKind::Texts { most, longest } => {
                format!("a list of at most {most} texts of at most {longest} bytes")
            }
            ParamKind::Object { members } => {
                let names: Vec<&str> = members.iter().map(|member| member.name).collect();
                format!("an object of {}", names.join(", "))
            }
        }
    }

    /// Whether `value` is of the right type and in range.
    pub fn accepts(&self, value: &Value) -> bool {
        match self.kind {
            ParamKind::Boolean { .. } => value.is_boolean(),
            ParamKind::Approach { options, .. } | ParamKind::Choice { options, .. } => {
                value.as_str().is_some_and(|word| options.contains(&word))
            }
            ParamKind::Integer { min, max, .. } => value
                .as_u64()
                .is_some_and(|n| (u64::from(min)..=u64::from(max)).contains(&n)),
            ParamKind::Models { most } => {
                let names = model_names(value);
                names.len() <= most
                    && names.iter().all(is_model_name)
                    && (value.is_array() || most == 1)
            }
            ParamKind::Number { min, max, .. } => {
                value.as_f64().is_some_and(|x| (min..=max).contains(&x))
            }
            ParamKind::Text { longest, .. } => is_text(value, longest),
            ParamKind::Texts { most, longest } => value.as_array().is_some_and(|texts| {
                texts.len() <= most && texts.iter().all(|text| is_text(text, longest))
            }),
            ParamKind::Object { members } => {
                let is_member = |name: &str, value: &Value| {
                    members
                        .iter()
                        .any(|member| member.name == name && member.admits(value))
                };
                value
                    .as_object()
                    .is_some_and(|fields| fields.iter().all(|(name, value)| is_member(name, value)))
            }
        }
    }

    /// The approach that `value` names, if naming one is what this parameter is for.
    fn names_approach<'a>(&self, value: &'a Value) -> Option<&'a str> {
        matches!(self.kind, ParamKind::Approach { .. }).then(|| value.as_str())?
    }

    /// Whether a value may stand for it, or stand for leaving it out.
    fn admits(&self, value: &Value) -> bool {
        value.is_null() || self.accepts(value)
    }

    /// The members that are set in `params`.
    pub(crate) fn members(&self, params: &Params) -> Result<Params, SpecError> {
        let ParamKind::Object { members } = self.kind else {
            return Ok(Params::new());
        };
        let Some(value) = params.get(self.name).filter(|value| !value.is_null()) else {
            return Ok(Params::new());
        };
        let Some(fields) = value.as_object() else {
            return Err(SpecError::bad_param(
                self.name,
                format!("`{}` must be {}.", self.name, self.range()),
            ));
        };
        for (name, value) in fields {
            let path = format!("{}.{name}", self.name);
            let known = members.iter().find(|member| member.name == name);
            let message = match known {
                Some(member) if member.admits(value) => continue,
                Some(member) => format!("`{path}` must be {}.", member.range()),
                None => {
                    let near = members
                        .iter()
                        .min_by_key(|member| strsim::damerau_levenshtein(name, member.name));
                    format!(
                        "There is no `{path}`. Did you mean `{}`?",
                        near.map_or(self.name, |member| member.name)
                    )
                }
            };
            return Err(SpecError::bad_param(&path, message));
        }
        Ok(fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }

    /// The value in `params`, else the default; a null is no value.
    fn read(&self, params: &Params) -> Result<Value, SpecError> {
        match params.get(self.name).filter(|value| !value.is_null()) {
            None => Ok(self.default()),
            Some(value) if self.accepts(value) => Ok(value.clone()),
            Some(_) => Err(SpecError::bad_param(
                self.name,
                format!("`{}` must be {}.", self.name, self.range()),
            )),
        }
    }

    pub(crate) fn boolean(&self, params: &Params) -> Result<bool, SpecError> {
        Ok(self.read(params)?.as_bool().unwrap_or_default())
    }

    pub(crate) fn integer(&self, params: &Params) -> Result<u32, SpecError> {
        Ok(self
            .read(params)?
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or_default())
    }

    pub(crate) fn number(&self, params: &Params) -> Result<f64, SpecError> {
        Ok(self.read(params)?.as_f64().unwrap_or_default())
    }

    pub(crate) fn models(&self, params: &Params) -> Result<Vec<String>, SpecError> {
        let value = self.read(params)?;
        Ok(model_names(&value)
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect())
    }

    pub(crate) fn texts(&self, params: &Params) -> Result<Vec<String>, SpecError> {
        let texts = self.read(params)?;
        Ok(texts
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect())
    }

    pub(crate) fn word(&self, params: &Params) -> Result<String, SpecError> {
        Ok(self.read(params)?.as_str().unwrap_or_default().to_owned())
    }
}

/// Longest name of a model, in bytes.
const MODEL_NAME: usize = 256;

fn models_range(most: usize) -> String {
    if most == 1 {
        "the name of a model".to_owned()
    } else {
        format!("a list of at most {most} names of models")
    }
}

/// The names in the value of a parameter that names models: a list, or a name alone.
pub fn model_names(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Whether the parameter `name` of some strategy names models.
pub fn names_models(name: &str) -> bool {
    STRATEGIES
        .iter()
        .flat_map(|entry| entry.params)
        .any(|param| param.name == name && matches!(param.kind, ParamKind::Models { .. }))
}

/// The approaches that the values of `params` name, wherever some strategy reads one there.
pub fn named_approaches(params: &Params) -> Vec<&str> {
    let declared = || STRATEGIES.iter().flat_map(|entry| entry.params);
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

fn is_model_name(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|name| !name.trim().is_empty() && name.len() <= MODEL_NAME)
}

fn is_text(value: &Value, longest: usize) -> bool {
    value.as_str().is_some_and(|text| text.len() <= longest)
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

/// The body fields that the strategies of `expr` declare, and that are removed before a request
/// goes upstream. Unknown slugs declare none.
pub fn param_names(expr: &Expr) -> Vec<&'static str> {
    let declared = expr
        .slugs()
        .into_iter()
        .filter_map(entry)
        .flat_map(|entry| entry.params)
        .chain(COMMON_PARAMS);
    let mut names: Vec<_> = declared.map(|param| param.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_default_is_acceptable_and_every_entry_says_where_it_comes_from() {
        for entry in STRATEGIES {
            assert!(
                entry.slug.chars().all(crate::expr::is_slug_char),
                "{}",
                entry.slug
            );
            assert!(
                !entry.summary.is_empty() && !entry.cost.is_empty() && !entry.paper.is_empty(),
                "{}",
                entry.slug
            );
            for param in entry.params.iter().chain(COMMON_PARAMS) {
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
                    members.iter().for_each(|member| check(slug, member, false))
                }
                _ => {}
            }
        }
        for entry in STRATEGIES {
            entry
                .params
                .iter()
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
    fn a_value_of_the_wrong_type_or_range_is_named() {
        for value in [json!("2"), json!(-1), json!(1.5), json!([])] {
            let mut params = Params::new();
            params.set("sample_n_above", value);
            let error = SAMPLE_N_ABOVE.integer(&params).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("sample_n_above"));
            assert_eq!(
                error.message,
                "`sample_n_above` must be an integer from 0 to 10000000."
            );
        }
    }

    #[test]
    fn a_mistyped_slug_has_a_nearest_one_and_nonsense_has_none() {
        assert_eq!(nearest_slug("nome"), Some("none"));
        assert_eq!(nearest_slug("re"), Some("re2"));
        assert_eq!(nearest_slug("xyzzy"), None);
    }
}
