use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const NS: Duration = Duration::from_nanos(1);

fn rate(limit: u64, now: Instant) -> Rate {
    Rate::new(Dimension::Tokens, NonZeroU64::new(limit).unwrap(), now)
}

#[test]
fn the_burst_passes_at_once_and_not_one_more() {
    let now = Instant::now();
    let mut rate = rate(7, now);
    for id in 1..=7 {
        assert_eq!(rate.check(1, now), Ok(()));
        rate.take(id, 1, now);
    }
    assert_eq!(rate.remaining(now), 0);
    assert!(rate.check(1, now).is_err());
}

#[test]
fn more_than_the_burst_never_fits() {
    let now = Instant::now();
    let mut rate = rate(7, now);
    assert_eq!(rate.check(8, now), Err(Wait::Forever));
    assert_eq!(rate.check(7, now), Ok(()));
}

#[test]
fn nothing_fits_even_into_debt() {
    let now = Instant::now();
    let mut rate = rate(7, now);
    rate.settle(1, 0, 20, now);
    assert_eq!(rate.check(0, now), Ok(()));
}

#[test]
fn a_surplus_comes_back_exactly() {
    let now = Instant::now();
    let (mut settled, mut charged) = (rate(7, now), rate(7, now));
    settled.take(1, 6, now);
    settled.settle(1, 6, 2, now);
    charged.take(1, 2, now);
    assert_eq!(settled.used, charged.used);
    settled.take(2, 5, now);
    settled.settle(2, 5, 0, now);
    assert_eq!(settled.used, charged.used);
}

#[test]
fn a_surplus_that_time_has_drained_does_not_come_back_a_second_time() {
    let start = Instant::now();
    let mut rate = rate(60, start);
    rate.take(1, 60, start);
    let later = start + Duration::from_secs(50);
    rate.take(2, 50, later);
    // Had the first call been known to use nothing, the bucket would have been empty before the
    // second.
    rate.settle(1, 60, 0, later);
    assert_eq!(rate.remaining(later), 10);
}

#[test]
fn overspend_becomes_waiting_time() {
    let now = Instant::now();
    let mut rate = rate(60, now);
    rate.take(1, 10, now);
    rate.settle(1, 10, 130, now);
    assert_eq!(rate.remaining(now), 0);
    assert_eq!(rate.check(1, now), Err(Wait::For(Duration::from_secs(71))));
    assert_eq!(rate.reset(now), Duration::from_secs(130));
}

#[test]
fn debt_is_never_forgotten() {
    let now = Instant::now();
    let mut rate = rate(60, now);
    rate.settle(1, 0, 60_060, now);
    assert!(rate.is_in_debt(now));
    let end = now + 1000 * WINDOW;
    assert!(rate.is_in_debt(end - NS));
    assert!(!rate.is_in_debt(end));
    assert_eq!(rate.remaining(end), 0);
    assert_eq!(rate.remaining(end + Duration::from_secs(1)), 1);
}

#[test]
fn a_new_limit_keeps_what_was_spent() {
    let now = Instant::now();
    let mut rate = rate(100, now);
    rate.take(1, 80, now);
    rate.set_limit(NonZeroU64::new(200).unwrap(), now);
    assert_eq!(rate.remaining(now), 120);
    rate.set_limit(NonZeroU64::new(50).unwrap(), now);
    assert_eq!(rate.remaining(now), 0);
    assert_eq!(
        rate.check(1, now),
        Err(Wait::For(Duration::from_secs(60) * 31 / 50))
    );
    rate.settle(1, 80, 30, now);
    assert_eq!(rate.remaining(now), 20);
}

#[test]
fn the_largest_limit_does_not_overflow() {
    let now = Instant::now();
    let mut rate = rate(u64::MAX, now);
    rate.take(1, u64::MAX, now);
    rate.settle(2, 0, u64::MAX, now);
    assert_eq!(rate.reset(now), 2 * WINDOW);
    assert_eq!(rate.remaining(now + 400 * 365 * 24 * 60 * WINDOW), u64::MAX);
}

#[test]
fn one_large_refusal_does_not_exhaust_the_rate_for_small_ones() {
    let now = Instant::now();
    let mut rate = rate(100, now);
    rate.take(1, 50, now);
    rate.remember(60, now);
    assert!(rate.is_exhausted(now));
    rate.remember(5, now);
    assert!(!rate.is_exhausted(now));
    let later = now + 2 * WINDOW;
    assert!(!rate.is_exhausted(later));
    assert_eq!(
        rate.asked.least(later),
        u64::MAX,
        "what was asked long ago says nothing"
    );
}

