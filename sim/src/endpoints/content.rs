//! The text of answers, whatever the endpoint.

use hone_strategies::simulation::TaskModel;
use serde_json::Value;

use crate::ask::Ask;
use crate::chance::Dice;
use crate::text::filler;

/// A longer conversation is not searched for a question of arithmetic, in bytes.
const LONGEST_QUESTION: usize = 256 * 1024;

/// The text of an answer: the configured one, or the task's, or filler.
pub(crate) fn content(ask: &Ask, dice: &mut Dice) -> String {
    scored(ask, dice).0
}

/// The text of an answer, and the level of its log probabilities where the task's model has a
/// confidence.
pub(crate) fn scored(ask: &Ask, dice: &mut Dice) -> (String, Option<f64>) {
    match (&ask.knobs.content, &ask.knobs.task) {
        (Some(text), _) => (text.clone(), None),
        (None, Some(task)) => {
            let reply = task.reply(&conversation(ask), dice.number());
            (reply.text, reply.level)
        }
        (None, None) if ask.knobs.arithmetic => arithmetic(ask, dice),
        (None, None) => (filler(dice, ask.knobs.answer_tokens), None),
    }
}

/// The answer to a question of arithmetic, and to all that hone asks about one; else filler.
fn arithmetic(ask: &Ask, dice: &mut Dice) -> (String, Option<f64>) {
    let model = TaskModel {
        accuracy: 1.0,
        ..TaskModel::default()
    };
    let conversation = conversation(ask);
    if conversation.len() <= LONGEST_QUESTION && model.knows(&conversation) {
        let reply = model.reply(&conversation, dice.number());
        return (reply.text, reply.level);
    }
    (filler(dice, ask.knobs.answer_tokens), None)
}

/// All text that the request shows the model, whatever its endpoint.
fn conversation(ask: &Ask) -> String {
    let mut all = Vec::new();
    for name in [
        "system",
        "instructions",
        "systemInstruction",
        "messages",
        "input",
        "prompt",
        "contents",
    ] {
        gather(ask.get(name).unwrap_or(&Value::Null), &mut all);
    }
    all.join("\n\n")
}

fn gather<'a>(value: &'a Value, all: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => all.push(text),
        Value::Array(items) => items.iter().for_each(|item| gather(item, all)),
        Value::Object(fields) => ["content", "text", "parts"]
            .iter()
            .filter_map(|name| fields.get(*name))
            .for_each(|inner| gather(inner, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
