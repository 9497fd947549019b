//! Callers that keep to the protocol and mean harm: readers that do not read, JSON bombs, a tenant
//! that takes all it can of what is shared, and other names of known endpoints. All others are
//! answered meanwhile.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::enter;
use crate::aliases;
use crate::args::Args;
use crate::bombs::{self, BOMBERS};
use crate::client::Client;
use crate::fatal::Fatal;
use crate::figures::{Metrics, Served, turn};
use crate::findings::Findings;
use crate::kind::Kind;
use crate::process::Program;
use crate::stage::{BUFFERED, METERED, MOST_TOKENS, SHARED_RATE, Stage, TOKENS, digest};
use crate::stuck::{self, READERS, Readers};
use crate::traffic::{Crowd, Tally, keys};
use crate::verdict::Weather;

/// For the first answer of each of the callers.
const PATIENCE: Duration = Duration::from_secs(30);
/// How a limit refuses.
const REFUSALS: [&str; 2] = ["429 rate_limit_exceeded", "429 concurrency_limit_exceeded"];
/// In KiB: what a reader that does not read may hold, in windows and buffers on both sides.
const READER: u64 = 1024;
/// In KiB: caches, pools, fragments.
const NOISE: u64 = 64 * 1024;
/// In KiB: the same when all is over. The allocator keeps what lies between long-lived pieces; a
/// siege four times as long leaves no more.
const LEFT: u64 = 64 * 1024;

pub(crate) async fn play(
    args: &Args,
    stage: &mut Stage,
    findings: &mut Findings,
) -> Result<(), Fatal> {
    let content = "a b c d e f g h i j k l m n o p";
    turn(
        stage.sim.address,
        &json!({"latency": {"constant": {"ms": 10}}, "tokens_per_second": null,
            "content": content}),
    )
    .await?;
    introduce(stage, args).await?;
    stage.settle(findings, "the introductions").await?;
    let before = (
        Metrics::of(stage.hone.admin).await?,
        Served::of(stage.sim.address).await?,
    );
    let address = stage.hone.address;
    let memory = stage.hone.memory()?;
    let readers = Readers::begin(address).await?;
    let began = Instant::now();
    let until = began + args.share(20);
    let [greedy, modest] = ["greedy", "modest"].map(|who| shared(args, stage, who, until));
    let (crowd, bombs, refused, metered, greedy, modest, memory) = tokio::join!(
        crowd(args, stage, until).run(),
        bombs::throw(address, until),
        aliases::refused(address, until),
        aliases::metered(address, until),
        greedy,
        modest,
        Memory::watch(&stage.hone, memory, until),
    );
    let stuck = readers.end().await;
    let memory = memory?;
    let metrics = stage.settle(findings, "the siege").await?;
    let served = Served::of(stage.sim.address).await?;
    for (name, tally) in [
        ("siege", &crowd),
        ("stuck readers", &stuck),
        ("JSON bombs", &bombs),
        ("aliases that are refused", &refused),
        ("aliases that are metered", &metered),
    ] {
        enter(findings, name, tally);
    }
    conserved(&before, (&metrics, &served), findings);
    no_way_around(began, &before.1, &served, &metered, findings);
    shares(began, &greedy, &modest, findings);
    findings.note(match &stage.group {
        Ok(group) => format!(
            "memory: hone ran in a control group of {} MiB, and took {} at most",
            args.memory,
            group.peak().map_or("?".to_owned(), |mib| mib.to_string())
        ),
        Err(why) => format!("memory: NOT tried in a control group: {why}"),
    });
    memory.check(&stage.hone, findings).await
}

/// One request of each caller, so that the provider has vouched for each key and each counts for
/// itself. The modest one has asked wherever something is shared.
async fn introduce(stage: &Stage, args: &Args) -> Result<(), Fatal> {
    let mut dice = SmallRng::seed_from_u64(args.seed + 3);
    let mut client = Client::new(stage.hone.address);
    let all = [
        &BOMBERS[..],
        &READERS[..],
        &["greedy", METERED, aliases::REFUSED],
    ]
    .concat();
    let plain = all.into_iter().map(|who| (who, Kind::Chat));
    let shared = [Kind::Chat, Kind::SharedRate, Kind::SharedCount].map(|kind| ("modest", kind));
    for (who, kind) in plain.chain(shared) {
        let ask = kind.ask(who.to_owned(), &mut dice);
        let answer = client.send(&ask, PATIENCE).await;
        if answer.status != 200 {
            return Err(format!("{who}: {} {:?}", answer.status, answer.ending).into());
        }
    }
    Ok(())
}

/// Those who are answered whatever the others do.
fn crowd(args: &Args, stage: &Stage, until: Instant) -> Crowd {
    Crowd {
        address: stage.hone.address,
        clients: args.clients.min(16),
        keys: keys(args.tenants),
        kinds: Kind::BESIDE.to_vec(),
        weather: Weather::Fair,
        leaving: 0,
        until,
        seed: args.seed + 4,
        pause: Duration::from_millis(10),
    }
}

