//! A conversation that is too long to be read at once: what of it stays, and what is to be read in
//! pieces.
//!
//! Long texts are folded: their first lines and their last ones stay, since requests stand there,
//! and what lies between is material. If what stays is still too long, the oldest messages are
//! folded whole. Roles, images, tool calls and the order of messages stay as they are.

pub(crate) mod chunk;

use crate::chat::{ChatRequest, Message, view};

const PLACE: &str = include_str!("folding/place.txt");

/// What a token is taken to be, in bytes.
pub(crate) const BYTES_PER_TOKEN: usize = 4;
/// A text of more bytes may be folded on its own.
const LONG: usize = 4096;
/// Most bytes of a folded text's beginning and of its end that stay.
const OPENING: usize = 600;
const CLOSING: usize = 2048;
/// What parts a text from the question about it, as users of OptiLLM write it.
const DELIMITERS: [&str; 2] = ["<CONTEXT_END>", "Query:"];

/// A conversation with its long texts taken out.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The conversation with a remark in place of each text that was taken out.
    pub(crate) short: ChatRequest,
    /// What was taken out, in order.
    pub(crate) material: String,
    /// What is asked, as the last user message says it.
    pub(crate) question: String,
    task: usize,
    opening: String,
    closing: String,
}

/// A text of which the middle is taken out.
struct Folded<'a> {
    opening: &'a str,
    middle: &'a str,
    closing: &'a str,
}

impl Reading {
    /// Folds the conversation so that about `room` bytes stay at most. `None` if it has no more
    /// than that anyway, or if nobody asks anything.
    pub(crate) fn of(request: &ChatRequest, room: usize) -> Option<Self> {
        let mut messages = request.messages().to_vec();
        if size(&messages) <= room {
            return None;
        }
        let task = messages
            .iter()
            .rposition(|message| message.role() == "user")?;
        let mut taken: Vec<Option<String>> = vec![None; messages.len()];
        let text = messages.get(task)?.text().into_owned();
        let folded = Folded::question(&text);
        let (opening, closing) = (folded.opening.to_owned(), folded.closing.to_owned());
        for (at, (message, taken)) in messages.iter_mut().zip(&mut taken).enumerate() {
            let text = message.text().into_owned();
            let folded = match at {
                at if at == task => Folded::question(&text),
                _ if text.len() > LONG => Folded::of(&text),
                _ => continue,
            };
            if !folded.middle.is_empty() {
                *message = message.with_text(&folded.around(PLACE.trim()));
                *taken = Some(folded.middle.to_owned());
            }
        }
        let mut stays = size(&messages);
        for (at, (message, taken)) in messages.iter_mut().zip(&mut taken).enumerate() {
            let text = message.text().into_owned();
            let is_foldable = at != task
                && taken.is_none()
                && !is_instruction(message)
                && text.len() > PLACE.len();
            if stays > room && is_foldable {
                *message = message.with_text(PLACE.trim());
                stays -= text.len() - PLACE.trim().len();
                *taken = Some(text);
            }
        }
        let said = messages.iter().zip(taken).filter_map(|(message, taken)| {
            Some(format!("({})\n{}", message.role(), taken?.trim()))
        });
        let material = said.collect::<Vec<_>>().join("\n\n");
        let question = format!("{opening}\n{closing}").trim().to_owned();
        let short = request.with_messages(messages);
        (!material.is_empty()).then_some(Self {
            short,
            material,
            question,
            task,
            opening,
            closing,
        })
    }

    /// The short conversation, whose question is preceded by `findings`.
    pub(crate) fn informed(&self, findings: &str) -> ChatRequest {
        let mut messages = self.short.messages().to_vec();
        if let Some(task) = messages.get_mut(self.task) {
            let text = format!("{}\n\n{findings}\n\n{}", self.opening, self.closing);
            *task = task.with_text(text.trim());
        }
        self.short.with_messages(messages)
    }
}

/// The conversation without the delimiter that tells hone where the question begins: what a plain
/// call is given.
pub(crate) fn undelimited(request: &ChatRequest) -> ChatRequest {
    let Some(delimiter) = DELIMITERS.first() else {
        return request.clone();
    };
    let has = |message: &&Message| message.text().contains(delimiter);
    let Some(text) = view::task(request.messages())
        .filter(has)
        .map(|task| task.text().replace(delimiter, "\n\n"))
    else {
        return request.clone();
    };
    let last = request
        .messages()
        .iter()
        .rposition(|message| message.role() == "user");
    let replaced = |(at, message): (usize, &Message)| {
        if Some(at) == last {
            message.with_text(text.trim())
        } else {
            message.clone()
        }
    };
    request.with_messages(
        request
            .messages()
            .iter()
            .enumerate()
            .map(replaced)
            .collect::<Vec<_>>(),
    )
}

fn size(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.text().len()).sum()
}

fn is_instruction(message: &Message) -> bool {
    matches!(message.role(), "system" | "developer")
}

impl<'a> Folded<'a> {
    /// The text of the last user message: by its delimiter if it has one, else by its length.
    fn question(text: &'a str) -> Self {
        for delimiter in DELIMITERS {
            if let Some((middle, closing)) = text
                .rsplit_once(delimiter)
                .filter(|(_, closing)| !closing.trim().is_empty())
            {
                return Self {
                    opening: "",
                    middle: middle.trim(),
                    closing: closing.trim(),
                };
            }
        }
        if text.len() > LONG {
            Self::of(text)
        } else {
            Self {
                opening: "",
                middle: "",
                closing: text,
            }
        }
    }

