//! Nothing fails: every request is answered, what is charged is to the token what the provider
//! served, and no more calls are under way than may be.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::enter;
use crate::args::Args;
use crate::fatal::Fatal;
use crate::figures::{Metrics, Served, turn};
use crate::findings::Findings;
use crate::kind::Kind;
use crate::stage::{CONCURRENCY, Stage};
use crate::traffic::{Crowd, keys};
use crate::verdict::Weather;

pub(crate) async fn play(
    args: &Args,
    stage: &mut Stage,
    findings: &mut Findings,
) -> Result<(), Fatal> {
    // Tokens so short that hone's own count of several choices, which it takes if it is the larger
    // one, never is.
    let content = "a b c d e f g h i j k l m n o p";
    let latency = json!({"uniform": {"from_ms": 0, "to_ms": 6}});
    turn(
        stage.sim.address,
        &json!({"latency": latency, "tokens_per_second": 4000, "content": content}),
    )
    .await?;
    let before = (
        Metrics::of(stage.hone.admin).await?,
        Served::of(stage.sim.address).await?,
    );
    let crowd = Crowd {
        address: stage.hone.address,
        clients: args.clients,
        keys: keys(args.tenants),
        kinds: Kind::STEADY.to_vec(),
        weather: Weather::Fair,
        leaving: 0,
        until: Instant::now() + args.share(18),
        seed: args.seed,
        pause: Duration::ZERO,
    };
    let tally = crowd.run().await;
    let metrics = stage.settle(findings, "the calm").await?;
    let served = Served::of(stage.sim.address).await?;
    enter(findings, "calm", &tally);
    let charged = metrics.charged_tokens() - before.0.charged_tokens();
    let billed = served.tokens() - before.1.tokens();
    findings.note(format!(
        "calm: {charged} tokens charged, {billed} served in {} calls",
        served.calls() - before.1.calls()
    ));
    findings.check(charged == billed, || {
        format!("in the calm {charged} tokens were charged and {billed} were served")
    });
    let peak = served.count("peak_in_flight");
    findings.note(format!(
        "calm: at most {peak} calls at once, where {CONCURRENCY} may be"
    ));
    findings.check(peak <= CONCURRENCY, || {
        format!("{peak} calls at once at an upstream that takes {CONCURRENCY}")
    });
    Ok(())
}
