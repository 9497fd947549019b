//! `kill -9` under load: the provider's calls end with the process, and a new one comes back with
//! its configuration. Lost are requests under way, what limits had counted, and the last lines of
//! the log.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::enter;
use crate::args::Args;
use crate::fatal::Fatal;
use crate::figures::{Served, model_list, turn};
use crate::findings::Findings;
use crate::kind::Kind;
use crate::process::Program;
use crate::stage::Stage;
use crate::traffic::{Crowd, keys};
use crate::verdict::Weather;

pub(crate) async fn play(
    args: &Args,
    stage: &mut Stage,
    findings: &mut Findings,
) -> Result<(), Fatal> {
    turn(
        stage.sim.address,
        &json!({"latency": {"constant": {"ms": 50}}, "tokens_per_second": 100}),
    )
    .await?;
    let crowd = Crowd {
        address: stage.hone.address,
        clients: args.clients.min(64),
        keys: keys(args.tenants),
        kinds: Kind::STEADY.to_vec(),
        weather: Weather::Ending,
        leaving: 0,
        until: Instant::now() + Duration::from_secs(2),
        seed: args.seed + 3,
        pause: Duration::from_millis(20),
    };
    let (tally, restarted) = tokio::join!(crowd.run(), restart(stage, findings));
    restarted?;
    enter(findings, "killed and restarted", &tally);
    let models = model_list(stage.hone.address).await?;
    findings.check(models.contains(&stage.newest_model()), || {
        "a restarted hone has not the newest configuration".to_owned()
    });
    stage.settle(findings, "a restart").await?;
    Ok(())
}

async fn restart(stage: &mut Stage, findings: &mut Findings) -> Result<(), Fatal> {
    sleep(Duration::from_secs(1)).await;
    let (address, config) = (stage.hone.address, stage.config_file());
    stage.hone.signal("KILL").await?;
    let killed = Instant::now();
    stage.hone.ended(Duration::from_secs(5)).await?;
    for line in stage.hone.panics().await {
        findings.wrong(format!("hone: {line}"));
    }
    while Served::of(stage.sim.address).await?.count("in_flight") != 0 {
        if killed.elapsed() > Duration::from_secs(5) {
            findings.wrong("calls go on at the provider after hone was killed".to_owned());
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    stage.hone =
        Program::serve(&stage.program, &config, address, stage.group.as_ref().ok()).await?;
    findings.note(format!(
        "kill -9: serving again after {:?}",
        killed.elapsed()
    ));
    Ok(())
}
