//! Puts the additions of a streamed answer in order, for dialects whose blocks come one after
//! another.
//!
//! In a chat stream the arguments of several tool calls may come in turns, and a text between them.
//! Anthropic's blocks, OpenAI's output items and Google's parts have a beginning and an end, and
//! nothing stands between the two. [`Blocks`] opens one at a time. A block of another kind closes
//! the one before it; a call stays open until its arguments are a whole object, or the answer ends,
//! and what comes for others is held back until then. Blocks are numbered 0, 1, 2 without a gap,
//! and nothing that is empty opens one.

use std::collections::VecDeque;

use serde_json::Value;

mod object;

use object::Object;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the model thought.
    Reasoning,
    /// Why it will not answer.
    Refusal,
    /// The answer.
    Text,
    /// The call with this number among the answer's.
    Tool(u32),
}

/// An addition to an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece<'a> {
    /// A block as its maker wrote it: the whole of what was added to the block of this kind that is
    /// open, or one of its own.
    Native(Option<Kind>, Value),
    /// Text for a block of this kind, which is not a tool.
    Text(Kind, &'a str),
    /// A part of a call. Id and name come once, with or before the arguments.
    Tool {
        /// Its number.
        index: u32,
        /// Its id.
        id: Option<&'a str>,
        /// Its tool.
        name: Option<&'a str>,
        /// More of its arguments.
        arguments: &'a str,
    },
}

/// What an encoder writes.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A block begins.
    Open {
        /// Its number.
        block: usize,
        /// What it will hold.
        kind: Kind,
        /// Of a call the id, which may be empty, and the tool's name.
        call: Option<(String, String)>,
    },
    /// More of the block that is open.
    Append {
        /// Its number.
        block: usize,
        /// What it holds.
        kind: Kind,
        /// What is added; never empty.
        text: String,
    },
    /// The block that is open ends.
    Close {
        /// Its number.
        block: usize,
        /// What it holds.
        kind: Kind,
        /// The block as its maker wrote it.
        native: Option<Value>,
    },
    /// A block that begins and ends here.
    Whole {
        /// Its number.
        block: usize,
        /// What it is.
        native: Value,
    },
}

/// More is held back than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch;

/// What something that is held back takes beside its text, in bytes.
const HELD: usize = 256;

/// Puts additions in order. See the [module](self).
#[derive(Debug)]
pub struct Blocks {
    open: Option<Open>,
    next: usize,
    held: VecDeque<Held>,
    held_bytes: usize,
    max_held_bytes: usize,
    /// Calls that have ended.
    ended: Vec<u32>,
}

#[derive(Debug)]
struct Open {
    block: usize,
    kind: Kind,
    /// Of a call.
    arguments: Object,
}

/// What waits for a call to end.
#[derive(Debug)]
enum Held {
    Call(Call),
    Native(Option<Kind>, Value),
    Text(Kind, String),
}

#[derive(Debug, Default)]
struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

impl Blocks {
    /// Nothing yet. At most about `max_held_bytes` are held back.
    pub fn new(max_held_bytes: usize) -> Self {
        Self {
            open: None,
            next: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            max_held_bytes,
            ended: Vec::new(),
        }
    }

    /// Whether a call has begun.
    pub fn has_calls(&self) -> bool {
        let mut held = self.held.iter();
        !self.ended.is_empty()
            || self.is_calling()
            || held.any(|held| matches!(held, Held::Call(_)))
    }

    /// The call that is open.
    pub fn open_call(&self) -> Option<u32> {
        match self.open.as_ref()?.kind {
            Kind::Tool(index) => Some(index),
            Kind::Reasoning | Kind::Refusal | Kind::Text => None,
        }
    }

    /// How many blocks have begun.
    pub fn count(&self) -> usize {
        self.next
    }

