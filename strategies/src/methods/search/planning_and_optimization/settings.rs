//! The parameters of the method, under the names and with the defaults of its authors'
//! configuration.

use crate::chat::ChatRequest;
use crate::error::SpecError;
use crate::params::Params;
use crate::run::{Manner, Stopping};
use crate::spec::{ParamKind, ParamSpec};

const BESTOFN_N: ParamSpec = count(
    "cepo_bestofn_n",
    3,
    16,
    "pipelines, each of which makes one answer",
);
const BESTOFN_TEMPERATURE: ParamSpec = temperature(
    "cepo_bestofn_temperature",
    0.1,
    "temperature of the ratings",
);
const BESTOFN_MAX_TOKENS: ParamSpec =
    tokens("cepo_bestofn_max_tokens", 1, "most tokens of a rating");
const BESTOFN_RATING_TYPE: ParamSpec = ParamSpec {
    name: "cepo_bestofn_rating_type",
    kind: ParamKind::Choice {
        default: "absolute",
        options: &["absolute", "pairwise", "majority"],
    },
    help: "each answer rated, each two compared, or a vote without further calls",
};
const PLANNING_N: ParamSpec = count(
    "cepo_planning_n",
    3,
    16,
    "plans that a pipeline carries out",
);
const PLANNING_M: ParamSpec = count(
    "cepo_planning_m",
    6,
    32,
    "most plans that a pipeline tries, those that fail included",
);
const TEMPERATURE_STEP1: ParamSpec = temperature(
    "cepo_planning_temperature_step1",
    0.55,
    "temperature of plans",
);
const TEMPERATURE_STEP2: ParamSpec = temperature(
    "cepo_planning_temperature_step2",
    0.25,
    "temperature of carrying out a plan",
);
const TEMPERATURE_STEP3: ParamSpec = temperature(
    "cepo_planning_temperature_step3",
    0.1,
    "temperature of the solution made from all",
);
const TEMPERATURE_STEP4: ParamSpec = temperature(
    "cepo_planning_temperature_step4",
    0.0,
    "temperature of the answer",
);
const TEMPERATURE_DIRECT: ParamSpec = temperature(
    "cepo_planning_temperature_direct_resp",
    0.1,
    "temperature of an answer without plans",
);
const MAX_TOKENS_STEP1: ParamSpec = tokens(
    "cepo_planning_max_tokens_step1",
    0,
    "most tokens of a plan; 0: no plans",
);
const MAX_TOKENS_STEP2: ParamSpec = tokens(
    "cepo_planning_max_tokens_step2",
    1,
    "most tokens of carrying out a plan",
);
const MAX_TOKENS_STEP3: ParamSpec = tokens(
    "cepo_planning_max_tokens_step3",
    1,
    "most tokens of the solution made from all",
);
const MAX_TOKENS_STEP4: ParamSpec = tokens(
    "cepo_planning_max_tokens_step4",
    0,
    "most tokens of the answer; 0: that solution is the answer",
);
const MAX_TOKENS_DIRECT: ParamSpec = tokens(
    "cepo_planning_max_tokens_direct_resp",
    1,
    "most tokens of an answer without plans",
);
const USE_PLAN_DIVERSITY: ParamSpec = flag(
    "cepo_use_plan_diversity",
    "give each pipeline an approach of its own",
);
const USE_REASONING_FALLBACK: ParamSpec = flag(
    "cepo_use_reasoning_fallback",
    "ask again with less reasoning effort after a cut-off reply or a 400 or 500",
);
const REASONING_EFFORT: ParamSpec = ParamSpec {
    name: "cepo_reasoning_effort",
    kind: ParamKind::Choice {
        default: "off",
        options: &["off", "low", "medium", "high"],
    },
    help: "reasoning_effort of every call where the upstream accepts it; off: as the client sent \
        it",
};
const NUM_OF_RETRIES: ParamSpec = ParamSpec {
    name: "cepo_num_of_retries",
    kind: ParamKind::Integer {
        default: 0,
        min: 0,
        max: 2,
    },
    help: "further attempts at a call that is refused with 400; 5xx is tried again anyway",
};
const RATING_MODEL: ParamSpec = ParamSpec {
    name: "cepo_rating_model",
    kind: ParamKind::Models { most: 1 },
    help: "the model that rates and compares; none: the request's",
};
const PRINT_OUTPUT: ParamSpec = flag(
    "cepo_print_output",
    "show approaches, plans and solutions in the run's trace",
);

