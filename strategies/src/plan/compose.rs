//! Approaches of several strategies: `a&b` and `a|b`.
//!
//! `a|b`: both run at the same time, one choice each; one that fails is absent. `a&b`: if `a` only
//! transforms the request, `b` gets the new one; if `a` answers, `b` sees the original
//! conversation, that answer as a draft, and the wish for a better one. If `b` then fails, the
//! draft is the answer.
//!
//! Choices are numbered before anything runs, so that branches can stream side by side.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use crate::chat::{ChatRequest, view};
use crate::demand::Demand;
use crate::error::StrategyError;
use crate::model::Purpose;
use crate::run::{Answer, Run, SubCall};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Support};

const IMPROVE: &str = include_str!("compose/improve.txt");

/// A planned expression.
#[derive(Clone)]
pub(crate) enum Node {
    Parallel(Vec<Self>),
    Sequence(Vec<Self>),
    Stage(Stage),
}

/// A planned strategy.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) entry: &'static Entry,
    pub(crate) strategy: DynStrategy,
}

/// Where a node stands in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// Something follows.
    Inner,
    /// What it makes is the client's.
    Last,
}

/// What each branch made, with the number of its choice.
type Branches<T> = Vec<(u32, Result<T, StrategyError>)>;

impl Node {
    /// Choices that it makes of one request.
    pub(crate) fn width(&self) -> u32 {
        match self {
            Self::Parallel(parts) => parts.iter().map(Self::width).sum(),
            Self::Sequence(parts) => width(parts),
            Self::Stage(_) => 1,
        }
    }

    /// Adds the models that it names to `names`, each once.
    pub(crate) fn models<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Parallel(parts) | Self::Sequence(parts) => {
                for part in parts {
                    part.models(names);
                }
            }
            Self::Stage(stage) => {
                for name in stage.strategy.models() {
                    if !names.contains(&name.as_str()) {
                        names.push(name);
                    }
                }
            }
        }
    }

    /// What it needs if it stands at `position`.
    pub(crate) fn demand(&self, request: &ChatRequest, position: Position) -> Demand {
        match self {
            Self::Parallel(parts) => parts
                .iter()
                .map(|part| part.demand(request, position))
                .fold(Demand::default(), Demand::beside),
            Self::Sequence(parts) => {
                let mut width = 1;
                let mut whole = Demand::default();
                for (index, part) in parts.iter().enumerate() {
                    let position = if index + 1 == parts.len() {
                        position
                    } else {
                        Position::Inner
                    };
                    whole = whole.then(part.demand(request, position).times(width));
                    width *= part.width();
                }
                whole
            }
            Self::Stage(stage) => stage.demand(request, position),
        }
    }

    /// Whether it cannot run without a solver.
    pub(crate) fn needs_solver(&self) -> bool {
        match self {
            Self::Parallel(parts) | Self::Sequence(parts) => parts.iter().any(Self::needs_solver),
            Self::Stage(stage) => stage.strategy.needs_solver(),
        }
    }

    /// Runs it as the last step: what it makes is the client's.
    pub(crate) fn last<'a>(
        &'a self,
        run: &'a Run,
        request: ChatRequest,
        choice: u32,
    ) -> BoxFuture<'a, Branches<Answer>> {
        match self {
            Self::Parallel(parts) => {
                let runs = numbered(parts, choice)
                    .map(|(part, choice)| part.last(run, request.clone(), choice))
                    .collect::<Vec<_>>();
                async { join_all(runs).await.into_iter().flatten().collect() }.boxed()
            }
            Self::Sequence(parts) => last_of_sequence(parts, run, request, choice),
            Self::Stage(stage) => {
                async move { vec![(choice, stage.last(run, &request, choice).await)] }.boxed()
            }
        }
    }

    /// Runs it as a step before another: the client sees nothing. `stride` choices follow from each
    /// of its branches.
    fn step<'a>(
        &'a self,
        run: &'a Run,
        request: ChatRequest,
        choice: u32,
        stride: u32,
    ) -> BoxFuture<'a, Branches<Output>> {
        match self {
            Self::Parallel(parts) => {
                let mut at = choice;
                let mut runs = Vec::new();
                for part in parts {
                    runs.push(part.step(run, request.clone(), at, stride));
                    at += part.width() * stride;
                }
                async { join_all(runs).await.into_iter().flatten().collect() }.boxed()
            }
            Self::Sequence(parts) => step_of_sequence(parts, run, request, choice, stride),
            Self::Stage(stage) => async move {
                vec![(
                    choice,
                    stage
                        .execute(&run.child(stage.entry.slug, choice), &request)
                        .await,
                )]
            }
            .boxed(),
        }
    }
}

/// Choices that a sequence makes of one request.
fn width(parts: &[Node]) -> u32 {
    parts.iter().map(Node::width).product()
}

fn numbered(parts: &[Node], first: u32) -> impl Iterator<Item = (&Node, u32)> {
    let mut next = first;
    parts.iter().map(move |part| {
        let choice = next;
        next += part.width();
        (part, choice)
    })
}