    /// Adds `piece`; what may be written now goes to `steps`.
    ///
    /// # Errors
    ///
    /// More would have to be held back than may be. The answer cannot go on.
    pub fn push(&mut self, piece: Piece<'_>, steps: &mut Vec<Step>) -> Result<(), TooMuch> {
        if self.is_waiting() {
            return self.while_waiting(piece, steps);
        }
        match piece {
            Piece::Native(kind, value) => self.native(kind, value, steps),
            Piece::Text(kind, text) => self.text(kind, text, steps),
            Piece::Tool { index, .. } if self.ended.contains(&index) => {}
            Piece::Tool {
                index,
                id,
                name,
                arguments,
            } => {
                self.hold_call(index, id, name, arguments)?;
                self.drain(steps, Until::Incomplete);
            }
        }
        Ok(())
    }

    /// The end of the answer: closes what is open and gives what was held back.
    pub fn finish(&mut self, steps: &mut Vec<Step>) {
        self.close(None, steps);
        self.drain(steps, Until::End);
    }

    /// Whether something must come before anything else is written.
    fn is_waiting(&self) -> bool {
        !self.held.is_empty() || self.is_calling()
    }

    /// Whether a call is open.
    fn is_calling(&self) -> bool {
        let is_tool = |open: &Open| matches!(open.kind, Kind::Tool(_));
        self.open.as_ref().is_some_and(is_tool)
    }

    fn while_waiting(&mut self, piece: Piece<'_>, steps: &mut Vec<Step>) -> Result<(), TooMuch> {
        match piece {
            Piece::Tool {
                index, arguments, ..
            } if self.is_open(index) => {
                self.append(arguments, steps);
                self.go_on(steps);
                Ok(())
            }
            Piece::Tool { index, .. } if self.ended.contains(&index) => Ok(()),
            Piece::Tool {
                index,
                id,
                name,
                arguments,
            } => {
                self.hold_call(index, id, name, arguments)?;
                self.go_on(steps);
                Ok(())
            }
            Piece::Native(kind, value) => self.hold_native(kind, value, steps),
            Piece::Text(_, "") => Ok(()),
            Piece::Text(kind, text) => {
                match self.held.back_mut() {
                    Some(Held::Text(last, held)) if *last == kind => held.push_str(text),
                    _ => {
                        self.held.push_back(Held::Text(kind, text.to_owned()));
                        self.charge(HELD)?;
                    }
                }
                self.charge(text.len())
            }
        }
    }

    /// Writes what was held back unless a call is open.
    fn go_on(&mut self, steps: &mut Vec<Step>) {
        if !self.is_calling() {
            self.drain(steps, Until::Incomplete);
        }
    }

