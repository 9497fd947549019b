//! What a run will take, told before anything is asked.

use std::collections::HashMap;
use std::io::{self, Write};

use hone_strategies::{ChatRequest, Expr, PlanLimits, plan};

use crate::endpoint::Tokens;
use crate::journal::{Answered, SAMPLE, Task};
use crate::prices::Prices;
use crate::runner::Job;
use crate::settings::{Entrant, Settings};

/// Tokens of an answer where nothing bounds it: what the strategies reserve.
const OUTPUT: u64 = 500;

/// What asking will take.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) lines: Vec<Line>,
}

/// What one approach, or the samples of the baseline, will take.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Line {
    pub(crate) model: String,
    pub(crate) title: String,
    /// Requests that are still to be made.
    pub(crate) requests: u64,
    pub(crate) calls: u64,
    pub(crate) tokens: u64,
    /// Nothing if a price is missing.
    pub(crate) cost: Option<f64>,
    /// Whether it rests on answers that are there already.
    pub(crate) is_measured: bool,
}

/// What one request takes.
#[derive(Debug, Clone, Copy, Default)]
struct Each {
    calls: f64,
    input: f64,
    output: f64,
}

impl Each {
    fn tokens(self) -> f64 {
        self.input + self.output
    }
}

/// What is known while estimating.
pub(crate) struct Estimator<'a> {
    pub(crate) settings: &'a Settings,
    /// The answers that are there.
    pub(crate) known: &'a HashMap<Task, Answered>,
}

impl Estimator<'_> {
    /// A line for `jobs`, all of one model and entrant.
    pub(crate) fn line(&self, model: &str, entrant: &Entrant, jobs: &[&Job<'_>]) -> Line {
        let open: Vec<_> = jobs.iter().filter(|job| !self.is_done(job)).collect();
        let measured = self.measured(model, &entrant.title);
        let mut sum = Each::default();
        for job in &open {
            let each = measured.unwrap_or_else(|| planned(entrant, job));
            sum.calls += each.calls;
            sum.input += each.input;
            sum.output += each.output;
        }
        Line {
            model: model.to_owned(),
            title: entrant.title.clone(),
            requests: open.len() as u64,
            calls: whole(sum.calls),
            tokens: whole(sum.tokens()),
            cost: self.cost(model, entrant, sum),
            is_measured: measured.is_some(),
        }
    }

    /// The samples of the baseline for as many questions as `plain` has requests: as many each as
    /// the dearest of `lines` would buy.
    pub(crate) fn samples(&self, plain: &Line, lines: &[Line]) -> Option<Line> {
        let most = self.settings.baseline_samples;
        let of_one = |line: &Line| ratio(line.tokens, line.requests);
        let each = Some(of_one(plain)).filter(|each| most > 0 && *each > 0.0)?;
        let dearest = lines.iter().map(of_one).fold(each, f64::max);
        let samples = (dearest / each).ceil().clamp(1.0, f64::from(most));
        let is_drawn = |task: &&Task| task.approach == SAMPLE && task.model == plain.model;
        let drawn = self.known.keys().filter(is_drawn).count();
        let wanted = whole_to_float(plain.requests) * samples;
        let requests = (wanted - whole_to_float(drawn as u64)).max(0.0);
        let times = requests / whole_to_float(plain.requests.max(1));
        Some(Line {
            model: plain.model.clone(),
            title: "plain samples".to_owned(),
            requests: whole(requests),
            calls: whole(requests),
            tokens: whole(requests * each),
            cost: plain.cost.map(|cost| cost * times),
            is_measured: plain.is_measured,
        })
    }

    fn is_done(&self, job: &Job<'_>) -> bool {
        let known = self.known.get(&job.task);
        known.is_some_and(|answered| answered.error.is_none())
    }

    /// What an answer of `title` has taken so far.
    fn measured(&self, model: &str, title: &str) -> Option<Each> {
        let of_title = |(task, answered): &(&Task, &Answered)| {
            task.model == model && task.approach == title && answered.right.is_some()
        };
        let answers: Vec<&Answered> = self
            .known
            .iter()
            .filter(of_title)
            .map(|(_, answered)| answered)
            .collect();
        let mean = |figure: fn(&Answered) -> u64| {
            let sum: u64 = answers.iter().map(|answered| figure(answered)).sum();
            ratio(sum, answers.len() as u64)
        };
        (!answers.is_empty()).then(|| Each {
            calls: mean(|answered| answered.calls),
            input: mean(|answered| answered.input_tokens),
            output: mean(|answered| answered.output_tokens),
        })
    }

    /// By the dearest of the models that may be asked.
    fn cost(&self, model: &str, entrant: &Entrant, sum: Each) -> Option<f64> {
        let prices: &Prices = &self.settings.prices;
        let of = |model: &str| {
            let tokens = Tokens::new(whole(sum.input), 0, whole(sum.output));
            prices.cost_of(model, tokens)
        };
        let panel: Vec<Option<f64>> = entrant.panel().map(of).collect();
        [of(model)]
            .into_iter()
            .chain(panel)
            .try_fold(0.0, |most: f64, cost| Some(most.max(cost?)))
    }
}

