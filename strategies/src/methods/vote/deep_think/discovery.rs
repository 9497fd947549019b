//! SELF-DISCOVER: choosing ways of thinking, fitting them to the task, and making a structure of
//! them.

use serde_json::{Value, json};

use crate::contract;
use crate::error::StrategyError;
use crate::kit::case::Case;
use crate::model::Purpose;
use crate::reasoning;
use crate::run::Run;

const MODULES: &str = include_str!("modules.txt");
const ROLE: &str = include_str!("role.txt");
const SELECT: &str = include_str!("select.txt");
const ADAPT: &str = include_str!("adapt.txt");
const IMPLEMENT: &str = include_str!("implement.txt");

/// Taken where the model makes no readable choice: parts, evidence, the decisive issue, step by
/// step, a plan.
const USUAL: [usize; 5] = [9, 10, 16, 38, 39];

/// The structure by which the task is to be worked on, as indented JSON. Three calls, one after the
/// other.
///
/// # Errors
///
/// That of the first call. Whatever comes later is replaced by something general.
pub(super) async fn discover(
    run: &Run,
    case: &Case<'_>,
    limit: usize,
) -> Result<String, StrategyError> {
    let modules: Vec<&str> = MODULES
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let listed: Vec<String> = (1..)
        .zip(&modules)
        .map(|(number, module)| format!("{number}. {module}"))
        .collect();
    let wanted = SELECT
        .trim()
        .replace("{limit}", &limit.to_string())
        .replace("{modules}", &listed.join("\n"));
    let reply = ask(run, case, 0, &wanted).await?.unwrap_or_default();
    let selected = selection(&reply, modules.len(), limit).unwrap_or_else(|| {
        run.note("modules", "not readable");
        USUAL.to_vec()
    });
    run.note("modules", selected.clone());
    let chosen: Vec<&str> = selected
        .iter()
        .filter_map(|number| modules.get(number.checked_sub(1)?).copied())
        .collect();
    let general = numbered(chosen.iter().copied());

    let adapted = ask_on(run, case, 1, &general, ADAPT)
        .await
        .as_deref()
        .and_then(list)
        .unwrap_or_else(|| general.clone());
    let structure = ask_on(run, case, 2, &adapted, IMPLEMENT)
        .await
        .as_deref()
        .and_then(object);
    let structure = structure.unwrap_or_else(|| {
        run.note("structure", "not readable");
        usual_structure()
    });
    Ok(serde_json::to_string_pretty(&structure).unwrap_or_default())
}

/// Like [`ask`] about some material; an error is told, and is no reply.
async fn ask_on(
    run: &Run,
    case: &Case<'_>,
    index: u32,
    material: &str,
    wanted: &str,
) -> Option<String> {
    let wanted = format!(
        "{}\n\n{}",
        case.fence("ways of thinking", material),
        wanted.trim()
    );
    ask(run, case, index, &wanted)
        .await
        .inspect_err(|error| run.degrade(error.reason()))
        .ok()
        .flatten()
}

/// A reply without its reasoning; `None` if it was cut off.
async fn ask(
    run: &Run,
    case: &Case<'_>,
    index: u32,
    wanted: &str,
) -> Result<Option<String>, StrategyError> {
    let call = case
        .call(Purpose::Plan, ROLE, &[], wanted)
        .set("temperature", 0.3);
    let reply = run.complete_one(call, index).await?;
    Ok((!reply.is_truncated()).then(|| reasoning::strip(&reply.message.text()).trim().to_owned()))
}

