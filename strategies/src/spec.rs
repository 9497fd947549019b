//! What a parameter is: its name, type, default and range; and the parameters that every approach
//! has.

use serde_json::Value;

use crate::error::SpecError;
use crate::params::Params;

/// Parameters that hold for a whole approach.
pub static COMMON_PARAMS: &[ParamSpec] = &[
    SAMPLING,
    SAMPLE_N_ABOVE,
    STOP_CONFIDENCE,
    STOP_WINDOW,
    STOP_GUARANTEE,
    VOTE_WEIGHT,
    VOTE_TEMPERATURE,
    SHOWN_BYTES,
    JUDGE_STYLE,
    JUDGE_TOKENS,
    JUDGE_TOP,
    JUDGE_ALWAYS,
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

pub(crate) const STOP_GUARANTEE: ParamSpec = ParamSpec {
    name: "stop_guarantee",
    kind: ParamKind::Number {
        default: 0.0,
        min: 0.0,
        max: 0.5,
    },
    help: "a vote stops when its leader is proved to be the model's most frequent answer, wrongly \
        in at most this share of votes, however often one looks; 0: by stop_confidence",
};

pub(crate) const VOTE_WEIGHT: ParamSpec = ParamSpec {
    name: "vote_weight",
    kind: ParamKind::Choice {
        default: "auto",
        options: &["auto", "none", "tie", "logprob", "certainty", "map"],
    },
    help: "what votes are weighed by: the log probabilities of their own tokens, the certainty of \
        each choice among alternatives, those only in a tie, the posterior by what was measured of \
        the model (map), or nothing; auto: as far as it is known to help",
};

pub(crate) const VOTE_TEMPERATURE: ParamSpec = ParamSpec {
    name: "vote_temperature",
    kind: ParamKind::Number {
        default: 2.0,
        min: 0.1,
        max: 100.0,
    },
    help: "a vote weighs exp(z / this), z being by how many standard deviations it is surer than \
        the others",
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

pub(crate) const JUDGE_STYLE: ParamSpec = ParamSpec {
    name: "judge_style",
    kind: ParamKind::Choice {
        default: "verdict",
        options: &["verdict", "reasoned"],
    },
    help: "a judge's verdict comes first, and its call ends there; or behind its reasons",
};

pub(crate) const JUDGE_TOKENS: ParamSpec = ParamSpec {
    name: "judge_tokens",
    kind: ParamKind::Integer {
        default: 64,
        min: 8,
        max: 4096,
    },
    help: "most tokens of a verdict that comes first; a model that thinks before it has 2000",
};

pub(crate) const JUDGE_TOP: ParamSpec = ParamSpec {
    name: "judge_top",
    kind: ParamKind::Integer {
        default: 3,
        min: 2,
        max: 64,
    },
    help: "most different answers that bon, genselect, knockout and usc lay before a judge",
};

pub(crate) const JUDGE_ALWAYS: ParamSpec = ParamSpec {
    name: "judge_always",
    kind: ParamKind::Boolean { default: false },
    help: "bon, genselect and knockout ask their judge even if the candidates' own vote decides",
};

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
    /// see [`crate::catalogue::named_approaches`].
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
    /// Names of models beside the request's own; none by default. The embedding application decides
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
    pub(crate) fn names_approach<'a>(&self, value: &'a Value) -> Option<&'a str> {
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
    pub(crate) fn read(&self, params: &Params) -> Result<Value, SpecError> {
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

fn is_model_name(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|name| !name.trim().is_empty() && name.len() <= MODEL_NAME)
}

fn is_text(value: &Value, longest: usize) -> bool {
    value.as_str().is_some_and(|text| text.len() <= longest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
