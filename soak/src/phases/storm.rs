//! Everything fails that can: the upstream, its connections, the clients, the configuration under
//! hone's feet, and hostile connections meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::enter;
use crate::args::Args;
use crate::fatal::Fatal;
use crate::figures::{Metrics, Served, turn};
use crate::findings::Findings;
use crate::hostile::{self, Hostile};
use crate::kind::Kind;
use crate::process::Program;
use crate::stage::{CALLS, LIMITED, MOST_TOKENS, PATIENT, REQUESTS, Stage, TOKENS, digest};
use crate::traffic::{Crowd, Tally, keys};
use crate::verdict::Weather;

/// Memory may differ by so much between the two halves: caches, pools, fragments.
const MEMORY_NOISE: u64 = 24 * 1024;

pub(crate) async fn play(
    args: &Args,
    stage: &mut Stage,
    findings: &mut Findings,
) -> Result<(), Fatal> {
    turn(stage.sim.address, &json!({"faults": faults()})).await?;
    let before = (
        Metrics::of(stage.hone.admin).await?,
        Served::of(stage.sim.address).await?,
    );
    let crowd = crowd(args, stage);
    let until = crowd.until;
    let hostile = Hostile {
        address: stage.hone.address,
        until,
        connections: args.idle_connections,
    };
    let [requests, calls, tokens] = LIMITED.map(|name| limited(name, &crowd).run());
    let (tally, weather, attacks, requests, calls, tokens) = tokio::join!(
        crowd.run(),
        trouble(stage, until),
        hostile::attack(hostile),
        requests,
        calls,
        tokens
    );
    let memory = weather?;
    turn(stage.sim.address, &json!({"faults": []})).await?;
    let metrics = stage.settle(findings, "the storm").await?;
    let served = Served::of(stage.sim.address).await?;
    enter(findings, "storm", &tally);
    for (name, tally) in LIMITED.iter().zip([&requests, &calls, &tokens]) {
        enter(findings, name, tally);
    }
    attacks.enter(findings);
    conserved(&before, (&metrics, &served), findings);
    limits(stage, &served, &tokens, findings);
    memory.check(findings);
    reloaded(stage, findings).await
}

/// What goes wrong at the provider, and how often.
fn faults() -> Value {
    json!([
        {"fault": {"status": {"status": 500}}, "rate": 0.01},
        {"fault": {"status": {"status": 429, "retry_after": "1"}}, "rate": 0.01},
        {"fault": "disconnect", "rate": 0.01},
        {"fault": "cut_mid_body", "rate": 0.01},
        {"fault": "hang_before_head", "rate": 0.0005},
        {"fault": "hang_mid_body", "rate": 0.0005},
    ])
}

/// Ordinary clients, some of which leave before they are answered.
fn crowd(args: &Args, stage: &Stage) -> Crowd {
    Crowd {
        address: stage.hone.address,
        clients: args.clients,
        keys: keys(args.tenants),
        kinds: Kind::MIXED.to_vec(),
        weather: Weather::Foul,
        leaving: 10,
        until: Instant::now() + args.share(30),
        seed: args.seed + 1,
        pause: Duration::ZERO,
    }
}

/// The clients of one limited tenant, who ask for more than it may have.
fn limited(name: &str, crowd: &Crowd) -> Crowd {
    let kinds = match name {
        "limited-calls" => vec![Kind::Mixture, Kind::Chat],
        _ => vec![Kind::Chat],
    };
    Crowd {
        clients: 3,
        keys: vec![name.to_owned()],
        kinds,
        leaving: 0,
        pause: Duration::from_millis(5),
        ..crowd.clone()
    }
}

