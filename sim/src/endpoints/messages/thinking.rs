//! Whether the model reasons, and what it is told about that.

use serde_json::Value;

use super::check::refused;
use crate::ask::Ask;
use crate::endpoints::fields::{claude, list, text};
use crate::refusal::Refusal;

/// Whether the model reasons.
pub(super) fn is_on(ask: &Ask) -> bool {
    matches!(kind(ask), Some("enabled" | "adaptive"))
}

/// Whether its reasoning is to be shown.
pub(super) fn is_shown(ask: &Ask) -> bool {
    let thinking = ask.field("thinking");
    thinking.and_then(|thinking| text(thinking, "display")) != Some("omitted")
}

/// Whether it has a budget, so that a turn with tools must begin with reasoning.
pub(super) fn has_budget(ask: &Ask) -> bool {
    kind(ask) == Some("enabled")
}

fn kind(ask: &Ask) -> Option<&str> {
    text(ask.field("thinking")?, "type")
}

pub(super) fn check(ask: &Ask) -> Result<(), Refusal> {
    clears(ask)?;
    let Some(thinking) = ask.field("thinking").filter(|thinking| !thinking.is_null()) else {
        return Ok(());
    };
    let version = ask.model().ok().and_then(claude);
    match text(thinking, "type") {
        Some("disabled") => Ok(()),
        Some("adaptive") if version.is_some_and(|version| version < (4, 6)) => {
            refused("adaptive thinking is not supported on this model")
        }
        Some("adaptive") => together(ask),
        Some("enabled") if version.is_some_and(|version| version >= (4, 7)) => refused(
            "\"thinking.type.enabled\" is not supported for this model. Use \
             \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.",
        ),
        Some("enabled") => {
            budget(ask, thinking)?;
            together(ask)
        }
        _ => refused(
            "thinking: Input tag does not match any of the expected tags: 'adaptive', \
             'disabled', 'enabled'",
        ),
    }
}

fn budget(ask: &Ask, thinking: &Value) -> Result<(), Refusal> {
    let Some(budget) = thinking.get("budget_tokens").and_then(Value::as_u64) else {
        return refused("thinking.enabled.budget_tokens: Field required");
    };
    if budget < 1024 {
        return refused(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        );
    }
    let limit = ask.field("max_tokens").and_then(Value::as_u64);
    if limit.is_some_and(|limit| limit <= budget) {
        return refused("`max_tokens` must be greater than `thinking.budget_tokens`.");
    }
    Ok(())
}

/// What does not go together with reasoning.
fn together(ask: &Ask) -> Result<(), Refusal> {
    let choice = ask.field("tool_choice");
    if matches!(
        choice.and_then(|choice| text(choice, "type")),
        Some("any" | "tool")
    ) {
        return refused("Thinking may not be enabled when tool_choice forces tool use.");
    }
    let temperature = ask.field("temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|temperature| temperature < 1.0) {
        return refused("`temperature` may only be set to 1 when thinking is enabled.");
    }
    if ask.field("top_k").is_some() {
        return refused("`top_k` must be unset when thinking is enabled.");
    }
    Ok(())
}

/// Reasoning can be cleared only where there is some.
fn clears(ask: &Ask) -> Result<(), Refusal> {
    let Some(management) = ask.field("context_management") else {
        return Ok(());
    };
    let mut edits = list(management, "edits").iter();
    let clears =
        |edit: &Value| text(edit, "type").is_some_and(|kind| kind.starts_with("clear_thinking"));
    if edits.any(clears) && !is_on(ask) {
        return refused(
            "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive",
        );
    }
    Ok(())
}
