//! What a request was in the dialect that it came in, where OpenAI's chat form cannot say all
//! of it.

use serde_json::{Map, Value};

use super::native::Dialect;

/// What a request says beside its chat form. It goes out again only in its own dialect.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The client's dialect.
    pub dialect: Dialect,
    /// The version of the API that the client asked for, as its header says.
    pub version: Option<String>,
    /// The features in trial that the client asked for, as its header says.
    pub beta: Option<String>,
    /// The fields of the body that have no chat name.
    pub fields: Map<String, Value>,
    /// The tools as the client wrote them, if chat cannot say all of them.
    pub tools: Vec<Value>,
    /// What becomes of the parts that other dialects cannot carry.
    pub fates: Vec<Fate>,
    /// What the client wants to see.
    pub wishes: Wishes,
}

/// What becomes of a part of a request that no other dialect can carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The part's path, as the client writes it: `messages.3.content.1.source`.
    pub path: String,
    /// What is done where the request goes out in another dialect.
    pub end: End,
}

/// How a part of a request ends that cannot be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is left out, and the answer says so.
    Degrade,
    /// It is left out. It concerns cost or telemetry alone.
    Quiet,
    /// The request is refused with this sentence.
    Refuse(String),
}

/// What a client wants to see beside the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// A stream as one JSON array, where the dialect has such.
    pub array: bool,
    /// What the model thought.
    pub reasoning: bool,
    /// Reasoning that only its provider can read, to be given back.
    pub encrypted: bool,
}

impl Origin {
    /// A request in `dialect` of which chat can say everything.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            version: None,
            beta: None,
            fields: Map::new(),
            tools: Vec::new(),
            fates: Vec::new(),
            wishes: Wishes::default(),
        }
    }

    /// Says that the part at `path` ends like this in any other dialect.
    pub fn fate(&mut self, path: impl Into<String>, end: End) {
        self.fates.push(Fate {
            path: path.into(),
            end,
        });
    }
}
