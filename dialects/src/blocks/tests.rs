use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::*;

fn tool<'a>(index: u32, name: &'a str, arguments: &'a str) -> Piece<'a> {
    Piece::Tool {
        index,
        id: Some("id").filter(|_| !name.is_empty()),
        name: Some(name).filter(|name| !name.is_empty()),
        arguments,
    }
}

/// The steps as words: `+` opens, `-` closes.
fn words(pieces: Vec<Piece<'_>>) -> Vec<String> {
    let mut blocks = Blocks::new(1 << 20);
    let mut steps = Vec::new();
    for piece in pieces {
        blocks.push(piece, &mut steps).unwrap();
    }
    blocks.finish(&mut steps);
    let word = |step: &Step| match step {
        Step::Open { block, kind, .. } => format!("+{block} {kind:?}"),
        Step::Append { text, .. } => text.clone(),
        Step::Close { block, native, .. } if native.is_some() => format!("-{block} native"),
        Step::Close { block, .. } => format!("-{block}"),
        Step::Whole { block, native } => format!("={block} {native}"),
    };
    steps.iter().map(word).collect()
}

#[test]
fn parallel_calls_whose_arguments_come_in_turns_stand_one_after_another() {
    let steps = words(vec![
        tool(0, "f", "{\"a\":"),
        tool(1, "g", "{\"b\":1}"),
        tool(0, "", "2}"),
    ]);
    let expected = [
        "+0 Tool(0)",
        "{\"a\":",
        "2}",
        "-0",
        "+1 Tool(1)",
        "{\"b\":1}",
        "-1",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn the_first_words_of_a_block_are_not_lost_and_nothing_empty_opens_one() {
    let steps = words(vec![
        Piece::Text(Kind::Text, ""),
        Piece::Text(Kind::Reasoning, "hm"),
        Piece::Text(Kind::Text, ""),
        Piece::Text(Kind::Text, "Hi"),
        Piece::Text(Kind::Reasoning, "late"),
    ]);
    let expected = [
        "+0 Reasoning",
        "hm",
        "-0",
        "+1 Text",
        "Hi",
        "-1",
        "+2 Reasoning",
        "late",
        "-2",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_text_between_the_pieces_of_a_call_comes_after_it() {
    let steps = words(vec![
        tool(0, "f", "{"),
        Piece::Text(Kind::Text, "a"),
        Piece::Text(Kind::Text, "b"),
        tool(0, "", "}"),
        Piece::Text(Kind::Text, "c"),
    ]);
    assert_eq!(
        steps,
        ["+0 Tool(0)", "{", "}", "-0", "+1 Text", "ab", "c", "-1"]
    );
}

#[test]
fn a_call_without_arguments_ends_with_the_answer() {
    assert_eq!(words(vec![tool(0, "f", "")]), ["+0 Tool(0)", "-0"]);
    let two = words(vec![tool(0, "f", ""), tool(1, "g", "{}")]);
    assert_eq!(two, ["+0 Tool(0)", "-0", "+1 Tool(1)", "{}", "-1"]);
    let told = words(vec![
        tool(0, "f", ""),
        Piece::Native(Some(Kind::Tool(0)), json!({})),
        Piece::Text(Kind::Text, "a"),
    ]);
    assert_eq!(told, ["+0 Tool(0)", "-0", "+1 Text", "a", "-1"]);
}

#[test]
fn a_call_waits_for_its_name_and_repeated_names_say_nothing_new() {
    let steps = words(vec![
        tool(0, "", "{"),
        tool(0, "f", ""),
        tool(0, "f", "}"),
        tool(0, "f", ""),
    ]);
    assert_eq!(steps, ["+0 Tool(0)", "{", "}", "-0"]);
    let steps = words(vec![
        Piece::Text(Kind::Text, "a"),
        tool(0, "", "{}"),
        tool(0, "f", ""),
    ]);
    assert_eq!(steps, ["+0 Text", "a", "-0", "+1 Tool(0)", "{}", "-1"]);
}

#[test]
fn a_signature_closes_the_thinking_that_it_signs() {
    let steps = words(vec![
        Piece::Text(Kind::Reasoning, "hm"),
        Piece::Native(Some(Kind::Reasoning), json!(1)),
        Piece::Native(Some(Kind::Reasoning), json!(2)),
        Piece::Native(None, json!(3)),
    ]);
    assert_eq!(steps, ["+0 Reasoning", "hm", "-0 native", "=1 2", "=2 3"]);
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut blocks = Blocks::new(1000);
    let mut steps = Vec::new();
    blocks.push(tool(0, "f", "{"), &mut steps).unwrap();
    let text = Piece::Text(Kind::Text, "0123456789");
    let pushed: Vec<_> = (0..1000)
        .map(|_| blocks.push(text.clone(), &mut steps))
        .collect();
    assert!(pushed.contains(&Err(TooMuch)));
    let mut calls = (1..100).map(|index| blocks.push(tool(index, "", ""), &mut steps));
    assert!(calls.any(|result| result.is_err()));
}

/// An addition as a property makes it.
#[derive(Debug, Clone)]
enum Added {
    Text(Kind, String),
    Tool(u32, usize),
}

fn any_additions() -> impl Strategy<Value = Vec<Added>> {
    let kinds = select(vec![Kind::Reasoning, Kind::Refusal, Kind::Text]);
    let text = (kinds, "[a-c]{0,3}").prop_map(|(kind, text)| Added::Text(kind, text));
    let tool = (0_u32..3, 1_usize..9).prop_map(|(index, length)| Added::Tool(index, length));
    prop::collection::vec(prop_oneof![text, tool], 0..40)
}

const ARGUMENTS: [&str; 3] = [r#"{"a":"}"}"#, r#"{"b":[{"c":1}]}"#, "{}"];

/// Pushes additions, the calls' arguments in pieces; gives the steps, and what was said of each
/// kind and call.
fn pushed(additions: &[Added]) -> (Vec<Step>, Vec<(Kind, String)>) {
    let mut blocks = Blocks::new(1 << 20);
    let (mut steps, mut said) = (Vec::new(), Vec::<(Kind, String)>::new());
    let mut told = [0_usize; 3];
    for added in additions {
        let (kind, text) = match added {
            Added::Text(kind, text) => {
                blocks.push(Piece::Text(*kind, text), &mut steps).unwrap();
                (*kind, text.as_str())
            }
            Added::Tool(index, length) => {
                let at = *index as usize;
                let begin = told[at];
                let end = (begin + length).min(ARGUMENTS[at].len());
                told[at] = end;
                let name = if begin == 0 { "f" } else { "" };
                let more = ARGUMENTS[at].get(begin..end).unwrap();
                blocks.push(tool(*index, name, more), &mut steps).unwrap();
                (Kind::Tool(*index), more)
            }
        };
        match said.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, all)) => all.push_str(text),
            None => said.push((kind, text.to_owned())),
        }
    }
    blocks.finish(&mut steps);
    (steps, said)
}

proptest! {
    #[test]
    fn no_token_is_lost_whichever_block_it_begins(additions in any_additions()) {
        let (steps, said) = pushed(&additions);
        for (kind, text) in said {
            let out = steps.iter().filter_map(|step| match step {
                Step::Append { kind: of, text, .. } if *of == kind => Some(text.as_str()),
                _ => None,
            });
            prop_assert_eq!(out.collect::<String>(), text);
        }
    }

    #[test]
    fn blocks_stand_one_after_another_without_a_gap(additions in any_additions()) {
        let (steps, _) = pushed(&additions);
        let (mut open, mut next) = (None, 0);
        for step in &steps {
            match step {
                Step::Open { block, kind, .. } => {
                    prop_assert_eq!((open, *block), (None, next));
                    open = Some((*block, *kind));
                    next += 1;
                }
                Step::Append { block, kind, text } => {
                    prop_assert_eq!(open, Some((*block, *kind)));
                    prop_assert!(!text.is_empty());
                }
                Step::Close { block, kind, .. } => {
                    prop_assert_eq!(open.take(), Some((*block, *kind)));
                }
                Step::Whole { .. } => prop_assert!(false, "nothing was native"),
            }
        }
        prop_assert_eq!(open, None);
        let calls = additions.iter().filter_map(|added| match added {
            Added::Tool(index, _) => Some(*index),
            Added::Text(..) => None,
        });
        let calls = calls.collect::<std::collections::BTreeSet<_>>().len();
        let opened = steps.iter().filter(|step| matches!(step, Step::Open { call: Some(_), .. }));
        prop_assert_eq!(opened.count(), calls, "each call has one block");
    }
}
