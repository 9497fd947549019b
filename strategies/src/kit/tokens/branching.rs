//! An answer and others that part from it at one token.
//!
//! The trunk is written as a stream with log probabilities. Where a place is found worth it, other
//! tokens that could have stood there are put behind what came before, and the model continues
//! each: at the same time, while the trunk goes on. So there is an answer whatever becomes of the
//! branches.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::chat::{Choice, Delta, Logprobs};
use crate::error::{Missing, StrategyError};
use crate::kit::tokens::confidence::{Alternative, ScoredToken, scored};
use crate::kit::tokens::decoding::{no_alternatives, speaks};
use crate::kit::tokens::prefill::Prefill;
use crate::non_empty::NonEmpty;
use crate::run::{Candidate, Observer, Run, SubCall, Watch};

/// Pieces of text without log probabilities after which none are expected.
const SILENT: u32 = 3;

/// One way to answer.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) candidate: Candidate,
    /// What the model wrote from the fork on; of the trunk everything. A token that was put there
    /// has no alternatives.
    pub(crate) tokens: Vec<ScoredToken>,
}

/// A place in the trunk.
struct Fork {
    before: Vec<Value>,
    text: String,
    own: String,
    alternatives: Vec<Alternative>,
}

/// The trunk and its branches, by number; the trunk is number 0.
pub(crate) struct Explored {
    pub(crate) paths: NonEmpty<Path>,
    /// Tokens of the trunk before the fork, if there is one.
    pub(crate) fork: Option<usize>,
}

/// Writes the trunk, and up to `width` − 1 branches where `find`, which is shown each token and the
/// text before it, first says so.
///
/// # Errors
///
/// The trunk's; and where log probabilities or continuation are missing, by name. Branches that
/// fail are missing.
pub(crate) async fn explore(
    run: &Run,
    call: &SubCall,
    width: u32,
    find: impl FnMut(&ScoredToken, &str) -> bool + Send,
) -> Result<Explored, StrategyError> {
    let (found, fork) = oneshot::channel();
    let trunk = async {
        // Owned here, so that a trunk that ends without a fork ends the waiting for one.
        let mut scout = Scout {
            find,
            found: Some(found),
            tokens: Vec::new(),
            entries: Vec::new(),
            text: String::new(),
            pieces: 0,
        };
        let watched = run.watch(call, 0, &mut scout).await;
        (watched, scout.tokens, scout.pieces)
    };
    let branches = async {
        let Ok(fork) = fork.await else {
            return Ok((None, Vec::new()));
        };
        let paths: Result<Vec<Path>, StrategyError> = branch(run, call, width, &fork).await;
        paths.map(|paths| (Some(fork.before.len()), paths))
    };
    let ((watched, tokens, pieces), branches) = join(trunk, branches).await;
    let watched = watched?;
    if tokens.is_empty() && pieces > 0 {
        return Err(no_alternatives(run, &call.request));
    }
    let (fork, branches) = branches?;
    let mut paths = NonEmpty::one(Path {
        candidate: Candidate {
            index: 0,
            choice: watched.choice,
            usage: Some(watched.usage),
        },
        tokens,
    });
    paths.extend(branches);
    Ok(Explored { paths, fork })
}

async fn branch(
    run: &Run,
    call: &SubCall,
    width: u32,
    fork: &Fork,
) -> Result<Vec<Path>, StrategyError> {
    let others = usable(fork)
        .take(width.saturating_sub(1) as usize)
        .collect::<Vec<_>>();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let prefill = match Prefill::of(run, &call.request).await {
        Ok(Some(prefill)) => prefill,
        Ok(None) => return Err(StrategyError::Unsupported(Missing::Continuation)),
        Err(error) => {
            run.degrade(error.reason());
            return Ok(Vec::new());
        }
    };
    let branching = Branching {
        run,
        call,
        prefill,
        fork,
    };
    let paths = (1..)
        .zip(others)
        .map(|(index, other)| branching.follow(index, other));
    let mut done = Vec::new();
    for path in join_all(paths).await {
        match path {
            Ok(path) => done.push(path),
            Err(error) => run.degrade(error.reason()),
        }
    }
    Ok(done)
}

