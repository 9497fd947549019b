//! One of several answers to choose from.

use crate::chat::{Choice, Usage};
use crate::non_empty::NonEmpty;
use crate::reasoning;

/// One of several answers.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Its number, by the order in which they were asked for.
    pub(crate) index: u32,
    pub(crate) choice: Choice,
    /// What making it took; its own share where one call made several.
    pub(crate) usage: Option<Usage>,
}

/// Several answers to choose from, and at least one.
pub(crate) type Candidates = NonEmpty<Candidate>;

impl Candidate {
    /// What it says, without its reasoning.
    pub(crate) fn text(&self) -> String {
        reasoning::strip(&self.choice.message.text())
            .trim()
            .to_owned()
    }

    /// Whether it is a whole answer: not cut off, filtered, refused or empty.
    pub(crate) fn is_sound(&self) -> bool {
        let message = &self.choice.message;
        let ended_well = !matches!(
            self.choice.finish_reason.as_deref(),
            Some("length" | "content_filter")
        );
        ended_well
            && message.refusal().is_none()
            && (message.tool_calls().is_some() || !self.text().is_empty())
    }
}
