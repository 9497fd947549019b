//! SIGTERM under load: what has begun is finished, nothing new is taken, and the process ends in
//! time and content.

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::args::Args;
use crate::client::{Client, Ending, Exchange};
use crate::fatal::Fatal;
use crate::figures::{Served, turn};
use crate::findings::Findings;
use crate::kind::Kind;
use crate::stage::Stage;

/// A request that was sent so long before the signal has arrived by then.
const ARRIVED: Duration = Duration::from_millis(200);

pub(crate) async fn play(
    args: &Args,
    stage: &mut Stage,
    findings: &mut Findings,
) -> Result<(), Fatal> {
    // An answer of 16 tokens takes 800 ms, so that there is something to finish.
    turn(
        stage.sim.address,
        &json!({"latency": "none", "tokens_per_second": 20}),
    )
    .await?;
    let mut clients = JoinSet::new();
    for number in 0..args.clients.min(48) {
        clients.spawn(client(stage.hone.address, args.seed + u64::from(number)));
    }
    sleep(Duration::from_millis(1500)).await;
    let told = Instant::now();
    stage.hone.signal("TERM").await?;
    let ended = stage.hone.ended(Duration::from_secs(30)).await?;
    findings.note(format!("SIGTERM: ended after {:?}", told.elapsed()));
    findings.check(ended, || {
        "hone calls its end after SIGTERM a failure".to_owned()
    });
    findings.check(
        TcpStream::connect(stage.hone.address).await.is_err(),
        || "something listens after SIGTERM".to_owned(),
    );
    let (mut whole, mut refused) = (0, 0);
    while let Some(done) = clients.join_next().await {
        for exchange in done? {
            match exchange.ending {
                Ending::Whole if exchange.status == 200 => whole += 1,
                Ending::NoAnswer(_) if exchange.began + ARRIVED > told => refused += 1,
                other => findings.wrong(format!(
                    "SIGTERM: a request ended as {other:?} with status {}",
                    exchange.status
                )),
            }
        }
    }
    findings.note(format!(
        "SIGTERM: {whole} requests were answered, {refused} later ones were not taken"
    ));
    for line in stage.hone.panics().await {
        findings.wrong(format!("hone: {line}"));
    }
    let left = Served::of(stage.sim.address).await?.count("in_flight");
    findings.check(left == 0, || {
        format!("{left} calls go on at the provider after hone has ended")
    });
    Ok(())
}

/// Sends until it is not answered any more.
async fn client(address: SocketAddr, seed: u64) -> Vec<Exchange> {
    let (mut client, mut dice, mut seen) = (
        Client::new(address),
        SmallRng::seed_from_u64(seed),
        Vec::new(),
    );
    loop {
        let kind = if seed.is_multiple_of(2) {
            Kind::Stream
        } else {
            Kind::Reread
        };
        let exchange = client
            .send(
                &kind.ask("sk-tenant-00001".to_owned(), &mut dice),
                Duration::from_secs(30),
            )
            .await;
        let ends = exchange.ending != Ending::Whole;
        seen.push(exchange);
        if ends {
            return seen;
        }
    }
}