/// What was charged is what was served, but for calls that were cut off: each of those was charged
/// what was seen or reserved.
fn conserved(
    before: &(Metrics, Served),
    (metrics, served): (&Metrics, &Served),
    findings: &mut Findings,
) {
    let charged = metrics.charged_tokens() - before.0.charged_tokens();
    let billed = served.tokens() - before.1.tokens();
    let cut = metrics.calls_cut_off() - before.0.calls_cut_off();
    let calls = served.calls() - before.1.calls();
    findings.note(format!(
        "storm: {charged} tokens charged, {billed} served in {calls} calls, \
        {cut} of which were cut off"
    ));
    findings.note(format!("storm: faults so far {}", served.faults()));
    findings.check(
        (charged - billed).abs() <= cut * i64::from(MOST_TOKENS),
        || {
            format!(
                "in the storm {charged} tokens were charged and {billed} were served, which {cut} \
            calls that were cut off do not explain"
            )
        },
    );
}

/// No limit was passed: at most the burst, and the rate since the beginning.
fn limits(stage: &Stage, served: &Served, tokens: &Tally, findings: &mut Findings) {
    let minutes = stage.since.elapsed().as_secs_f64() / 60.0;
    let most = |rate: u32| f64::from(rate) * (1.0 + minutes) + 1.0;
    let seen = |name: &str| served.calls_with(&digest(name));
    let [by_requests, by_calls, _] = LIMITED;
    let tokens = i64::try_from(tokens.tokens).unwrap_or(i64::MAX);
    // What a call used beyond its reservation is known when it is over, and paid for by waiting.
    let rows = [
        ("requests", seen(by_requests), most(REQUESTS)),
        ("calls", seen(by_calls), most(CALLS)),
        ("tokens", tokens, most(TOKENS)),
    ];
    for (what, seen, most) in rows {
        findings.note(format!(
            "limit on {what}: {seen} passed, at most {most:.0} may"
        ));
        let passed = i32::try_from(seen).map_or(f64::MAX, f64::from);
        findings.check(passed <= most, || {
            format!("{seen} {what} passed a limit that allows {most:.0}")
        });
        findings.check(seen > 0, || format!("the limit on {what} let nothing pass"));
    }
}

/// The most memory in either half of the storm, in KiB.
#[derive(Debug, Default)]
struct Memory {
    first: u64,
    second: u64,
}

impl Memory {
    fn check(&self, findings: &mut Findings) {
        let Self { first, second } = *self;
        findings.note(format!(
            "memory: at most {} MiB in the storm's first half, {} MiB in its second",
            first / 1024,
            second / 1024
        ));
        findings.check(second <= first + first / 5 + MEMORY_NOISE, || {
            format!("memory grows: from {first} KiB to {second} KiB")
        });
    }
}

/// Reloads every second, stalls the provider, and takes the other one away and back, until the time
/// has come.
async fn trouble(stage: &mut Stage, until: Instant) -> Result<Memory, Fatal> {
    let half = Instant::now() + until.saturating_duration_since(Instant::now()) / 2;
    let (mut memory, mut tick) = (Memory::default(), 0_u32);
    while Instant::now() < until {
        tick += 1;
        if tick.is_multiple_of(4) {
            stage.reload().await?;
        }
        if tick % 12 == 5 {
            stage.sim.signal("STOP").await?;
            sleep(Duration::from_millis(500)).await;
            stage.sim.signal("CONT").await?;
        }
        if tick % 6 == 3 {
            match stage.away.take() {
                Some(away) => drop(away.kill().await?),
                None => stage.away = Some(Program::sim(&stage.program, stage.away_address).await?),
            }
        }
        let now = stage.hone.memory()?;
        let most = if Instant::now() < half {
            &mut memory.first
        } else {
            &mut memory.second
        };
        *most = now.max(*most);
        sleep(Duration::from_millis(250)).await;
    }
    Ok(memory)
}

/// What was reloaded last is what holds.
async fn reloaded(stage: &mut Stage, findings: &mut Findings) -> Result<(), Fatal> {
    stage.reloaded(PATIENT, findings).await?;
    findings.note(format!(
        "reloads: the last one made {}, and it is there",
        stage.newest_model()
    ));
    Ok(())
}