/// What the approach says that it needs for a request.
fn planned(entrant: &Entrant, job: &Job<'_>) -> Each {
    let request = ChatRequest::parse(job.body.to_string().as_bytes()).ok();
    let plain = || Each {
        calls: 1.0,
        input: request.as_ref().map_or(0.0, |request| {
            whole_to_float(request.estimated_prompt_tokens())
        }),
        output: whole_to_float(OUTPUT),
    };
    let planned = || {
        let expr = Expr::parse(&entrant.approach).ok()?;
        let plan = plan(&expr, &entrant.params, &PlanLimits::default()).ok()?;
        let demand = plan.demand(request.as_ref()?);
        // Calls that ask for several answers at once write several.
        let input = u64::from(demand.calls).saturating_mul(demand.input_tokens);
        let output = demand.total_tokens.saturating_sub(input);
        Some(Each {
            calls: f64::from(demand.calls),
            input: whole_to_float(demand.total_tokens.saturating_sub(output)),
            output: whole_to_float(output),
        })
    };
    planned().unwrap_or_else(plain)
}

impl Estimate {
    /// Everything together.
    pub(crate) fn sum(&self) -> Line {
        let mut sum = Line {
            title: "in all".to_owned(),
            cost: Some(0.0),
            ..Line::default()
        };
        for line in &self.lines {
            sum.requests += line.requests;
            sum.calls += line.calls;
            sum.tokens += line.tokens;
            sum.cost = sum.cost.zip(line.cost).map(|(sum, cost)| sum + cost);
        }
        sum
    }

    /// In one sentence, before a run.
    pub(crate) fn sentence(&self) -> String {
        let Line {
            requests,
            calls,
            tokens,
            cost,
            ..
        } = self.sum();
        let cost = cost.map_or_else(String::new, |cost| format!(", cost {cost:.4}"));
        format!("Estimate: {requests} requests, {calls} calls, {tokens} tokens{cost}.")
    }

    /// As a table.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let width = self
            .lines
            .iter()
            .map(|line| line.title.chars().count())
            .max();
        let width = width.unwrap_or(0).max("approach".len());
        let mut model = "";
        for line in &self.lines {
            if line.model != model {
                model = &line.model;
                let [requests, calls, tokens, cost] = ["requests", "calls", "tokens", "cost"];
                writeln!(
                    out,
                    "{model}\n{:width$}  {requests:>9}  {calls:>9}  {tokens:>12}  {cost:>10}",
                    "approach"
                )?;
            }
            writeln!(out, "{}", row(line, width))?;
        }
        writeln!(out, "{}\n", row(&self.sum(), width))?;
        writeln!(
            out,
            "What has been answered is not asked again. Where nothing has, an answer is taken to \
                have {OUTPUT} tokens, or --max-tokens if those are fewer, and each call to cost \
                what the dearest of its models does."
        )
    }
}

fn row(line: &Line, width: usize) -> String {
    let cost = line
        .cost
        .map_or_else(|| "–".to_owned(), |cost| format!("{cost:.4}"));
    format!(
        "{:width$}  {:>9}  {:>9}  {:>12}  {cost:>10}",
        line.title, line.requests, line.calls, line.tokens
    )
}

fn ratio(above: u64, below: u64) -> f64 {
    if below == 0 {
        return 0.0;
    }
    whole_to_float(above) / whole_to_float(below)
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
const fn whole_to_float(figure: u64) -> f64 {
    figure as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest number that fits"
)]
fn whole(figure: f64) -> u64 {
    figure.round() as u64
}
