//! The members of `mars_config`, under OptiLLM's names.

use crate::error::SpecError;
use crate::params::Params;
use crate::spec::{ParamKind, ParamSpec};

const NUM_AGENTS: ParamSpec = count("num_agents", 3, 1, 10, "agents that answer independently");
const MAX_ITERATIONS: ParamSpec = count(
    "max_iterations",
    5,
    0,
    10,
    "rounds of improving what was not verified",
);
const PASSES_REQUIRED: ParamSpec = count(
    "verification_passes_required",
    2,
    1,
    5,
    "verdicts in favour that a verified solution has, and none against",
);
const CONSENSUS: ParamSpec = count(
    "consensus_threshold",
    2,
    1,
    10,
    "solutions with the same answer that are a consensus",
);
const MIN_VERIFIED: ParamSpec = count(
    "min_verified_solutions",
    1,
    1,
    10,
    "verified solutions after which nothing is improved any more",
);
const MAX_TOKENS: ParamSpec = count(
    "max_tokens",
    0,
    0,
    1_000_000,
    "most tokens of one call; 0: no limit but the client's own",
);
const MAX_ATTEMPTS: ParamSpec = count(
    "max_verification_attempts",
    3,
    1,
    10,
    "verifications of one solution, unreadable ones included",
);
const EARLY_TERMINATION: ParamSpec = flag(
    "early_termination",
    true,
    "stop as soon as a verified solution has a consensus behind it",
);
const USE_REASONING_API: ParamSpec = flag(
    "use_reasoning_api",
    true,
    "send a reasoning_effort to each call, where the upstream accepts it and the client sent none",
);
const ENABLE_AGGREGATION: ParamSpec = flag(
    "enable_aggregation",
    true,
    "recombine the solutions recursively",
);
const POPULATION: ParamSpec = count(
    "population_size",
    6,
    1,
    16,
    "solutions that each loop of recombination makes",
);
const SUBSET: ParamSpec = count(
    "aggregation_size",
    3,
    1,
    16,
    "solutions that each new one is made from",
);
const LOOPS: ParamSpec = count("aggregation_loops", 3, 1, 10, "loops of recombination");
const ENABLE_NETWORK: ParamSpec = flag(
    "enable_strategy_network",
    true,
    "let agents learn from each other's strategies",
);
const EXTRACTION: ParamSpec = flag(
    "strategy_extraction_enabled",
    true,
    "describe strategies first; without, agents see each other's solutions",
);
const ENHANCEMENT: ParamSpec = flag(
    "cross_agent_enhancement",
    true,
    "agents rewrite their solutions; without, strategies only help to improve",
);
const THINKING_TAGS: ParamSpec = flag(
    "use_thinking_tags",
    true,
    "where the answer is extracted, its solution stands in <think>; without, in reasoning_content",
);
const EXTRACTION_MODE: ParamSpec = ParamSpec {
    name: "answer_extraction_mode",
    kind: ParamKind::Choice {
        default: "auto",
        options: &["auto", "code", "math", "none"],
    },
    help: "what is extracted from a solution; auto: what the question asks for; none: solutions \
        are returned as they are",
};
const LIGHTWEIGHT: ParamSpec = flag(
    "lightweight",
    false,
    "other defaults: few agents and rounds, no aggregation, no strategies",
);

/// What a field stands for that is not set, with `lightweight`.
const LIGHT: [(&str, u32); 7] = [
    ("num_agents", 2),
    ("max_iterations", 2),
    ("verification_passes_required", 1),
    ("consensus_threshold", 1),
    ("min_verified_solutions", 1),
    ("max_tokens", 4000),
    ("max_verification_attempts", 2),
];

pub(super) const CONFIG: ParamSpec = ParamSpec {
    name: "mars_config",
    kind: ParamKind::Object {
        members: &[
            NUM_AGENTS,
            MAX_ITERATIONS,
            PASSES_REQUIRED,
            CONSENSUS,
            MIN_VERIFIED,
            MAX_TOKENS,
            MAX_ATTEMPTS,
            EARLY_TERMINATION,
            USE_REASONING_API,
            ENABLE_AGGREGATION,
            POPULATION,
            SUBSET,
            LOOPS,
            ENABLE_NETWORK,
            EXTRACTION,
            ENHANCEMENT,
            THINKING_TAGS,
            EXTRACTION_MODE,
            LIGHTWEIGHT,
        ],
    },
    help: "the method's settings",
};

const fn count(
    name: &'static str,
    default: u32,
    min: u32,
    max: u32,
    help: &'static str,
) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Integer { default, min, max },
        help,
    }
}

const fn flag(name: &'static str, default: bool, help: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Boolean { default },
        help,
    }
}

/// How solutions are recombined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aggregation {
    pub(super) population: u32,
    pub(super) subset: u32,
    pub(super) loops: u32,
}

/// How agents learn from each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sharing {
    /// Strategies are described, instead of showing whole solutions.
    pub(super) describes: bool,
    /// Solutions are rewritten.
    pub(super) rewrites: bool,
}