fn last_of_sequence<'a>(
    parts: &'a [Node],
    run: &'a Run,
    request: ChatRequest,
    choice: u32,
) -> BoxFuture<'a, Branches<Answer>> {
    let Some((first, rest)) = parts.split_first() else {
        return async { Vec::new() }.boxed();
    };
    if rest.is_empty() {
        return first.last(run, request, choice);
    }
    async move {
        let made = first.step(run, request.clone(), choice, width(rest)).await;
        let continued = made
            .into_iter()
            .map(|(choice, output)| continue_last(rest, run, &request, choice, output));
        join_all(continued).await.into_iter().flatten().collect()
    }
    .boxed()
}

/// Runs `rest` on what a branch made. If `rest` fails, the branch's own answer is given.
async fn continue_last(
    rest: &[Node],
    run: &Run,
    original: &ChatRequest,
    choice: u32,
    output: Result<Output, StrategyError>,
) -> Branches<Answer> {
    let (next, draft) = match output {
        Err(error) => return vec![(choice, Err(error))],
        Ok(Output::Request(next)) => return last_of_sequence(rest, run, next, choice).await,
        Ok(Output::Answer(draft)) => (with_draft(original, &draft), draft),
    };
    let mut made = match next {
        Some(next) => last_of_sequence(rest, run, next, choice).await,
        None => Vec::new(),
    };
    let is_lost = |result: &Result<Answer, StrategyError>| {
        result.as_ref().is_err_and(|error| !error.is_final())
    };
    if made.iter().all(|(_, result)| is_lost(result)) {
        run.degrade("draft");
        made.iter()
            .filter_map(|(_, result)| result.as_ref().err())
            .for_each(|error| run.degrade(error.reason()));
        let answer = run
            .child("draft", choice)
            .aloud()
            .emit(draft.choice, draft.usage)
            .await;
        made = vec![(choice, answer)];
    }
    made
}

fn step_of_sequence<'a>(
    parts: &'a [Node],
    run: &'a Run,
    request: ChatRequest,
    choice: u32,
    stride: u32,
) -> BoxFuture<'a, Branches<Output>> {
    let Some((first, rest)) = parts.split_first() else {
        return async { Vec::new() }.boxed();
    };
    if rest.is_empty() {
        return first.step(run, request, choice, stride);
    }
    async move {
        let made = first
            .step(run, request.clone(), choice, width(rest) * stride)
            .await;
        let continued = made.into_iter().map(|(choice, output)| {
            let next = match output {
                Ok(Output::Answer(draft)) => {
                    with_draft(&request, &draft).ok_or(Ok(Output::Answer(draft)))
                }
                Ok(Output::Request(next)) => Ok(next),
                Err(error) => Err(Err(error)),
            };
            async move {
                match next {
                    Ok(next) => step_of_sequence(rest, run, next, choice, stride).await,
                    Err(end) => vec![(choice, end)],
                }
            }
        });
        join_all(continued).await.into_iter().flatten().collect()
    }
    .boxed()
}

/// The conversation with an answer and the wish for a better one; `None` if the answer calls tools,
/// which only the client can run.
fn with_draft(request: &ChatRequest, draft: &Answer) -> Option<ChatRequest> {
    let message = &draft.choice.message;
    let text = message.text();
    if message.tool_calls().is_some() || text.trim().is_empty() {
        return None;
    }
    Some(request.with_messages(view::with_turn(request.messages(), &text, IMPROVE.trim())))
}

impl Stage {
    fn demand(&self, request: &ChatRequest, position: Position) -> Demand {
        if self.unsupported(request).is_some() {
            return Demand::answer(request);
        }
        let demand = self.strategy.demand(request);
        match (position, self.entry.makes) {
            (Position::Last, Makes::Request) => demand.then(Demand::answer(request)),
            (Position::Inner, _) | (_, Makes::Answer) => demand,
        }
    }

    /// What the client asks for and this strategy would lose.
    fn unsupported(&self, request: &ChatRequest) -> Option<&'static str> {
        let loses = |support: Support, is_wanted: bool| support == Support::Loses && is_wanted;
        if loses(self.entry.tools, request.uses_tools()) {
            return Some("tools");
        }
        loses(self.entry.audio, request.wants_audio()).then_some("audio")
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if let Some(lost) = self.unsupported(request) {
            run.degrade(lost);
            return Ok(plain(run, request).await?.into());
        }
        self.strategy.execute(run, request).await
    }

    async fn last(
        &self,
        run: &Run,
        request: &ChatRequest,
        choice: u32,
    ) -> Result<Answer, StrategyError> {
        let run = run.child(self.entry.slug, choice).aloud();
        match self.execute(&run, request).await? {
            Output::Answer(answer) => Ok(*answer),
            Output::Request(request) => plain(&run, &request).await,
        }
    }
}

/// Asks once, as the client did. Few stages do, so what that takes is boxed apart from what all
/// stages hold.
fn plain<'a>(
    run: &'a Run,
    request: &'a ChatRequest,
) -> BoxFuture<'a, Result<Answer, StrategyError>> {
    let call = SubCall::answer(request, Purpose::Final);
    run.respond(call).boxed()
}