    /// Keeps the first paragraph, line or sentence, and the last.
    fn of(text: &'a str) -> Self {
        let (opening, rest) = text.split_at_checked(opening(text)).unwrap_or(("", text));
        let (middle, closing) = rest.split_at_checked(closing(rest)).unwrap_or((rest, ""));
        Self {
            opening: opening.trim(),
            middle: middle.trim(),
            closing: closing.trim(),
        }
    }

    fn around(&self, place: &str) -> String {
        [self.opening, place, self.closing]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n\n")
    }
}

/// Where the part that opens `text` ends: a paragraph, else a line; none if it is too long to be an
/// instruction.
fn opening(text: &str) -> usize {
    let head = text
        .get(..text.floor_char_boundary(OPENING))
        .unwrap_or_default();
    head.find("\n\n").or_else(|| head.find('\n')).unwrap_or(0)
}

/// Where the part that closes `text` begins: its last paragraph, line or sentence.
fn closing(text: &str) -> usize {
    let text = text.trim_end();
    let from = text.ceil_char_boundary(text.len().saturating_sub(CLOSING));
    let tail = text.get(from..).unwrap_or_default();
    let begins = tail
        .rfind("\n\n")
        .or_else(|| tail.rfind('\n'))
        .or_else(|| chunk::last_sentence_end(tail));
    from + begins.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn reading(messages: Vec<Message>, room: usize) -> Option<Reading> {
        Reading::of(&ChatRequest::new("m", messages), room)
    }

    fn prose(words: usize) -> String {
        "The sea was calm that day. ".repeat(words / 6)
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert!(reading(vec![Message::user(prose(600))], 100_000).is_none());
        assert!(
            reading(vec![Message::system(prose(6000))], 10).is_none(),
            "nobody asks anything"
        );
    }

    #[test]
    fn the_question_is_found_behind_a_delimiter_in_the_last_paragraph_and_in_the_last_sentence() {
        for (joint, opening) in [
            ("\n<CONTEXT_END>\n", ""),
            ("\nQuery: ", ""),
            ("\n\n", ""),
            ("\n", ""),
            (" ", ""),
            ("\n\n", "Read this.\n\n"),
        ] {
            let text = format!("{opening}{}{joint}Who was on board?", prose(3000));
            let found = reading(vec![Message::user(text)], 5000).unwrap();
            assert!(
                found.question.ends_with("Who was on board?") && found.question.len() < 40,
                "{joint:?}: {}",
                found.question
            );
            assert!(found.material.starts_with("(user)\nThe sea") && found.material.len() > 10_000);
            assert_eq!(
                found.question.starts_with("Read this."),
                !opening.is_empty()
            );
        }
    }

    #[test]
    fn the_informed_question_keeps_roles_images_and_tool_calls() {
        let image = json!({"type": "image_url", "image_url": {"url": "u"}});
        let call =
            json!([{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
        let messages = vec![
            Message::system("be brief"),
            Message::user(prose(3000)),
            Message::new("assistant", serde_json::Value::Null).with("tool_calls", call.clone()),
            Message::new("tool", prose(3000)).with("tool_call_id", "t"),
            Message::user(vec![
                json!({"type": "text", "text": "And now?"}),
                image.clone(),
            ]),
        ];
        let found = reading(messages, 5000).unwrap();
        let informed = found.informed("NOTES");
        let roles: Vec<_> = informed.messages().iter().map(Message::role).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool", "user"]);
        assert_eq!(
            (
                informed.messages()[2].tool_calls(),
                informed.messages()[3].get("tool_call_id")
            ),
            (Some(&call), Some(&json!("t")))
        );
        assert_eq!(
            (
                informed.messages()[4].attachments(),
                informed.messages()[4].text()
            ),
            (vec![image], "NOTES\n\nAnd now?".into())
        );
        assert!(informed.messages()[3].text().len() < 3000);
        assert_eq!(found.question, "And now?");
    }

    #[test]
    fn many_short_turns_are_folded_from_the_oldest_on() {
        let turn = |at: usize| {
            if at.is_multiple_of(2) {
                Message::user(prose(300))
            } else {
                Message::assistant(prose(300))
            }
        };
        let found = reading((0..41).map(turn).collect(), 10_000).unwrap();
        assert!(
            found
                .short
                .messages()
                .iter()
                .map(|message| message.text().len())
                .sum::<usize>()
                <= 10_000
        );
        assert!(
            found.short.messages()[0].text().len() < 300
                && found.short.messages()[39].text().len() > 1000
        );
    }

    proptest! {
        #[test]
        fn no_text_is_lost(head in "[a-z\n. ]{0,900}", middle in "[a-z\n. é]{4000,6000}",
            tail in "[a-z\n. ]{0,900}") {
            let text = format!("{head}{middle}{tail}");
            let folded = Folded::of(&text);
            let whole: String = [folded.opening, folded.middle, folded.closing].concat();
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace())
                .collect::<String>();
            prop_assert_eq!(letters(&whole), letters(&text));
            prop_assert!(folded.opening.len() <= OPENING && folded.closing.len() <= CLOSING);
        }
    }
}