/// What is extracted from a solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extraction {
    Auto,
    Code,
    Math,
    Nothing,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) agents: u32,
    pub(super) iterations: u32,
    pub(super) passes: u32,
    /// Verifications of one solution at most, no fewer than `passes`.
    pub(super) attempts: u32,
    pub(super) consensus: u32,
    pub(super) enough: u32,
    pub(super) max_tokens: Option<u64>,
    pub(super) aggregation: Option<Aggregation>,
    pub(super) sharing: Option<Sharing>,
    pub(super) extraction: Extraction,
    pub(super) stops_early: bool,
    pub(super) sets_effort: bool,
    pub(super) uses_tags: bool,
}

impl Settings {
    pub(super) fn read(params: &Params) -> Result<Self, SpecError> {
        let mut config = CONFIG.members(params)?;
        if LIGHTWEIGHT.boolean(&config)? {
            let numbers = LIGHT
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()));
            let flags = [ENABLE_AGGREGATION, ENABLE_NETWORK]
                .map(|flag| (flag.name.to_owned(), false.into()));
            config = config.or(&numbers.chain(flags).collect());
        }
        let passes = PASSES_REQUIRED.integer(&config)?;
        let max_tokens = u64::from(MAX_TOKENS.integer(&config)?);
        let extraction = match EXTRACTION_MODE.word(&config)?.as_str() {
            "code" => Extraction::Code,
            "math" => Extraction::Math,
            "none" => Extraction::Nothing,
            _ => Extraction::Auto,
        };
        Ok(Self {
            agents: NUM_AGENTS.integer(&config)?,
            iterations: MAX_ITERATIONS.integer(&config)?,
            passes,
            attempts: MAX_ATTEMPTS.integer(&config)?.max(passes),
            consensus: CONSENSUS.integer(&config)?,
            enough: MIN_VERIFIED.integer(&config)?,
            max_tokens: (max_tokens > 0).then_some(max_tokens),
            aggregation: Aggregation::read(&config)?,
            sharing: Sharing::read(&config)?,
            extraction,
            stops_early: EARLY_TERMINATION.boolean(&config)?,
            sets_effort: USE_REASONING_API.boolean(&config)?,
            uses_tags: THINKING_TAGS.boolean(&config)?,
        })
    }

    /// Solutions that are verified in the first round.
    pub(super) fn solutions(&self) -> u32 {
        let population = self
            .aggregation
            .map_or(self.agents, |aggregation| aggregation.population);
        population
            + if self.sharing.is_some_and(|sharing| sharing.rewrites) {
                self.agents
            } else {
                0
            }
    }
}

impl Aggregation {
    fn read(config: &Params) -> Result<Option<Self>, SpecError> {
        let aggregation = Self {
            population: POPULATION.integer(config)?,
            subset: SUBSET.integer(config)?,
            loops: LOOPS.integer(config)?,
        };
        if !ENABLE_AGGREGATION.boolean(config)? {
            return Ok(None);
        }
        if aggregation.subset > aggregation.population {
            let (name, most) = (
                format!("{}.{}", CONFIG.name, SUBSET.name),
                aggregation.population,
            );
            return Err(SpecError::bad_param(
                &name,
                format!("`{name}` must be at most `population_size`, which is {most}."),
            ));
        }
        Ok(Some(aggregation))
    }
}

impl Sharing {
    fn read(config: &Params) -> Result<Option<Self>, SpecError> {
        let sharing = Self {
            describes: EXTRACTION.boolean(config)?,
            rewrites: ENHANCEMENT.boolean(config)?,
        };
        let has_effect = ENABLE_NETWORK.boolean(config)? && (sharing.describes || sharing.rewrites);
        Ok(has_effect.then_some(sharing))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(config: Value) -> Result<Settings, SpecError> {
        Settings::read(&[("mars_config".to_owned(), config)].into_iter().collect())
    }

    #[test]
    fn a_member_overrides_one_default_and_no_other() {
        let settings = read(json!({"num_agents": 5, "max_tokens": null})).unwrap();
        assert_eq!(
            (
                settings.agents,
                settings.iterations,
                settings.max_tokens,
                settings.solutions()
            ),
            (5, 5, None, 11)
        );
    }

    #[test]
    fn lightweight_changes_defaults_only() {
        let settings =
            read(json!({"lightweight": true, "max_iterations": 4, "enable_aggregation": true}))
                .unwrap();
        assert_eq!(
            (
                settings.agents,
                settings.iterations,
                settings.passes,
                settings.max_tokens
            ),
            (2, 4, 1, Some(4000))
        );
        assert!(settings.aggregation.is_some() && settings.sharing.is_none());
    }

    #[test]
    fn a_mistake_in_a_member_is_named_with_its_path() {
        for (config, path) in [
            (json!([]), "mars_config"),
            (json!({"num_agents": 0}), "mars_config.num_agents"),
            (json!({"num_agent": 2}), "mars_config.num_agent"),
            (
                json!({"use_thinking_tags": "yes"}),
                "mars_config.use_thinking_tags",
            ),
            (
                json!({"population_size": 2, "aggregation_size": 3}),
                "mars_config.aggregation_size",
            ),
        ] {
            let error = read(config).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(path));
            assert!(error.message.contains(path), "{}", error.message);
        }
        assert!(
            read(json!({"num_agent": 2}))
                .unwrap_err()
                .message
                .contains("`num_agents`"),
            "a near name is suggested"
        );
        assert!(
            read(json!({"enable_aggregation": false, "population_size": 2})).is_ok(),
            "what is off is not judged"
        );
    }
}
