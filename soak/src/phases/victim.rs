//! A tenant that sends ten requests a second to an upstream of 100 ms, alone and while another
//! tenant floods.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::enter;
use crate::args::Args;
use crate::fatal::Fatal;
use crate::figures::turn;
use crate::findings::Findings;
use crate::kind::Kind;
use crate::stage::Stage;
use crate::traffic::Crowd;
use crate::verdict::Weather;

/// More than the upstream takes at once.
const FLOOD: u32 = 100;
/// Clients of the victim, each of which sends about once in 500 ms.
const VICTIMS: u32 = 5;
/// Requests of which a hundredth can be told.
const ENOUGH: usize = 200;

pub(crate) async fn play(
    args: &Args,
    stage: &mut Stage,
    findings: &mut Findings,
) -> Result<(), Fatal> {
    turn(
        stage.sim.address,
        &json!({"latency": {"constant": {"ms": 100}}, "tokens_per_second": null}),
    )
    .await?;
    let alone = victim(args, stage).run().await;
    let flood = Crowd {
        clients: FLOOD,
        keys: vec!["sk-flood".to_owned()],
        kinds: vec![Kind::Chat],
        pause: Duration::ZERO,
        until: Instant::now() + args.share(10),
        ..victim(args, stage)
    };
    let (beside, flood) = tokio::join!(victim(args, stage).run(), flood.run());
    stage.settle(findings, "the flood").await?;
    for (phase, tally) in [
        ("victim alone", &alone),
        ("victim beside a flood", &beside),
        ("flood", &flood),
    ] {
        enter(findings, phase, tally);
    }
    // The worst of a few requests is one hiccup of the machine, no percentile.
    let hundredths = if alone.times.len().min(beside.times.len()) < ENOUGH {
        90
    } else {
        99
    };
    let (before, after) = (alone.within(hundredths), beside.within(hundredths));
    findings.note(format!(
        "victim: p{hundredths} {before:?} alone, {after:?} beside a flood (median {:?} and {:?})",
        alone.within(50),
        beside.within(50)
    ));
    findings.check(after <= before * 2, || {
        format!("a flood slows another tenant's p{hundredths} from {before:?} to {after:?}")
    });
    Ok(())
}

fn victim(args: &Args, stage: &Stage) -> Crowd {
    Crowd {
        address: stage.hone.address,
        clients: VICTIMS,
        keys: vec!["sk-victim".to_owned()],
        kinds: vec![Kind::Chat],
        weather: Weather::Fair,
        leaving: 0,
        until: Instant::now() + args.share(10),
        seed: args.seed + 2,
        pause: Duration::from_millis(400),
    }
}
