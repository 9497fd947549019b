use std::future::Future;
use std::pin::Pin;

use futures_util::{FutureExt, poll};
use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const WAIT: Duration = Duration::from_secs(30);

type Acquiring = Pin<Box<dyn Future<Output = Result<QueuePermit, QueueError>>>>;

fn queue(capacity: u32, share: f64, max_waiting: usize) -> Arc<FairQueue> {
    Arc::new(FairQueue::new(
        NonZeroU32::new(capacity).unwrap(),
        share,
        max_waiting,
        WAIT,
    ))
}

/// Starts to wait: polled once, so that it stands in the line.
async fn wait(queue: &Arc<FairQueue>, tenant: &str, weight: u32) -> Acquiring {
    let (queue, tenant) = (Arc::clone(queue), TenantKey::from(tenant));
    let mut acquiring: Acquiring = Box::pin(async move { queue.acquire(&tenant, weight).await });
    assert!(poll!(&mut acquiring).is_pending());
    acquiring
}

fn take(queue: &Arc<FairQueue>, tenant: &str, count: usize) -> Vec<QueuePermit> {
    let mut slots = Vec::new();
    for _ in 0..count {
        slots.push(
            queue
                .acquire(&TenantKey::from(tenant), 1)
                .now_or_never()
                .expect("a slot is free")
                .unwrap(),
        );
    }
    slots
}

async fn wait_many(
    queue: &Arc<FairQueue>,
    tenant: &str,
    weight: u32,
    count: usize,
) -> Vec<Acquiring> {
    let mut waiters = Vec::new();
    for _ in 0..count {
        waiters.push(wait(queue, tenant, weight).await);
    }
    waiters
}

/// The slots that have been granted to these waiters.
async fn granted(waiters: &mut Vec<Acquiring>) -> Vec<QueuePermit> {
    let mut slots = Vec::new();
    let mut waiting = Vec::new();
    for mut waiter in waiters.drain(..) {
        match poll!(&mut waiter) {
            std::task::Poll::Ready(slot) => slots.push(slot.unwrap()),
            std::task::Poll::Pending => waiting.push(waiter),
        }
    }
    *waiters = waiting;
    slots
}