pub(super) const PARAMS: &[ParamSpec] = &[
    BESTOFN_N,
    BESTOFN_TEMPERATURE,
    BESTOFN_MAX_TOKENS,
    BESTOFN_RATING_TYPE,
    PLANNING_N,
    PLANNING_M,
    TEMPERATURE_STEP1,
    TEMPERATURE_STEP2,
    TEMPERATURE_STEP3,
    TEMPERATURE_STEP4,
    TEMPERATURE_DIRECT,
    MAX_TOKENS_STEP1,
    MAX_TOKENS_STEP2,
    MAX_TOKENS_STEP3,
    MAX_TOKENS_STEP4,
    MAX_TOKENS_DIRECT,
    USE_PLAN_DIVERSITY,
    USE_REASONING_FALLBACK,
    REASONING_EFFORT,
    NUM_OF_RETRIES,
    RATING_MODEL,
    PRINT_OUTPUT,
];

/// Degrees of reasoning, the least first.
const EFFORTS: [&str; 3] = ["low", "medium", "high"];

const fn count(name: &'static str, default: u32, max: u32, help: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Integer {
            default,
            min: 1,
            max,
        },
        help,
    }
}

const fn temperature(name: &'static str, default: f64, help: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Number {
            default,
            min: 0.0,
            max: 2.0,
        },
        help,
    }
}

/// The ceiling of a step, unless a parameter says otherwise.
pub(super) const DEFAULT_TOKENS: u64 = 4096;

const fn tokens(name: &'static str, min: u32, help: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Integer {
            default: 4096,
            min,
            max: 1_000_000,
        },
        help,
    }
}

const fn flag(name: &'static str, help: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Boolean { default: false },
        help,
    }
}

/// How one step is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) temperature: f64,
    pub(super) max_tokens: u64,
}

impl Step {
    fn read(
        params: &Params,
        temperature: ParamSpec,
        max_tokens: ParamSpec,
    ) -> Result<Self, SpecError> {
        Ok(Self {
            temperature: temperature.number(params)?,
            max_tokens: max_tokens.integer(params)?.into(),
        })
    }

    /// Whether the step is left out.
    pub(super) fn is_skipped(self) -> bool {
        self.max_tokens == 0
    }
}

/// How the best answer is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rating {
    Absolute,
    Majority,
    Pairwise,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) pipelines: u32,
    pub(super) rating: Rating,
    pub(super) rate: Step,
    /// Plans to be carried out.
    pub(super) plans: u32,
    /// Plans to be tried, at least as many.
    pub(super) attempts: u32,
    pub(super) plan: Step,
    pub(super) execute: Step,
    pub(super) refine: Step,
    pub(super) answer: Step,
    pub(super) direct: Step,
    pub(super) is_diverse: bool,
    pub(super) retries: u32,
    pub(super) is_shown: bool,
    pub(super) stopping: Stopping,
    /// Who rates, if it is not the request's model; none where nothing is rated.
    pub(super) rating_model: Vec<String>,
    falls_back: bool,
    effort: Option<&'static str>,
}

