//! `hone sim`: the simulated provider as a process of its own.

use std::cell::Cell;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroU32;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use hone_strategies::simulation::TaskModel;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::signals::{By, Signals};
use super::status::Status;
use hone_sim::{Knobs, Latency, Profile, Sim, SimConfig};

/// Run a simulated provider of OpenAI, Anthropic and Gemini: no key, no network, no model.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SimArgs {
    /// Where to listen; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where all randomness comes from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Milliseconds before the head of every answer
    #[arg(long, value_name = "MS")]
    latency_ms: Option<u64>,
    /// How fast answers are written; without it, at once
    #[arg(long, value_name = "RATE")]
    tokens_per_second: Option<NonZeroU32>,
    /// How often arithmetic is answered right; without it, always
    #[arg(long, value_name = "P")]
    accuracy: Option<f64>,
    /// Speak as this provider does: what it refuses, in its words, and the forms of its answers
    #[arg(long, value_name = "NAME", value_parser = profile())]
    profile: Option<Profile>,
    /// Any other knobs, as a JSON object; `GET /sim/knobs` shows all of them
    #[arg(long, value_name = "JSON", value_parser = object)]
    knobs: Option<Map<String, Value>>,
}

/// Runs the simulated provider until SIGTERM or SIGINT.
///
/// # Errors
///
/// When the system refuses threads, signals or the address, or a knob is unknown.
pub(super) fn run(args: &SimArgs, out: &mut (impl Write + Send)) -> io::Result<Status> {
    Runtime::new()?.block_on(async {
        let mut signals = Signals::new()?;
        let ended = Cell::new(By::Supervisor);
        let end = async { ended.set(signals.end().await) };
        args.run(out, end).await?;
        Ok(ended.get().into())
    })
}

fn object(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_str(text)
}

/// A profile's name.
fn profile() -> impl TypedValueParser<Value = Profile> {
    let known = |name: String| Profile::ALL.into_iter().find(|known| known.name() == name);
    PossibleValuesParser::new(Profile::ALL.map(Profile::name))
        .try_map(move |name| known(name).ok_or("no profile has this name"))
}

impl SimArgs {
    /// What the arguments mean. Fails if `--knobs` names an unknown knob or gives one a wrong
    /// value.
    fn config(&self) -> serde_json::Result<SimConfig> {
        let latency = self
            .latency_ms
            .map_or(Latency::None, |ms| Latency::Constant { ms });
        let task = self.accuracy.map(|accuracy| TaskModel {
            seed: self.seed,
            accuracy,
            ..TaskModel::default()
        });
        let knobs = Knobs {
            profile: self.profile,
            latency,
            tokens_per_second: self.tokens_per_second,
            task,
            arithmetic: true,
            ..Knobs::default()
        };
        let knobs = knobs.patched(self.knobs.clone().unwrap_or_default())?;
        Ok(SimConfig {
            listen: self.listen,
            seed: self.seed,
            knobs,
            ..SimConfig::default()
        })
    }

    /// Serves until `stop` is ready, after telling `out` where.
    async fn run(
        &self,
        out: &mut (impl Write + Send),
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let config = self.config().map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("--knobs: {error}"))
        })?;
        let handle = Sim::start(config).await?;
        writeln!(
            out,
            "simulated provider: {} (models sim-small, sim-large; figures at http://{}/sim/stats)",
            handle.base_url(),
            handle.addr()
        )?;
        stop.await;
        handle.shutdown().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use hone_sim::UsageReport;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sim: SimArgs,
    }

    fn config(arguments: &[&str]) -> serde_json::Result<SimConfig> {
        Line::try_parse_from([&["sim"], arguments].concat())
            .unwrap()
            .sim
            .config()
    }

    #[test]
    fn flags_and_knobs_describe_one_provider() {
        let config = config(&[
            "--listen=127.0.0.1:0",
            "--seed=3",
            "--latency-ms=20",
            "--accuracy=0.7",
            "--profile=llama.cpp",
            r#"--knobs={"usage": false}"#,
        ])
        .unwrap();
        assert_eq!(config.knobs.latency, Latency::Constant { ms: 20 });
        assert_eq!(
            config.knobs.task.map(|task| (task.seed, task.accuracy)),
            Some((3, 0.7))
        );
        assert_eq!(config.knobs.profile, Some(Profile::LlamaCpp));
        assert_eq!(config.knobs.usage, UsageReport::Told(false));
    }

    #[test]
    fn an_unknown_knob_is_named() {
        assert!(
            config(&[r#"--knobs={"latencies": 1}"#])
                .unwrap_err()
                .to_string()
                .contains("latencies")
        );
        assert!(Line::try_parse_from(["sim", "--knobs=[]"]).is_err());
        let unknown = Line::try_parse_from(["sim", "--profile=gpt"]);
        let told = unknown.err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| told.contains("llama.cpp")));
    }

    #[tokio::test]
    async fn it_says_where_it_listens_and_ends_when_told() {
        let line = Line::try_parse_from(["sim", "--listen=127.0.0.1:0"]).unwrap();
        let mut out = Vec::new();
        line.sim
            .run(&mut out, std::future::ready(()))
            .await
            .unwrap();
        assert!(
            String::from_utf8(out)
                .unwrap()
                .starts_with("simulated provider: http://127.0.0.1:")
        );
    }
}