#[tokio::test(start_paused = true)]
async fn slots_go_out_up_to_the_capacity_and_come_back() {
    let queue = queue(2, 1.0, 10);
    let mut slots = take(&queue, "a", 2);
    let mut third = wait(&queue, "a", 1).await;
    drop(slots.pop());
    assert!(poll!(&mut third).is_ready());
    drop((slots, third));
    assert_eq!((queue.in_use(), queue.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lone_tenant_may_hold_every_slot() {
    let queue = queue(8, 0.5, 100);
    let mut slots = take(&queue, "a", 8);
    let mut flood = wait_many(&queue, "a", 1, 56).await;
    slots.pop();
    assert_eq!(granted(&mut flood).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_single_request_gets_the_next_slot_whatever_flood_it_meets() {
    let queue = queue(8, 0.5, 100);
    let mut slots = take(&queue, "a", 8);
    let mut flood = wait_many(&queue, "a", 1, 56).await;
    for _ in 0..5 {
        let mut single = wait(&queue, "b", 1).await;
        drop(slots.pop());
        let slot = poll!(&mut single);
        assert!(slot.is_ready());
        drop(slot);
        slots.extend(granted(&mut flood).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_wait_behind_a_flood_that_has_waited_long() {
    let queue = queue(1, 1.0, 100);
    let mut slots = take(&queue, "a", 1);
    let mut flood = wait_many(&queue, "a", 1, 50).await;
    for _ in 0..20 {
        slots.clear();
        slots = granted(&mut flood).await;
    }
    let mut single = wait(&queue, "b", 1).await;
    slots.clear();
    assert!(poll!(&mut single).is_ready());
}

#[tokio::test(start_paused = true)]
async fn while_others_wait_a_tenant_holds_at_most_its_share() {
    let queue = queue(8, 0.5, 100);
    let mut a_slots = take(&queue, "a", 8);
    let mut a = wait_many(&queue, "a", 100, 20).await;
    let mut b = wait_many(&queue, "b", 1, 20).await;
    let mut b_slots = Vec::new();
    for _ in 0..4 {
        drop(a_slots.pop());
        b_slots.extend(granted(&mut b).await);
    }
    assert_eq!(
        (granted(&mut a).await.len(), b_slots.len()),
        (0, 4),
        "whatever the weights"
    );
    drop(a_slots.pop());
    a_slots.extend(granted(&mut a).await);
    assert_eq!(a_slots.len(), 4, "b has its share as well");
    b.clear();
    drop(b_slots.pop());
    assert_eq!(
        granted(&mut a).await.len(),
        1,
        "alone again, a is not bound"
    );
}

#[tokio::test(start_paused = true)]
async fn slots_beyond_all_shares_stay_free_for_newcomers_and_then_for_the_last_that_waits() {
    let queue = queue(8, 0.25, 100);
    let (first, mut others) = (
        take(&queue, "a", 8),
        (
            wait_many(&queue, "b", 1, 4).await,
            wait_many(&queue, "c", 1, 4).await,
        ),
    );
    drop(first);
    let held = (granted(&mut others.0).await, granted(&mut others.1).await);
    assert_eq!((held.0.len(), held.1.len()), (2, 2));
    assert_eq!(take(&queue, "d", 1).len(), 1);
    others.1.clear();
    assert_eq!(granted(&mut others.0).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn turns_follow_the_weights() {
    let queue = queue(4, 1.0, 1000);
    let mut slots = take(&queue, "c", 4);
    let mut heavy = wait_many(&queue, "heavy", 3, 300).await;
    let mut light = wait_many(&queue, "light", 1, 300).await;
    let mut turns = (0, 0);
    for _ in 0..200 {
        slots.remove(0);
        let (to_heavy, to_light) = (granted(&mut heavy).await, granted(&mut light).await);
        turns = (turns.0 + to_heavy.len(), turns.1 + to_light.len());
        slots.extend(to_heavy);
        slots.extend(to_light);
    }
    assert_eq!(turns, (150, 50));
}

#[tokio::test(start_paused = true)]
async fn ever_new_tenants_do_not_keep_an_old_one_waiting() {
    let queue = queue(1, 1.0, 1000);
    let mut slots = take(&queue, "a", 1);
    let mut old = wait_many(&queue, "a", 1, 2).await;
    let mut strangers = Vec::new();
    for turn in 0..20 {
        strangers.push(wait(&queue, &format!("stranger {turn}"), 1).await);
        strangers.push(wait(&queue, &format!("another {turn}"), 1).await);
        slots.clear();
        slots.extend(granted(&mut strangers).await);
        slots.extend(granted(&mut old).await);
    }
    assert!(old.is_empty(), "{} of 2 still wait", old.len());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_leaves_is_passed_over() {
    let queue = queue(1, 1.0, 10);
    let mut slots = take(&queue, "a", 1);
    let mut waiters = wait_many(&queue, "b", 1, 2).await;
    drop(waiters.remove(0));
    assert_eq!(queue.waiting(), 1);
    slots.clear();
    assert_eq!(granted(&mut waiters).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slot_given_to_a_waiter_that_leaves_goes_to_the_next() {
    let queue = queue(1, 1.0, 10);
    let mut slots = take(&queue, "a", 1);
    let mut waiters = wait_many(&queue, "b", 1, 2).await;
    slots.clear();
    drop(waiters.remove(0));
    let last = granted(&mut waiters).await;
    assert_eq!(last.len(), 1);
    drop(last);
    assert_eq!((queue.in_use(), queue.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_longest_wait() {
    let queue = queue(1, 1.0, 10);
    let slots = take(&queue, "a", 1);
    let mut waiter = wait(&queue, "b", 1).await;
    advance(WAIT.saturating_sub(Duration::from_millis(1))).await;
    assert!(poll!(&mut waiter).is_pending());
    advance(Duration::from_millis(2)).await;
    assert_eq!(
        waiter.await.unwrap_err(),
        QueueError::TimedOut {
            retry_after: Duration::from_secs(1)
        }
    );
    assert_eq!((queue.in_use(), queue.waiting()), (1, 0));
    drop(slots);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_comes_with_the_end_of_the_wait_is_taken() {
    let queue = queue(1, 1.0, 10);
    let slots = take(&queue, "a", 1);
    let waiter = wait(&queue, "b", 1).await;
    advance(2 * WAIT).await;
    drop(slots);
    assert!(waiter.await.is_ok());
    assert_eq!(queue.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_line_turns_newcomers_away() {
    let queue = queue(1, 1.0, 2);
    let _slots = take(&queue, "a", 1);
    let _waiters = (wait(&queue, "b", 1).await, wait(&queue, "c", 1).await);
    for tenant in ["b", "d"] {
        let error = queue
            .acquire(&TenantKey::from(tenant), 1)
            .await
            .unwrap_err();
        assert!(matches!(error, QueueError::Full { .. }));
    }
    assert_eq!(queue.waiting(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_cannot_fill_the_line_for_others() {
    let queue = queue(1, 1.0, 3);
    let mut slots = take(&queue, "a", 1);
    let mut flood = wait_many(&queue, "a", 1, 3).await;
    let mut single = wait(&queue, "b", 1).await;
    assert_eq!(queue.waiting(), 3);
    let displaced = flood.pop().unwrap().await.unwrap_err();
    assert!(matches!(displaced, QueueError::Full { .. }));
    slots.clear();
    assert!(poll!(&mut single).is_ready());
    assert_eq!(granted(&mut flood).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_larger_queue_lets_waiters_go_on_and_a_smaller_one_takes_nothing_away() {
    let queue = queue(1, 1.0, 10);
    let mut slots = take(&queue, "a", 1);
    let mut waiters = wait_many(&queue, "a", 1, 3).await;
    queue.resize(NonZeroU32::new(3).unwrap(), 1.0, 10, WAIT);
    slots.extend(granted(&mut waiters).await);
    assert_eq!(slots.len(), 3);
    queue.resize(NonZeroU32::new(2).unwrap(), 1.0, 10, WAIT);
    assert_eq!(queue.in_use(), 3);
    drop(slots.pop());
    assert_eq!(granted(&mut waiters).await.len(), 0);
    drop(slots.pop());
    assert_eq!(granted(&mut waiters).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_comes_back_knows_what_runs() {
    let queue = queue(2, 1.0, 10);
    let mut slots = take(&queue, "a", 2);
    let mut waiters = wait_many(&queue, "a", 1, 3).await;
    queue.resize(None, 1.0, 10, WAIT);
    slots.extend(granted(&mut waiters).await);
    slots.extend(take(&queue, "b", 3));
    assert_eq!((queue.in_use(), queue.waiting()), (8, 0));
    queue.resize(NonZeroU32::new(3), 1.0, 10, WAIT);
    let mut waiters = wait_many(&queue, "c", 1, 2).await;
    for running in (3..8).rev() {
        assert_eq!(granted(&mut waiters).await.len(), 0, "{running}");
        drop(slots.pop());
        assert_eq!(queue.in_use(), running);
    }
    drop(slots.pop());
    assert_eq!(granted(&mut waiters).await.len(), 1);
    queue.lock().check();
}

#[test]
fn a_share_is_rounded_up_but_not_for_rounding_errors() {
    let share = |capacity, share| queue(capacity, share, 0).lock().share();
    assert_eq!(share(8, 0.5), 4);
    assert_eq!(share(7, 0.5), 4);
    assert_eq!(share(30, 0.1), 3);
    assert_eq!(share(2, 0.01), 1);
    assert_eq!(share(5, 1.0), 5);
}

impl FairQueue {
    fn in_use(&self) -> u32 {
        self.lock().held()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Acquire(u8),
    Leave(usize),
    Poll(usize),
    Release(usize),
    Resize(Option<u32>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..5).prop_map(Step::Acquire),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::Poll),
        3 => any::<usize>().prop_map(Step::Release),
        1 => proptest::option::of(1_u32..6).prop_map(Step::Resize),
    ];
    proptest::collection::vec(step, 0..120)
}

/// Steps taken so far at one queue.
struct Played {
    queue: Arc<FairQueue>,
    share: f64,
    waiting: Vec<Acquiring>,
    slots: Vec<QueuePermit>,
}

impl Played {
    async fn take(&mut self, step: Step) {
        let (waiting, slots) = (self.waiting.len(), self.slots.len());
        match step {
            Step::Acquire(tenant) => {
                let queue = Arc::clone(&self.queue);
                let tenant = TenantKey::from(tenant.to_string().as_str());
                let acquiring = async move { queue.acquire(&tenant, 1).await };
                self.waiting.push(Box::pin(acquiring));
                self.poll(waiting).await;
            }
            Step::Leave(index) if waiting > 0 => {
                drop(self.waiting.swap_remove(index % waiting));
            }
            Step::Poll(index) if waiting > 0 => self.poll(index % waiting).await,
            Step::Release(index) if slots > 0 => drop(self.slots.swap_remove(index % slots)),
            Step::Resize(capacity) => {
                let capacity = capacity.and_then(NonZeroU32::new);
                self.queue.resize(capacity, self.share, 12, WAIT);
            }
            Step::Leave(_) | Step::Poll(_) | Step::Release(_) => {}
        }
    }

    async fn poll(&mut self, index: usize) {
        if let std::task::Poll::Ready(result) = poll!(&mut self.waiting[index]) {
            drop(self.waiting.swap_remove(index));
            self.slots.extend(result.ok());
        }
    }
}

proptest! {
    /// Whatever comes, leaves and is resized: the line's own numbers agree, no slot is free while
    /// someone may have it, and nothing remains at the end.
    #[test]
    fn no_slot_is_lost_or_idle(steps in steps(), share in 0.1_f64..1.0) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let queue = queue(3, share, 12);
            let mut played = Played {
                queue: Arc::clone(&queue),
                share,
                waiting: Vec::new(),
                slots: Vec::new(),
            };
            for step in steps {
                played.take(step).await;
                queue.lock().check();
                prop_assert!(queue.waiting() <= 12);
            }
            drop(played);
            queue.lock().check();
            prop_assert_eq!((queue.in_use(), queue.waiting()), (0, 0));
            prop_assert!(queue.lock().is_empty());
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn slots_are_bounded_by_the_upstream_too_and_while_nothing_bounds_them_all_are_given() {
    let queue = Arc::new(FairQueue::new(None, 0.5, 100, WAIT));
    let ceiling = |slots| queue.bound(NonZeroU32::new(slots));
    let mut held = take(&queue, "a", 100);
    ceiling(2);
    let mut waiters = wait_many(&queue, "a", 1, 2).await;
    held.truncate(2);
    assert_eq!(granted(&mut waiters).await.len(), 0);
    queue.resize(NonZeroU32::new(3), 0.5, 100, WAIT);
    assert_eq!(granted(&mut waiters).await.len(), 0);
    ceiling(4);
    let one = granted(&mut waiters).await;
    assert_eq!(one.len(), 1, "the smaller bound holds");
    queue.resize(None, 0.5, 100, WAIT);
    let other = granted(&mut waiters).await;
    assert_eq!(other.len(), 1);
    let mut another = wait(&queue, "b", 1).await;
    ceiling(0);
    assert!(
        another.as_mut().now_or_never().is_some(),
        "nothing bounds them"
    );
}
