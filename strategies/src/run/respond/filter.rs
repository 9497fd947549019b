//! Texts of which only a part is shown; among them answers without the fences that prompts have:
//! small models repeat what they read.

use crate::chat::Choice;
use crate::run::Run;

/// Shows a part of a text, piece by piece.
pub(crate) trait TextFilter: Send {
    /// What may be shown now that `text` has come.
    fn push(&mut self, text: &str) -> String;
    /// What may be shown now that nothing more comes.
    fn finish(&mut self, is_truncated: bool) -> String;
}

/// A longer line is no fence, in bytes.
const LONGEST: usize = 120;

/// Leaves out the lines of a text that carry one of the run's nonces. A line that may be a fence is
/// held back until it is known.
pub(super) struct Fenceless {
    nonces: Vec<String>,
    /// The line so far, as long as it may be a fence.
    held: Option<String>,
}

impl Fenceless {
    /// For what a model answers that may have read the run's fences; `None` if there are none.
    pub(super) fn of(run: &Run) -> Option<Self> {
        let nonces = run.nonces();
        (!nonces.is_empty()).then_some(Self {
            nonces,
            held: Some(String::new()),
        })
    }

    /// An answer without such lines.
    pub(super) fn clean(mut self, choice: Choice) -> Choice {
        let text = choice.message.text();
        if !self.is_fence(&text) {
            return choice;
        }
        let mut shown = self.push(&text);
        shown.push_str(&self.finish(false));
        Choice {
            message: choice.message.changed("content", shown.trim_end()),
            ..choice
        }
    }

    fn is_fence(&self, line: &str) -> bool {
        self.nonces.iter().any(|nonce| line.contains(nonce))
    }

    fn add(&mut self, c: char, shown: &mut String) {
        let Some(line) = &mut self.held else {
            shown.push(c);
            self.held = (c == '\n').then(String::new);
            return;
        };
        line.push(c);
        if c == '\n' {
            let line = std::mem::take(line);
            if !self.is_fence(&line) {
                shown.push_str(&line);
            }
        } else if !may_be_fence(line) {
            shown.push_str(line);
            self.held = None;
        }
    }
}

/// Whether a line that begins like this may be a fence, however it is marked up.
fn may_be_fence(begin: &str) -> bool {
    let bare = begin.trim_start_matches(|c: char| c.is_whitespace() || "*`>#-_".contains(c));
    begin.len() <= LONGEST && (bare.is_empty() || bare.starts_with('['))
}

impl TextFilter for Fenceless {
    fn push(&mut self, text: &str) -> String {
        let mut shown = String::new();
        text.chars().for_each(|c| self.add(c, &mut shown));
        shown
    }

    fn finish(&mut self, _is_truncated: bool) -> String {
        let held = self.held.take().unwrap_or_default();
        if self.is_fence(&held) {
            String::new()
        } else {
            held
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::Message;

    fn filter() -> Fenceless {
        Fenceless {
            nonces: vec!["7bbfa6761c0d".to_owned()],
            held: Some(String::new()),
        }
    }

    fn shown(pieces: &[&str]) -> String {
        let mut filter = filter();
        let mut shown: String = pieces.iter().map(|piece| filter.push(piece)).collect();
        shown.push_str(&filter.finish(false));
        shown
    }

    #[test]
    fn lines_with_a_nonce_are_left_out() {
        let text = "It is 4.\n[end of candidate 1 7bbfa6761c0d]\n**[x 7bbfa6761c0d]**\nSo [4].\n";
        assert_eq!(shown(&[text]), "It is 4.\nSo [4].\n");
        assert_eq!(shown(&["[end of user 7bbfa6761c0d]"]), "");
        let choice = Choice::new(Message::assistant(text), "stop");
        assert_eq!(filter().clean(choice).message.text(), "It is 4.\nSo [4].");
    }

    proptest! {
        #[test]
        fn everything_else_is_told_whatever_its_pieces(
            pieces in prop::collection::vec("[a \\[\\]\\n*]{0,9}", 0..20),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(shown(&pieces), pieces.concat());
        }
    }
}
