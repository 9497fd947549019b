//! How much is to be thought, and in what form the answer is wanted: `thinking` and
//! `output_config`.

use hone_strategies::chat::{ChatRequest, Origin};
use serde_json::{Map, Value, json};

use super::schema;
use crate::shape::{Losses, Refusal, Target, ThinkingForm};
use crate::tables::effort::{self, Budget};
use crate::wire::json::{str_of, wanted};

/// The smallest budget that the API takes, in tokens.
const LEAST_BUDGET: u64 = 1024;

/// The effort that a client's fields ask for, in the middle's words.
fn effort_of(fields: &Map<String, Value>) -> Option<&'static str> {
    let config = fields.get("output_config");
    let word = config.map(|config| str_of(config, "effort"));
    let thinking = fields.get("thinking").unwrap_or(&Value::Null);
    let by_word = word.and_then(effort::from_anthropic);
    let by_thinking = || match str_of(thinking, "type") {
        "disabled" => Some("none"),
        "enabled" => effort::of_budget(thinking.get("budget_tokens")?.as_i64()?),
        _ => None,
    };
    by_word.or_else(by_thinking)
}

/// The format that a client's fields ask for, as chat has it.
fn format_of(fields: &Map<String, Value>) -> Option<Value> {
    let format = fields.get("output_config")?.get("format")?;
    let schema = format.get("schema")?;
    Some(json!({
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": true},
    }))
}

/// Reads both from a client.
pub(super) fn read(
    fields: &Map<String, Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    for name in ["thinking", "output_config"] {
        if fields
            .get(name)
            .is_some_and(|value| !value.is_object() && !value.is_null())
        {
            return Err(wanted(name, "an object"));
        }
    }
    if let Some(word) = effort_of(fields) {
        request.set("reasoning_effort", word);
    }
    if let Some(format) = format_of(fields) {
        request.set("response_format", format);
    }
    let thinking = fields.get("thinking").unwrap_or(&Value::Null);
    let is_on = !matches!(str_of(thinking, "type"), "" | "disabled");
    origin.wishes.reasoning = is_on && str_of(thinking, "display") != "omitted";
    origin.wishes.encrypted = is_on;
    Ok(())
}

/// What a request to Anthropic says of both.
pub(super) struct Wanted<'a> {
    pub(super) request: &'a ChatRequest,
    /// The client's own fields, if it speaks this dialect.
    pub(super) own: Option<&'a Origin>,
    pub(super) target: &'a Target,
    /// Whether calls are open whose thinking cannot be given back.
    pub(super) lacks_thinking: bool,
}

impl Wanted<'_> {
    /// Writes both into `out`, which has the limit on tokens, the choice of tools and the sampling
    /// already.
    pub(super) fn write(&self, out: &mut Map<String, Value>, losses: &mut Losses) {
        let own = self.own.map(|origin| &origin.fields);
        let told = own.and_then(effort_of);
        let word = self.request.get("reasoning_effort").and_then(Value::as_str);
        if own.is_none() || told != word {
            out.shift_remove("thinking");
            config(out, |config| drop(config.shift_remove("effort")));
            if let Some(word) = word {
                self.effort(word, out, losses);
            }
        }
        if self.lacks_thinking && out.get("thinking").is_some_and(is_on) {
            out.shift_remove("thinking");
            losses.degrade("thinking");
        }
        self.format(out, losses);
    }

    fn effort(&self, word: &str, out: &mut Map<String, Value>, losses: &mut Losses) {
        let settings = &self.target.settings;
        let allowed = effort::allowed(word, &settings.refused_efforts);
        if allowed != Some(word) {
            losses.degrade("reasoning_effort");
        }
        let Some(word) = allowed else {
            return;
        };
        let is_none = word == "none";
        match settings.thinking {
            ThinkingForm::Off if is_none => {}
            ThinkingForm::Off => losses.degrade("reasoning_effort"),
            _ if is_none => drop(out.insert("thinking".to_owned(), json!({"type": "disabled"}))),
            ThinkingForm::Adaptive => {
                let thinking = json!({"type": "adaptive", "display": self.display()});
                out.insert("thinking".to_owned(), thinking);
                if let Some(word) = effort::to_anthropic(word) {
                    config(out, |config| {
                        config.insert("effort".to_owned(), word.into());
                    });
                }
            }
            ThinkingForm::Budget => self.budget(word, out, losses),
        }
    }

    fn display(&self) -> &'static str {
        let origin = self.request.origin();
        if origin.is_none_or(|origin| origin.wishes.reasoning) {
            "summarized"
        } else {
            "omitted"
        }
    }

    fn budget(&self, word: &str, out: &mut Map<String, Value>, losses: &mut Losses) {
        let most = out.get("max_tokens").and_then(Value::as_u64).unwrap_or(0);
        let budget = match effort::to_anthropic_budget(word) {
            Some(Budget::Tokens(tokens)) => tokens,
            Some(Budget::Half) => most / 2,
            Some(Budget::Off) | None => return,
        };
        let choice = out.get("tool_choice").unwrap_or(&Value::Null);
        let is_forced = matches!(str_of(choice, "type"), "any" | "tool");
        // The API takes a budget neither with a forced call nor with a temperature.
        if is_forced || out.contains_key("temperature") {
            return losses.degrade("reasoning_effort");
        }
        let has_limit = self.request.token_limit().is_some();
        let (budget, most) = if has_limit {
            (budget.min(most.saturating_sub(1)), most)
        } else {
            (budget, most.saturating_add(budget))
        };
        if budget < LEAST_BUDGET {
            return losses.degrade("reasoning_effort");
        }
        out.insert("max_tokens".to_owned(), most.into());
        let thinking = json!({"type": "enabled", "budget_tokens": budget});
        out.insert("thinking".to_owned(), thinking);
    }

    fn format(&self, out: &mut Map<String, Value>, losses: &mut Losses) {
        let format = self.request.get("response_format");
        let told = self.own.and_then(|origin| format_of(&origin.fields));
        if self.own.is_some() && told.as_ref() == format {
            return;
        }
        config(out, |config| drop(config.shift_remove("format")));
        let schema = format.and_then(|format| format.get("json_schema")?.get("schema"));
        if let Some(schema) = schema {
            let (schema, is_whole) = schema::adapted(schema);
            if !is_whole {
                losses.degrade("response_format");
            }
            let format = json!({"type": "json_schema", "schema": schema});
            config(out, |config| {
                config.insert("format".to_owned(), format);
            });
        }
    }
}

fn is_on(thinking: &Value) -> bool {
    !matches!(str_of(thinking, "type"), "" | "disabled")
}

/// Changes `output_config`, which goes out if something is in it.
fn config(out: &mut Map<String, Value>, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut config = match out.shift_remove("output_config") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    change(&mut config);
    if !config.is_empty() {
        out.insert("output_config".to_owned(), Value::Object(config));
    }
}