/// What a tenant sees where a rate is shared and where a number of requests at once is.
async fn shared(args: &Args, stage: &Stage, who: &str, until: Instant) -> [Tally; 2] {
    // Of the rate the modest one asks for less than its part, which is one a second.
    let (clients, pauses, weather) = match who {
        "modest" => (1, [1000, 300], Weather::Fair),
        _ => (12, [5, 5], Weather::Foul),
    };
    let [rate, count] = pauses.map(Duration::from_millis);
    let crowd = |kind, pause| Crowd {
        clients,
        keys: vec![who.to_owned()],
        kinds: vec![kind],
        weather,
        pause,
        ..crowd(args, stage, until)
    };
    let (rate, count) = (
        crowd(Kind::SharedRate, rate),
        crowd(Kind::SharedCount, count),
    );
    let (rate, count) = tokio::join!(rate.run(), count.run());
    [rate, count]
}

/// What was charged is what was served, but for what was not read to its end.
fn conserved(
    before: &(Metrics, Served),
    (metrics, served): (&Metrics, &Served),
    findings: &mut Findings,
) {
    let charged = metrics.charged_tokens() - before.0.charged_tokens();
    let billed = served.tokens() - before.1.tokens();
    let cut = metrics.calls_cut_off() - before.0.calls_cut_off();
    findings.note(format!(
        "siege: {charged} tokens charged, {billed} served in {} calls, {cut} of which were cut off",
        served.calls() - before.1.calls()
    ));
    findings.check((charged - billed).abs() <= cut * stuck::MOST_TOKENS, || {
        format!(
            "in the siege {charged} tokens were charged and {billed} were served, which {cut} \
            calls that were cut off do not explain"
        )
    });
}

/// Nothing that was refused reached the provider, and what hone does not know was metered.
fn no_way_around(
    began: Instant,
    before: &Served,
    served: &Served,
    metered: &Tally,
    findings: &mut Findings,
) {
    let who = digest(aliases::REFUSED);
    let reached = served.calls_with(&who) - before.calls_with(&who);
    findings.check(reached == 0, || {
        format!("{reached} requests for aliases that are refused reached the provider")
    });
    let most = most(TOKENS, began) + f64::from(MOST_TOKENS);
    let passed = metered.tokens;
    findings.note(format!(
        "limit on an alias: {passed} tokens passed, at most {most:.0} may"
    ));
    findings.check(number(passed) <= most, || {
        format!("{passed} tokens passed by an alias, where a limit allows {most:.0}")
    });
    findings.check(metered.of("200") > 0, || {
        "nothing passed by the alias that is metered".to_owned()
    });
}

/// The modest tenant got its part: all that it asked for, which its tallies say. The greedy one got
/// no more than was left, and was refused the rest.
fn shares(began: Instant, greedy: &[Tally; 2], modest: &[Tally; 2], findings: &mut Findings) {
    let ([greedy_rate, greedy_count], [modest_rate, modest_count]) = (greedy, modest);
    for (what, greedy, modest) in [
        ("a shared rate", greedy_rate, modest_rate),
        ("a shared count", greedy_count, modest_count),
    ] {
        enter(findings, &format!("greedy at {what}"), greedy);
        enter(findings, &format!("modest at {what}"), modest);
        findings.check(modest.of("200") > 0, || {
            format!("the modest tenant was not served at {what}")
        });
        let refused: u64 = REFUSALS.iter().map(|outcome| greedy.of(outcome)).sum();
        // On a slow machine it may have asked for no more than its part.
        findings.check(
            refused > 0 || greedy.requests < u64::from(SHARED_RATE),
            || format!("the greedy tenant was refused nothing of {what}"),
        );
    }
    let (passed, most) = (greedy_rate.of("200"), most(SHARED_RATE, began) / 2.0 * 1.1);
    findings.check(number(passed) <= most, || {
        format!(
            "{passed} requests of the greedy tenant passed a shared rate, its part is {most:.0}"
        )
    });
}

/// What a rate for each minute may let pass since then.
fn most(rate: u32, since: Instant) -> f64 {
    f64::from(rate) * (1.0 + since.elapsed().as_secs_f64() / 60.0) + 1.0
}

fn number(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// Resident memory of hone, in KiB.
#[derive(Debug)]
struct Memory {
    before: u64,
    peak: u64,
}

impl Memory {
    async fn watch(hone: &Program, before: u64, until: Instant) -> Result<Self, Fatal> {
        let mut peak = before;
        while Instant::now() < until {
            peak = hone.memory()?.max(peak);
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { before, peak })
    }

    /// It stayed within its bounds, and comes back.
    async fn check(&self, hone: &Program, findings: &mut Findings) -> Result<(), Fatal> {
        let Self { before, peak } = *self;
        let readers = 2 * u64::try_from(stuck::each())?;
        let most = before + BUFFERED / 1024 + readers * READER + NOISE;
        findings.check(peak <= most, || {
            format!("memory: {peak} KiB in the siege, where {most} KiB have a reason")
        });
        let due = Instant::now() + PATIENCE;
        let mut after = hone.memory()?;
        while after > before + LEFT && Instant::now() < due {
            sleep(Duration::from_millis(100)).await;
            after = hone.memory()?;
        }
        findings.note(format!(
            "memory: {} MiB before the siege, at most {} in it (of {}), {} after it",
            before / 1024,
            peak / 1024,
            most / 1024,
            after / 1024
        ));
        findings.check(after <= before + LEFT, || {
            format!("memory does not come back: {before} KiB before the siege, {after} after it")
        });
        Ok(())
    }
}
