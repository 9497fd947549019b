//! How much a body asks for: how long an answer may be, how many there are to be, and whether their
//! use is told.

use hone_strategies::chat::count;

use super::{Envelope, EnvelopeError, Field, elements, is_given, is_same, members, utf8};
use crate::api::endpoint::Kind;

impl Envelope<'_> {
    /// The most output tokens per choice that the endpoint may take the body for: the largest of
    /// the bounds that it reads, in any spelling. Providers ignore the others, and which of two
    /// they obey differs. Where there is none, or one is no count (-1 means no bound to some), it
    /// is at least `expected`.
    pub(crate) fn most_output(&self, kind: Kind, expected: impl FnOnce() -> u64) -> u64 {
        let own = match kind {
            Kind::Chat => [self.max_completion_tokens, self.max_tokens],
            Kind::Completions | Kind::Messages => [self.max_tokens, None],
            Kind::GenerateContent | Kind::Responses | Kind::StreamGenerateContent => {
                [self.max_output_tokens, None]
            }
            Kind::CountInput
            | Kind::CountMessages
            | Kind::CountTokens
            | Kind::Embeddings
            | Kind::Models
            | Kind::Other => [None, None],
        };
        let known = own.into_iter().flatten();
        let least = known.clone().min().unwrap_or(0);
        let most = known.chain(self.misspelled_bound).max().unwrap_or(0);
        if least == 0 || self.misspelled_bound == Some(0) {
            most.max(expected())
        } else {
            most
        }
    }

    /// Checks that no server can read the fields that say how much is wanted as more than hone
    /// does, nor make more when nobody looks: numbers and switches that are written as neither
    /// (`"n": "6_4"`, `"stream": 1`), and an answer in the background without a bound.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::WrongType`] naming the field.
    pub(crate) fn tells_amounts(&self, kind: Kind) -> Result<(), EnvelopeError> {
        let is_bounded = self.max_output_tokens.is_some_and(|most| most > 0);
        let (field, expected) = match self.unclear {
            Some(Field::Stream) => (Field::Stream, "true or false"),
            Some(field) => (field, "a whole number, in digits"),
            // Nobody counts what is made after the request has ended.
            None if kind == Kind::Responses && self.background && !is_bounded => {
                (Field::MaxOutputTokens, "given where `background` is true")
            }
            None => return Ok(()),
        };
        Err(EnvelopeError::WrongType {
            name: field.name(),
            expected,
        })
    }

    /// The same where each call is made from the body, and hone looks at a field's own spelling
    /// only.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::WrongType`] naming the field.
    pub(crate) fn tells_amounts_by_name(&self, kind: Kind) -> Result<(), EnvelopeError> {
        let misspelled = self.misspelled.map(|field| EnvelopeError::WrongType {
            name: field.name(),
            expected: "spelled exactly so",
        });
        misspelled.map_or_else(|| self.tells_amounts(kind), Err)
    }

    /// How many choices are made for each prompt, whether they are given back or not.
    pub(crate) fn choices_made(&self) -> u64 {
        self.n.max(self.best_of).unwrap_or(1).max(1)
    }

    /// Reads a field that says how much is wanted, given in its own spelling or another one.
    pub(super) fn read_amount(
        &mut self,
        field: Field,
        is_exact: bool,
        value: &str,
    ) -> Result<(), EnvelopeError> {
        if !is_exact {
            self.misspelled = Some(field);
        }
        let is_clear = match field {
            Field::Stream => {
                self.stream = switch(value);
                self.stream.is_some()
            }
            Field::StreamOptions => {
                // Servers that read it in another spelling are few, and the others report nothing.
                self.include_usage = include_usage(value)?.filter(|_| is_exact);
                true
            }
            Field::BestOf => {
                self.best_of = count(value);
                self.best_of.is_some()
            }
            Field::N => {
                self.n = count(value);
                self.n.is_some()
            }
            _ => {
                let bound = bound(value);
                let place = match field {
                    Field::MaxCompletionTokens if is_exact => &mut self.max_completion_tokens,
                    Field::MaxOutputTokens if is_exact => &mut self.max_output_tokens,
                    Field::MaxTokens if is_exact => &mut self.max_tokens,
                    // It may raise what is reserved, but not lower it: few servers obey.
                    _ => &mut self.misspelled_bound,
                };
                *place = (*place).max(bound);
                count(value).is_some() || is_negative(value)
            }
        };
        if !is_clear && is_given(value) {
            self.unclear = Some(field);
        }
        Ok(())
    }
}

fn switch(value: &str) -> Option<bool> {
    value.parse().ok()
}

/// A bound on tokens: 0 if it is given and is none that can be relied on.
pub(super) fn bound(value: &str) -> Option<u64> {
    is_given(value).then(|| count(value).unwrap_or(0))
}

/// Whether this is a negative number: to servers no bound, or a mistake.
pub(super) fn is_negative(value: &str) -> bool {
    value
        .strip_prefix('-')
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How many prompts a body for `completions` has: one, or one for each element of a list of texts
/// or of token lists. Of several fields `prompt` the one with most counts.
pub(crate) fn prompts(body: &[u8]) -> u64 {
    let mut most = 1;
    let found = utf8(body).and_then(|text| {
        members(text, |member| {
            if is_same(&member.name(), "prompt") {
                most = in_prompt(member.value).max(most);
            }
            Ok(())
        })
    });
    // What is no object has no prompt either.
    found.map_or(1, |()| most)
}

fn in_prompt(prompt: &str) -> u64 {
    let (mut count, mut are_prompts) = (0, false);
    let found = elements(prompt, |element| {
        are_prompts |= count == 0 && element.starts_with(['"', '[']);
        count += 1;
        Ok(())
    });
    if found.is_ok() && are_prompts {
        count
    } else {
        1
    }
}

/// `include_usage` of the object `options`, in this spelling; anything but an object has none.
fn include_usage(options: &str) -> Result<Option<bool>, EnvelopeError> {
    const NAME: &str = "include_usage";
    if !options.starts_with('{') {
        return Ok(None);
    }
    let mut found = None;
    members(options, |member| {
        let name = member.name();
        if !is_same(&name, NAME) {
            return Ok(());
        }
        match found.replace(switch(member.value).filter(|_| name == NAME)) {
            None => Ok(()),
            Some(_) => Err(EnvelopeError::DuplicateField {
                name: format!("stream_options.{NAME}"),
            }),
        }
    })?;
    Ok(found.flatten())
}