/// The numbers in the last line that announces them, else in the last list in brackets; different
/// ones in range, at most `limit`.
fn selection(reply: &str, count: usize, limit: usize) -> Option<Vec<usize>> {
    let label = contract::MODULES
        .split_once('<')
        .map_or("", |(label, _)| label)
        .trim()
        .to_lowercase();
    let plain = |line: &str| {
        line.chars()
            .filter(|c| !"*_`#".contains(*c))
            .collect::<String>()
            .trim()
            .to_lowercase()
    };
    let announced = reply
        .lines()
        .rev()
        .find_map(|line| Some(plain(line).strip_prefix(&label)?.to_owned()));
    let bracketed = || Some(reply.rsplit_once('[')?.1.split_once(']')?.0.to_owned());
    let text = announced.or_else(bracketed)?;
    let mut numbers: Vec<usize> = Vec::new();
    for number in text
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
    {
        if (1..=count).contains(&number) && !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers.truncate(limit);
    (!numbers.is_empty()).then_some(numbers)
}

fn numbered<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    (1..)
        .zip(lines)
        .map(|(number, line): (usize, _)| format!("{number}. {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The numbered lines of a reply; `None` if it has none.
fn list(reply: &str) -> Option<String> {
    let item = |line: &str| {
        let line = line.trim().trim_start_matches(['*', '-', ' ']);
        let text = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let text = text
            .strip_prefix(['.', ')'])
            .filter(|_| text.len() < line.len())?
            .trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let items: Vec<String> = reply.lines().filter_map(item).collect();
    (!items.is_empty()).then(|| numbered(items.iter().map(String::as_str)))
}

/// The first JSON object of a reply that has members, wherever it stands in it.
fn object(reply: &str) -> Option<Value> {
    reply.match_indices('{').take(64).find_map(|(at, _)| {
        let mut values = serde_json::Deserializer::from_str(reply.get(at..)?).into_iter::<Value>();
        let value = values.next()?.ok()?;
        value
            .as_object()
            .is_some_and(|members| !members.is_empty())
            .then_some(value)
    })
}

fn usual_structure() -> Value {
    json!({
        "understanding": "what is given, what is asked, which conditions hold",
        "approach": "which method fits, and why",
        "steps": "the method carried out, one step after the other",
        "check": "the result compared with every condition, or found in another way",
        "answer": "what was asked for",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn there_are_thirty_nine_ways_of_thinking() {
        assert_eq!(MODULES.lines().count(), 39);
        assert!(
            SELECT.contains(contract::MODULES)
                && IMPLEMENT.contains(contract::STRUCTURE)
                && ADAPT.contains(contract::ADAPTED)
        );
    }

    #[test]
    fn a_selection_is_read_in_every_form_that_models_write() {
        for reply in [
            "Because.\nModules: 9, 38, 2",
            "**Modules:** [9, 38, 2]",
            "modules: 9 38 and 2, 9, 99, 0",
            "I choose [9, 38, 2]",
        ] {
            assert_eq!(selection(reply, 39, 7), Some(vec![9, 38, 2]), "{reply}");
        }
        assert_eq!(selection("Modules: 1 2 3 4", 39, 3), Some(vec![1, 2, 3]));
        for reply in ["", "All of them.", "Modules: none", "Modules: 77"] {
            assert_eq!(selection(reply, 39, 7), None, "{reply}");
        }
    }

    #[test]
    fn lists_and_structures_are_found_between_other_words() {
        assert_eq!(
            list("Sure:\n1. **Look** at x\n- 2) Weigh y\n\nDone.").as_deref(),
            Some("1. **Look** at x\n2. Weigh y")
        );
        assert_eq!(list("No list, only 3.5 of them"), None);
        assert_eq!(
            object("Here {}: ```json\n{\"a\": {\"b\": 1}}\n``` and {\"c\": 2}"),
            Some(json!({"a": {"b": 1}}))
        );
        for reply in ["{'a': 1}", "{\"a\": ", "[1]", ""] {
            assert_eq!(object(reply), None, "{reply}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_makes_reading_panic(reply in "(Modules:|[0-9]|\\[|\\]|\\{|\\}|\"|:|\n\
            |\\PC){0,40}") {
            prop_assert!(selection(&reply, 39, 7).is_none_or(|found| found.len() <= 7));
            let _read = (list(&reply), object(&reply));
        }
    }
}