/// The other tokens that text can go on with: no ends and other signs to the machine, no halves of
/// characters, nothing blank, each once.
fn usable(fork: &Fork) -> impl Iterator<Item = &Alternative> {
    let is_text = |text: &str| {
        let is_sign = text.len() > 2 && text.starts_with('<') && text.ends_with('>');
        !text.trim().is_empty() && !is_sign && !text.contains(char::REPLACEMENT_CHARACTER)
    };
    let mut seen = vec![fork.own.as_str()];
    fork.alternatives.iter().filter(move |other| {
        let is_new = is_text(&other.text) && !seen.contains(&other.text.as_str());
        seen.push(&other.text);
        is_new
    })
}

/// Where branches begin, and what with.
struct Branching<'a> {
    run: &'a Run,
    call: &'a SubCall,
    prefill: Prefill,
    fork: &'a Fork,
}

impl Branching<'_> {
    /// Has the answer continued behind `other`.
    async fn follow(&self, index: u32, other: &Alternative) -> Result<Path, StrategyError> {
        let begun = format!("{}{}", self.fork.text, other.text);
        let continuation = self.prefill.call(self.call, &begun);
        let continued = self.run.candidate(&continuation.call, index).await?;
        let Candidate { choice, usage, .. } = continued;
        let put = ScoredToken {
            text: other.text.clone(),
            logprob: Some(other.logprob),
            top: Vec::new(),
        };
        let added = choice.logprobs.as_ref().map(scored).unwrap_or_default();
        let text = format!("{begun}{}", continuation.added(&choice.message.text()));
        let logprobs = spliced(self.fork, other, choice.logprobs.as_ref());
        let choice = Choice {
            message: choice.message.with("content", text),
            logprobs,
            ..choice
        };
        let tokens = std::iter::once(put).chain(added).collect();
        Ok(Path {
            candidate: Candidate {
                index,
                choice,
                usage,
            },
            tokens,
        })
    }
}

/// The log probabilities of a branch's whole text.
fn spliced(fork: &Fork, other: &Alternative, added: Option<&Logprobs>) -> Option<Logprobs> {
    let added = added.filter(|added| added.count("content") > 0)?;
    let put = json!({"token": other.text, "logprob": other.logprob, "top_logprobs": []});
    let before = fork.before.iter().cloned().chain([put]);
    Some(Logprobs::of_content(before.chain(added.entries("content"))))
}

struct Scout<F> {
    find: F,
    found: Option<oneshot::Sender<Fork>>,
    tokens: Vec<ScoredToken>,
    entries: Vec<Value>,
    text: String,
    pieces: u32,
}

impl<F: FnMut(&ScoredToken, &str) -> bool + Send> Scout<F> {
    fn pass(&mut self, token: ScoredToken) {
        if self.found.is_some()
            && token.top.len() >= 2
            && (self.find)(&token, &self.text)
            && let Some(found) = self.found.take()
        {
            let before = self
                .entries
                .iter()
                .take(self.tokens.len())
                .cloned()
                .collect();
            let fork = Fork {
                before,
                text: self.text.clone(),
                own: token.text.clone(),
                alternatives: token.top.clone(),
            };
            // Nobody waits any more only if the run is being dropped.
            drop(found.send(fork));
        }
        self.text.push_str(&token.text);
        self.tokens.push(token);
    }
}

impl<F: FnMut(&ScoredToken, &str) -> bool + Send> Observer for Scout<F> {
    fn see(&mut self, delta: &Delta) -> Watch {
        if let Some(logprobs) = &delta.logprobs {
            self.entries.extend(logprobs.entries("content"));
            for token in scored(logprobs) {
                self.pass(token);
            }
        }
        self.pieces += u32::from(speaks(delta));
        if self.tokens.is_empty() && self.pieces >= SILENT {
            Watch::Stop
        } else {
            Watch::GoOn
        }
    }
}
