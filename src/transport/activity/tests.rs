use tokio::time::{advance, timeout};

use super::*;

fn activity(protocol: Protocol) -> Arc<Activity> {
    let bounds = Bounds {
        header_read: Duration::from_secs(10),
        connection_idle: Duration::from_secs(75),
        ..Bounds::default()
    };
    Arc::new(Activity::new(protocol, &bounds))
}

/// Tells its name when it is dropped.
struct OnDrop(
    &'static str,
    tokio::sync::mpsc::UnboundedSender<&'static str>,
);

impl Drop for OnDrop {
    fn drop(&mut self) {
        assert!(self.1.send(self.0).is_ok());
    }
}

/// After how many seconds from now, and of what.
async fn expires(activity: &Activity) -> (u64, Expired) {
    let start = Instant::now();
    let expired = timeout(Duration::from_secs(3600), activity.expired())
        .await
        .expect("it expires");
    (start.elapsed().as_secs(), expired)
}

impl Close for () {
    fn close(&mut self) {}
}

impl<T, F> Close for http_body_util::combinators::WithTrailers<T, F> {
    fn close(&mut self) {}
}

#[tokio::test(start_paused = true)]
async fn the_first_request_is_due_soon_and_another_later() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let activity = activity(protocol);
        assert_eq!(expires(&activity).await, (10, Expired::Head));
        drop(activity.begin());
        assert_eq!(expires(&activity).await, (75, Expired::Idle));
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_is_due_soon_after_its_first_byte() {
    let activity = activity(Protocol::Http1);
    drop(activity.begin());
    advance(Duration::from_secs(70)).await;
    activity.heard();
    advance(Duration::from_secs(4)).await;
    activity.heard();
    assert_eq!(
        expires(&activity).await,
        (6, Expired::Head),
        "each further byte gives no further time"
    );
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_no_request_keep_no_connection_alive() {
    let activity = activity(Protocol::Http2);
    drop(activity.begin());
    advance(Duration::from_secs(70)).await;
    activity.heard();
    assert_eq!(expires(&activity).await, (5, Expired::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_peer_may_take_back_as_many_requests_as_are_answered_and_some_more() {
    let activity = activity(Protocol::Http2);
    let open = activity.begin();
    for _ in 0..3 * MOST_RESETS {
        drop(activity.begin());
        drop(RunningBody::new((), activity.begin(), None));
    }
    assert!(
        timeout(Duration::from_secs(3600), activity.expired())
            .await
            .is_err()
    );
    for _ in 0..MOST_RESETS {
        drop(activity.begin());
    }
    assert_eq!(expires(&activity).await, (0, Expired::Resets));
    assert!(
        timeout(Duration::from_secs(3600), activity.expired())
            .await
            .is_err(),
        "it is told once, then counted anew"
    );
    drop(open);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_given_something_must_be_asked_for_more_or_is_reset_alone() {
    use http_body_util::{BodyExt, Full};
    let bounds = Bounds {
        stream_idle: Duration::from_secs(300),
        ..Bounds::default()
    };
    let activity = Arc::new(Activity::new(Protocol::Http2, &bounds));
    let tasks = StreamTasks(Arc::clone(&activity));
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let begin = |name: &'static str, frames: usize| {
        let two = Full::new(Bytes::from_static(b"one"));
        let two = two.with_trailers(std::future::ready(None));
        let (running, ended) = (activity.begin(), ended.clone());
        tasks.execute(async move {
            let _ended = OnDrop(name, ended);
            let mut body = RunningBody::new(two, running, None);
            for _ in 0..frames {
                body.frame().await;
            }
            std::future::pending::<()>().await;
        });
    };
    begin("nothing is given", 0);
    begin("some is not taken", 1);
    begin("all is taken", 2);
    let start = Instant::now();
    let ends = async {
        let first = ends.recv().await;
        let took = start.elapsed().as_secs();
        let second = timeout(Duration::from_secs(3600), ends.recv()).await;
        (first, took, second.is_err())
    };
    let (first, took, no_second) = tokio::select! {
        ends = ends => ends,
        expired = activity.expired() => panic!("{expired:?}"),
    };
    assert_eq!((first, no_second), (Some("some is not taken"), true));
    assert!((300..=310).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn nothing_expires_while_a_request_runs() {
    let activity = activity(Protocol::Http1);
    let running = activity.begin();
    assert!(
        timeout(Duration::from_secs(3600), activity.expired())
            .await
            .is_err()
    );
    activity.heard();
    drop(running);
    assert_eq!(expires(&activity).await, (75, Expired::Idle));
}
