//! A model, and a solver, that say what a text says, in turn.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hone_strategies::chat::{Choice, Chunk, Delta, Message, Usage};
use hone_strategies::model::{Call, ChunkStream, Fact, Rejection};
use hone_strategies::smt::Script;
use hone_strategies::{ChatRequest, Completion, Model, ModelError, Solver, SolverError};

/// Ends a reply.
const BETWEEN_REPLIES: &str = "\n---\n";
/// Ends a choice of a reply that has several.
const BETWEEN_CHOICES: &str = "\n+++\n";

/// Gives the replies of a text, one for each call, and begins anew when they are used up.
///
/// A reply that begins with `!` is an error: `!429`, then headers, an empty line and a body;
/// `!late` and `!gone` are a timeout and a lost connection. One that is the JSON of a completion is
/// that completion. Any other is the text of an answer.
#[derive(Debug)]
pub struct Told {
    replies: Vec<Result<Completion, ModelError>>,
    /// What a solver prints: the texts themselves.
    texts: Vec<String>,
    next: AtomicUsize,
    solved: AtomicUsize,
    /// Characters of a piece of a streamed answer.
    piece: usize,
    calls: AtomicU32,
}

impl Told {
    /// The replies that `text` holds.
    pub fn new(text: &str) -> Self {
        let texts: Vec<String> = text.split(BETWEEN_REPLIES).map(str::to_owned).collect();
        let replies = texts.iter().map(|text| reply(text)).collect();
        let (next, solved, calls) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU32::new(0));
        Self {
            replies,
            texts,
            next,
            solved,
            piece: text.len() % 7 + 1,
            calls,
        }
    }

    /// Calls so far.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether every reply is an answer.
    pub fn is_sound(&self) -> bool {
        self.replies.iter().all(|reply| {
            reply
                .as_ref()
                .is_ok_and(|completion| !completion.choices.is_empty())
        })
    }

    fn reply(&self) -> Result<Completion, ModelError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.replies.len();
        self.replies[at].clone()
    }

    fn chunks(&self, completion: Completion) -> Vec<Result<Chunk, ModelError>> {
        let mut chunks = Vec::new();
        for choice in completion.choices {
            let mut fields = choice.message.fields().clone();
            if let Some(text) = choice
                .message
                .get("content")
                .and_then(|content| content.as_str())
            {
                let letters: Vec<char> = text.chars().collect();
                let pieces = letters
                    .chunks(self.piece)
                    .map(|piece| Delta::content(piece.iter().collect::<String>()));
                chunks.extend(pieces.map(|delta| Chunk::of(choice.index, delta)));
                fields.shift_remove("content");
            }
            let last = Delta {
                fields,
                finish_reason: choice.finish_reason,
                logprobs: choice.logprobs,
                ..Delta::default()
            };
            chunks.push(Chunk::of(choice.index, last));
        }
        chunks.push(Chunk {
            usage: completion.usage,
            ..Chunk::default()
        });
        chunks.into_iter().map(Ok).collect()
    }
}

fn reply(text: &str) -> Result<Completion, ModelError> {
    match text.strip_prefix('!') {
        Some(error) => Err(failure(error)),
        None => {
            Ok(Completion::parse(text.as_bytes()).unwrap_or_else(|_no_completion| spoken(text)))
        }
    }
}

fn spoken(text: &str) -> Completion {
    let choice = |(text, index): (&str, u32)| Choice {
        index,
        ..Choice::new(Message::assistant(text), "stop")
    };
    let choices: Vec<Choice> = text.split(BETWEEN_CHOICES).zip(0..).map(choice).collect();
    Completion {
        usage: Some(Usage::new(10, choices.len() as u64)),
        choices,
        ..Completion::default()
    }
}

fn failure(text: &str) -> ModelError {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let (status, headers) = head.split_once('\n').unwrap_or((head, ""));
    let status = match status.trim() {
        "late" => return ModelError::TimedOut,
        "gone" => {
            return ModelError::Unavailable {
                message: "reset".to_owned(),
                reached: true,
            };
        }
        status => status.parse().unwrap_or(500),
    };
    let header = |line: &str| {
        line.split_once(':')
            .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<_> = headers.lines().filter_map(header).collect();
    let wait = headers
        .iter()
        .find(|(name, _)| name == "retry-after")
        .and_then(|(_, seconds)| Duration::try_from_secs_f64(seconds.parse().ok()?).ok());
    let rejection = Rejection::new(status, headers, body.to_owned().into()).asking_to_wait(wait);
    let rejection = Box::new(rejection);
    if status == 429 {
        ModelError::RateLimited(rejection)
    } else {
        ModelError::Rejected(rejection)
    }
}

impl Model for Told {
    fn complete<'a>(
        &'a self,
        _request: &'a ChatRequest,
        _call: Call,
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        async { self.reply() }.boxed()
    }

    fn stream<'a>(
        &'a self,
        _request: &'a ChatRequest,
        _call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        async { Ok(stream::iter(self.chunks(self.reply()?)).boxed()) }.boxed()
    }

    fn knows(&self, _model: &str, _fact: Fact) -> Option<bool> {
        None
    }

    fn learn(&self, _model: &str, _fact: Fact, _value: bool) {}
}

impl Solver for Told {
    fn solve<'a>(
        &'a self,
        _script: &'a Script,
        _limit: Duration,
    ) -> BoxFuture<'a, Result<String, SolverError>> {
        let at = self.solved.fetch_add(1, Ordering::Relaxed) % self.texts.len();
        async move { Ok(self.texts[at].clone()) }.boxed()
    }
}