impl Settings {
    pub(super) fn read(params: &Params) -> Result<Self, SpecError> {
        let rating = match BESTOFN_RATING_TYPE.word(params)?.as_str() {
            "pairwise" => Rating::Pairwise,
            "majority" => Rating::Majority,
            _ => Rating::Absolute,
        };
        let effort = REASONING_EFFORT.word(params)?;
        let attempts = PLANNING_M.integer(params)?;
        let pipelines = BESTOFN_N.integer(params)?;
        let mut rating_model = RATING_MODEL.models(params)?;
        if pipelines == 1 || rating == Rating::Majority {
            rating_model.clear();
        }
        Ok(Self {
            pipelines,
            rating_model,
            rating,
            rate: Step::read(params, BESTOFN_TEMPERATURE, BESTOFN_MAX_TOKENS)?,
            plans: PLANNING_N.integer(params)?.min(attempts),
            attempts,
            plan: Step::read(params, TEMPERATURE_STEP1, MAX_TOKENS_STEP1)?,
            execute: Step::read(params, TEMPERATURE_STEP2, MAX_TOKENS_STEP2)?,
            refine: Step::read(params, TEMPERATURE_STEP3, MAX_TOKENS_STEP3)?,
            answer: Step::read(params, TEMPERATURE_STEP4, MAX_TOKENS_STEP4)?,
            direct: Step::read(params, TEMPERATURE_DIRECT, MAX_TOKENS_DIRECT)?,
            is_diverse: USE_PLAN_DIVERSITY.boolean(params)?,
            retries: NUM_OF_RETRIES.integer(params)?,
            is_shown: PRINT_OUTPUT.boolean(params)?,
            stopping: Manner::read(params)?.stopping,
            falls_back: USE_REASONING_FALLBACK.boolean(params)?,
            effort: EFFORTS.into_iter().find(|known| *known == effort),
        })
    }

    /// The effort to set for each further attempt at a call, the first one first; `None` leaves the
    /// client's.
    pub(super) fn efforts(&self, request: &ChatRequest) -> Vec<Option<&'static str>> {
        let mut efforts = vec![self.effort];
        let begins = self
            .effort
            .or_else(|| request.get("reasoning_effort")?.as_str());
        // A model left to itself is taken to reason as much as it can.
        let below = EFFORTS
            .iter()
            .position(|known| Some(*known) == begins)
            .unwrap_or(EFFORTS.len() - 1);
        if self.falls_back {
            efforts.extend(EFFORTS.into_iter().take(below).rev().map(Some));
        }
        efforts
    }

    /// The calls of one pipeline with `plans` plans, if all goes well.
    pub(super) fn calls(&self, plans: u32) -> u32 {
        let answer = u32::from(!self.answer.is_skipped());
        if self.plan.is_skipped() {
            1
        } else {
            2 * plans + 1 + answer
        }
    }

    /// Pipelines and plans for each that `room` calls suffice for; none if not one answer can be
    /// planned.
    pub(super) fn fit(&self, room: u32) -> Option<(u32, u32)> {
        let whole = self.calls(self.plans);
        let pipelines = (room / whole).min(self.pipelines);
        if pipelines > 0 {
            return Some((pipelines, self.plans));
        }
        let plans = room.saturating_sub(self.calls(0)) / 2;
        (plans > 0).then_some((1, plans))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::chat::Message;

    fn settings(params: &serde_json::Value) -> Settings {
        let params: Params = params.as_object().unwrap().clone().into_iter().collect();
        Settings::read(&params).unwrap()
    }

    #[test]
    fn less_reasoning_is_asked_for_only_where_it_is_configured() {
        let request = ChatRequest::new("m", [Message::user("q")]);
        let efforts = |params| settings(&params).efforts(&request);
        assert_eq!(efforts(json!({})), [None]);
        assert_eq!(
            efforts(json!({"cepo_reasoning_effort": "high"})),
            [Some("high")]
        );
        assert_eq!(
            efforts(json!({"cepo_use_reasoning_fallback": true})),
            [None, Some("medium"), Some("low")]
        );
        let from_medium =
            json!({"cepo_reasoning_effort": "medium", "cepo_use_reasoning_fallback": true});
        assert_eq!(efforts(from_medium), [Some("medium"), Some("low")]);
        let mut modest = request.clone();
        modest.set("reasoning_effort", "low");
        assert_eq!(
            settings(&json!({"cepo_use_reasoning_fallback": true})).efforts(&modest),
            [None]
        );
    }

    proptest! {
        #[test]
        fn what_fits_is_never_more_than_there_is_room_for(room in 0_u32..300, n in 1_u32..17,
            plans in 1_u32..17, last in 0_u32..2) {
            let settings = settings(&json!({"cepo_bestofn_n": n, "cepo_planning_n": plans,
                "cepo_planning_max_tokens_step4": last}));
            match settings.fit(room) {
                Some((pipelines, plans)) => prop_assert!(pipelines * settings.calls(plans) <= room
                    && pipelines <= n && plans > 0),
                None => prop_assert!(room < settings.calls(1)),
            }
        }
    }
}
