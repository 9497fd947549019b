//! One request whose calls go to several upstreams.

use super::*;

const EACH: Estimate = Estimate {
    input: 40,
    output: 60,
};

fn admit_targets(
    own: &Arc<Gate>,
    wave: FirstWave,
    targets: &[&Arc<Gate>],
) -> Result<Vec<Admitted>, Refused> {
    let targets: Vec<_> = targets.iter().map(|gate| vec![Arc::clone(gate)]).collect();
    enter(&[Arc::clone(own)])?.reserve_targets(wave, bound(wave), &targets)
}

#[tokio::test(start_paused = true)]
async fn a_call_is_charged_to_the_caller_and_to_its_own_lane_only() {
    let own = tenant(limits(10, 10, 1000));
    let (near, far) = (
        upstream(limits(10, 10, 1000)),
        upstream(limits(10, 10, 1000)),
    );
    let targets = admit_targets(&own, wave(2, 40, 60), &[&near, &far]).unwrap();
    let requests = |gate: &Gate| remaining(gate, Dimension::Requests);
    assert_eq!(
        (requests(&own), requests(&near), requests(&far)),
        (9, 9, 9),
        "the request counts once at each"
    );
    assert_eq!(
        (tokens_left(&own), tokens_left(&near), tokens_left(&far)),
        (800, 1000, 1000)
    );
    targets[1].call(EACH).await.unwrap().settle(used(30));
    assert_eq!(
        (tokens_left(&own), tokens_left(&near), tokens_left(&far)),
        (870, 1000, 970)
    );
    targets[0].call(EACH).await.unwrap().settle(used(50));
    assert_eq!(
        (tokens_left(&own), tokens_left(&near), tokens_left(&far)),
        (920, 950, 970)
    );
    targets[0].call(EACH).await.unwrap().settle(used(20));
    assert_eq!(
        (tokens_left(&own), remaining(&own, Dimension::UpstreamCalls)),
        (900, 7),
        "after the first wave calls reserve anew"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_refuses_a_call_costs_nothing_and_the_others_go_on() {
    let own = tenant(limits(10, 10, 1000));
    let (near, far) = (
        upstream(limits(10, 10, 1000)),
        upstream(limits(10, 1, 1000)),
    );
    let targets = admit_targets(&own, wave(3, 40, 60), &[&near, &far]).unwrap();
    targets[1].call(EACH).await.unwrap().settle(used(0));
    let refused = limit_of(targets[1].call(EACH).await.unwrap_err());
    assert_eq!(
        (refused.scope, refused.dimension),
        (Scope::Upstream, Dimension::UpstreamCalls)
    );
    targets[0].call(EACH).await.unwrap().settle(used(0));
    drop(targets);
    assert_eq!(
        (tokens_left(&own), remaining(&own, Dimension::UpstreamCalls)),
        (1000, 8)
    );
    assert_eq!(tokens_left(&far), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_one_lane_refuses_costs_nothing_anywhere() {
    let own = tenant(limits(10, 10, 1000));
    let (near, far) = (
        upstream(limits(10, 10, 1000)),
        upstream(limits(1, 10, 1000)),
    );
    drop(admit_targets(&own, wave(1, 1, 1), &[&far]).unwrap());
    let before = (own.status(), near.status());
    admit_targets(&own, wave(1, 1, 1), &[&near, &far]).unwrap_err();
    assert_eq!((own.status(), near.status()), before);
    let poor = tenant(limits(10, 10, 100));
    admit_targets(&poor, wave(3, 40, 60), &[&near]).unwrap_err();
    assert_eq!(near.status(), before.1);
}

#[tokio::test(start_paused = true)]
async fn places_are_held_until_the_last_lane_is_gone() {
    let own = Arc::new(Gate::new(
        Scope::Tenant,
        &Limits {
            concurrent_requests: NonZeroU32::new(1),
            ..Limits::default()
        },
    ));
    let near = upstream(Limits {
        concurrent_requests: NonZeroU32::new(1),
        ..Limits::default()
    });
    let far = upstream(Limits::default());
    let mut targets = admit_targets(&own, wave(1, 1, 1), &[&near, &far]).unwrap();
    targets.remove(0);
    admit_targets(&own, wave(1, 1, 1), &[&far]).unwrap_err();
    let other = tenant(Limits::default());
    admit_targets(&other, wave(1, 1, 1), &[&near]).unwrap_err();
    drop(targets);
    assert!(admit_targets(&own, wave(1, 1, 1), &[&near]).is_ok());
}