    fn is_open(&self, index: u32) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.kind == Kind::Tool(index))
    }

    fn hold_native(
        &mut self,
        kind: Option<Kind>,
        value: Value,
        steps: &mut Vec<Step>,
    ) -> Result<(), TooMuch> {
        // A call is said already; its block says that it is whole.
        if let Some(Kind::Tool(index)) = kind {
            if self.is_open(index) {
                self.close(None, steps);
                self.drain(steps, Until::Incomplete);
            }
            return Ok(());
        }
        self.charge(HELD.saturating_add(value.to_string().len()))?;
        self.held.push_back(Held::Native(kind, value));
        Ok(())
    }

    /// Adds to the call that waits, or makes it one.
    fn hold_call(
        &mut self,
        index: u32,
        id: Option<&str>,
        name: Option<&str>,
        arguments: &str,
    ) -> Result<(), TooMuch> {
        let (id, name) = (id.unwrap_or_default(), name.unwrap_or_default());
        self.charge(id.len() + name.len() + arguments.len())?;
        let mut calls = self.held.iter_mut().filter_map(|held| match held {
            Held::Call(call) => Some(call),
            Held::Native(..) | Held::Text(..) => None,
        });
        if let Some(call) = calls.find(|call| call.index == index) {
            // Some servers say both again with each piece.
            if call.id.is_empty() {
                id.clone_into(&mut call.id);
            }
            if call.name.is_empty() {
                name.clone_into(&mut call.name);
            }
            call.arguments.push_str(arguments);
            return Ok(());
        }
        self.charge(HELD)?;
        self.held.push_back(Held::Call(Call {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        }));
        Ok(())
    }

    fn charge(&mut self, bytes: usize) -> Result<(), TooMuch> {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        if self.held_bytes > self.max_held_bytes {
            return Err(TooMuch);
        }
        Ok(())
    }

    /// Writes what was held back, in its order, as far as nothing has to be waited for.
    fn drain(&mut self, steps: &mut Vec<Step>, until: Until) {
        while let Some(held) = self.held.pop_front() {
            match held {
                Held::Call(call) if until == Until::Incomplete && call.name.is_empty() => {
                    self.held.push_front(Held::Call(call));
                    return;
                }
                Held::Call(call) => {
                    self.start(call, steps);
                    if until == Until::End {
                        self.close(None, steps);
                    } else if self.open.is_some() {
                        break;
                    }
                }
                Held::Native(kind, value) => self.native(kind, value, steps),
                Held::Text(kind, text) => self.text(kind, &text, steps),
            }
        }
        if until == Until::End {
            self.close(None, steps);
        }
        if self.held.is_empty() {
            self.held_bytes = 0;
        }
    }

    fn start(&mut self, call: Call, steps: &mut Vec<Step>) {
        let kind = Kind::Tool(call.index);
        self.begin(kind, Some((call.id, call.name)), steps);
        self.append(&call.arguments, steps);
    }

    fn text(&mut self, kind: Kind, text: &str, steps: &mut Vec<Step>) {
        if text.is_empty() {
            return;
        }
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.begin(kind, None, steps);
        }
        if let Some(Open { block, kind, .. }) = &self.open {
            steps.push(Step::Append {
                block: *block,
                kind: *kind,
                text: text.to_owned(),
            });
        }
    }

    /// Adds to the arguments of the call that is open, and closes it at their end.
    fn append(&mut self, arguments: &str, steps: &mut Vec<Step>) {
        let Some(open) = &mut self.open else {
            return;
        };
        let end = open.arguments.push(arguments);
        let said = arguments.get(..end.unwrap_or(arguments.len()));
        let said = said.unwrap_or(arguments);
        if !said.is_empty() {
            steps.push(Step::Append {
                block: open.block,
                kind: open.kind,
                text: said.to_owned(),
            });
        }
        if end.is_some() {
            self.close(None, steps);
        }
    }

    fn native(&mut self, kind: Option<Kind>, value: Value, steps: &mut Vec<Step>) {
        let open = self.open.as_ref().map(|open| open.kind);
        match kind {
            Some(Kind::Tool(_)) => {}
            Some(kind) if open == Some(kind) => self.close(Some(value), steps),
            _ => {
                self.close(None, steps);
                let block = self.number();
                steps.push(Step::Whole {
                    block,
                    native: value,
                });
            }
        }
    }

    fn begin(&mut self, kind: Kind, call: Option<(String, String)>, steps: &mut Vec<Step>) {
        self.close(None, steps);
        let block = self.number();
        self.open = Some(Open {
            block,
            kind,
            arguments: Object::default(),
        });
        steps.push(Step::Open { block, kind, call });
    }

    fn number(&mut self) -> usize {
        let number = self.next;
        self.next += 1;
        number
    }

    fn close(&mut self, native: Option<Value>, steps: &mut Vec<Step>) {
        let Some(Open { block, kind, .. }) = self.open.take() else {
            return;
        };
        if let Kind::Tool(index) = kind {
            self.ended.push(index);
        }
        steps.push(Step::Close {
            block,
            kind,
            native,
        });
    }
}

/// How far what was held back is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// All of it: nothing more comes.
    End,
    /// Up to a call whose rest is still to come.
    Incomplete,
}

#[cfg(test)]
mod tests;