#[derive(Debug, Clone)]
enum Step {
    Take(u64),
    /// The n-th open reservation used this many percent.
    Settle(usize, u64),
    Pass(Duration),
}

fn steps(most: u64) -> impl Strategy<Value = Vec<Step>> {
    let time = prop_oneof![
        (0_u64..5_000_000).prop_map(Duration::from_nanos),
        (0_u64..20_000).prop_map(|millis| MS * u32::try_from(millis).unwrap()),
    ];
    let step = prop_oneof![
        4 => (1..=most).prop_map(Step::Take),
        3 => (any::<usize>(), 0_u64..=100).prop_map(|(index, percent)| Step::Settle(index,
            percent)),
        3 => time.prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What was admitted: when, and how much it is known to have used (at first, all that was
/// reserved).
#[derive(Debug, Clone, Copy)]
struct Charge {
    at: Instant,
    reserved: u64,
    used: u64,
}

/// Runs the steps and gives the charges, the rate and the time at the end.
fn run(limit: u64, steps: &[Step]) -> (Vec<Charge>, Rate, Instant) {
    let mut now = Instant::now();
    let mut rate = rate(limit, now);
    let mut charges: Vec<Charge> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for step in steps {
        match *step {
            Step::Pass(time) => now += time,
            Step::Take(amount) => {
                if rate.check(amount.min(limit), now).is_ok() {
                    rate.take(charges.len() as u64, amount, now);
                    open.push(charges.len());
                    charges.push(Charge {
                        at: now,
                        reserved: amount,
                        used: amount,
                    });
                }
            }
            Step::Settle(index, percent) if !open.is_empty() => {
                let id = open.swap_remove(index % open.len());
                let charge = &mut charges[id];
                charge.used = charge.reserved * percent / 100;
                rate.settle(id as u64, charge.reserved, charge.used, now);
            }
            Step::Settle(..) => {}
        }
    }
    rate.drain(now);
    (charges, rate, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// In every window, what was admitted used at most the burst, the rate times the window, and
    /// what one of its demands had above the burst.
    #[test]
    fn a_limit_holds_in_every_window(limit in 1_u64..200, steps in steps(250)) {
        let (charges, _, _) = run(limit, &steps);
        for (first, start) in charges.iter().enumerate() {
            let (mut used, mut above) = (0, 0);
            for end in &charges[first..] {
                used += u128::from(end.used);
                above = above.max(u128::from(end.used.saturating_sub(limit)));
                let length = end.at.duration_since(start.at).as_nanos();
                prop_assert!(used * UNIT <= u128::from(limit) * (UNIT + length) + above * UNIT,
                    "{used} of {limit} in {length} ns");
            }
        }
    }

    /// Whatever was reserved in between, the bucket ends as if each charge had been known from the
    /// start.
    #[test]
    fn settling_leaves_no_trace_of_the_estimate(limit in 1_u64..200, steps in steps(100)) {
        let (charges, settled, now) = run(limit, &steps);
        let mut level: u128 = 0;
        let mut at = charges.first().map_or(now, |charge| charge.at);
        for charge in &charges {
            level = level.saturating_sub(charge.at.duration_since(at)
                .as_nanos() * u128::from(limit));
            level += u128::from(charge.used) * UNIT;
            at = charge.at;
        }
        level = level.saturating_sub(now.duration_since(at).as_nanos() * u128::from(limit));
        prop_assert_eq!(settled.used, level);
    }

    /// The waiting time is the earliest one, to the nanosecond.
    #[test]
    fn a_waiting_time_is_exact(limit in 1_u64..200, steps in steps(100), amount in 1_u64..200) {
        let (_, mut rate, now) = run(limit, &steps);
        match rate.check(amount, now) {
            Ok(()) => {}
            Err(Wait::Forever) => prop_assert!(amount > limit),
            Err(Wait::For(wait)) => {
                prop_assert!(wait > Duration::ZERO);
                prop_assert!(rate.check(amount, now + wait - NS).is_err());
                prop_assert_eq!(rate.check(amount, now + wait), Ok(()));
            }
        }
    }

    /// Open reservations are remembered only as long as they matter.
    #[test]
    fn settled_reservations_are_forgotten(limit in 1_u64..200, steps in steps(100)) {
        let (charges, mut rate, now) = run(limit, &steps);
        for (id, charge) in charges.iter().enumerate() {
            rate.settle(id as u64, charge.reserved, charge.reserved, now);
        }
        prop_assert!(rate.holds.is_empty());
    }
}
