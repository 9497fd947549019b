//! What is learnt of refusals in other dialects: how the same request can be said otherwise.
//!
//! A model tells by a 400 that it has no words for something. What hone wrote, and not the client,
//! is written in another way from then on, for this caller, upstream and model; but only if that
//! helps: an error may name a field because the client's own text has the name in it.

use std::sync::PoisonError;

use hone_dialects::{Dialect, ReasoningField, Settings, SystemForm, ThinkingForm};
use hone_strategies::ChatRequest;
use hone_strategies::model::{Fact, Rejection};

use super::HttpModel;

/// Efforts that a model may refuse, and that have one below.
const EFFORTS: [&str; 4] = ["max", "xhigh", "high", "minimal"];

impl HttpModel {
    /// What is configured and learnt of `model`.
    pub(super) fn settings(&self, model: &str) -> Settings {
        let mut settings = self.upstream.config.settings.clone();
        let is_off = |fact| self.facts.get(&self.subject(model, fact)) == Some(false);
        if settings.thinking == ThinkingForm::Adaptive && is_off(Fact::ThinksByEffort) {
            settings.thinking = ThinkingForm::Budget;
            if is_off(Fact::ThinksByBudget) {
                settings.thinking = ThinkingForm::Off;
            }
        }
        if settings.system == SystemForm::Inline && is_off(Fact::AcceptsSystemInline) {
            settings.system = SystemForm::User;
        }
        if is_off(Fact::TakesMaxTokens) {
            "max_completion_tokens".clone_into(&mut settings.max_tokens_field);
        }
        if is_off(Fact::AcceptsSampling) {
            settings.takes_sampling = false;
        }
        if settings.reasoning_field == ReasoningField::None
            && self.facts.get(&self.subject(model, Fact::TakesReasoning)) == Some(true)
        {
            settings.reasoning_field = ReasoningField::ReasoningContent;
        }
        let refused = EFFORTS
            .into_iter()
            .filter(|word| is_off(Fact::AcceptsEffort(word)));
        settings.refused_efforts = refused.map(str::to_owned).collect();
        settings
    }

    /// Learns of `rejection` how `request`, which went through a codec, can be said otherwise.
    pub(super) fn heed(&self, request: &ChatRequest, rejection: &mut Rejection) {
        if !matches!(rejection.status, 400 | 422) {
            return;
        }
        let model = request.model();
        let settings = self.settings(model);
        let lesson = match self.upstream.config.dialect {
            Dialect::Anthropic => of_anthropic(request, &settings, rejection),
            Dialect::OpenAiChat => of_chat(request, &settings, rejection),
            Dialect::Gemini | Dialect::OpenAiResponses => None,
        };
        let lesson = lesson.or_else(|| effort(request, rejection));
        let is_new =
            |(fact, value): &Lesson| self.facts.get(&self.subject(model, *fact)) != Some(*value);
        let mut lessons = self.lessons.lock().unwrap_or_else(PoisonError::into_inner);
        match lesson.filter(is_new) {
            Some((fact, value)) => {
                self.facts.learn(self.subject(model, fact), value);
                lessons.push((fact, value));
                rejection.has_taught = true;
            }
            None => {
                for (fact, value) in lessons.drain(..) {
                    self.facts.learn(self.subject(model, fact), !value);
                }
            }
        }
    }

    /// What was learnt has helped.
    pub(super) fn keep_lessons(&self) {
        let mut lessons = self.lessons.lock().unwrap_or_else(PoisonError::into_inner);
        lessons.clear();
    }
}

/// A fact, and whether it is one.
pub(crate) type Lesson = (Fact, bool);

fn of_anthropic(
    request: &ChatRequest,
    settings: &Settings,
    rejection: &Rejection,
) -> Option<Lesson> {
    let is_own = request
        .origin()
        .is_some_and(|origin| origin.dialect == Dialect::Anthropic);
    if is_own {
        return None;
    }
    let names = |word: &str| speaks_of(rejection, word);
    let thinks = request.get("reasoning_effort").is_some();
    if thinks && (names("thinking") || names("output_config") || names("adaptive")) {
        match settings.thinking {
            ThinkingForm::Adaptive => return Some((Fact::ThinksByEffort, false)),
            ThinkingForm::Budget => return Some((Fact::ThinksByBudget, false)),
            ThinkingForm::Off => {}
        }
    }
    let samples = |name: &&str| request.get(name).is_some() && names(name);
    if settings.takes_sampling && ["temperature", "top_p", "top_k"].iter().any(samples) {
        return Some((Fact::AcceptsSampling, false));
    }
    let is_inline = settings.system == SystemForm::Inline && has_inline_instructions(request);
    (is_inline && names("role") && names("system")).then_some((Fact::AcceptsSystemInline, false))
}

fn of_chat(request: &ChatRequest, settings: &Settings, rejection: &Rejection) -> Option<Lesson> {
    let names = |word: &str| speaks_of(rejection, word);
    if request.get("max_tokens").is_some()
        && settings.max_tokens_field == "max_tokens"
        && names("max_tokens")
        && names("max_completion_tokens")
    {
        return Some((Fact::TakesMaxTokens, false));
    }
    let has_thought = || {
        let mut messages = request.messages().iter();
        messages.any(|message| message.get("reasoning_content").is_some())
    };
    let wants = settings.reasoning_field == ReasoningField::None && names("reasoning_content");
    (wants && has_thought()).then_some((Fact::TakesReasoning, true))
}

/// A word for an effort that the model does not know.
fn effort(request: &ChatRequest, rejection: &Rejection) -> Option<Lesson> {
    let word = request.get("reasoning_effort")?.as_str()?;
    let word = EFFORTS.into_iter().find(|known| *known == word)?;
    let is_about = [
        "effort",
        "reasoning_effort",
        "thinkingLevel",
        "thinking_level",
    ];
    let is_refused = is_about.iter().any(|name| speaks_of(rejection, name));
    is_refused.then_some((Fact::AcceptsEffort(word), false))
}

fn has_inline_instructions(request: &ChatRequest) -> bool {
    let messages = request.messages().iter();
    let behind = messages.skip_while(|message| is_instruction(message.role()));
    behind
        .into_iter()
        .any(|message| is_instruction(message.role()))
}

fn is_instruction(role: &str) -> bool {
    matches!(role, "developer" | "system")
}

/// Whether the error's words or its field hold `name`.
fn speaks_of(rejection: &Rejection, name: &str) -> bool {
    let holds = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(name));
    holds(&rejection.param) || holds(&rejection.message)
}
