//! What approaches hold of answers is no more than hone has counted of them, at every moment.
//!
//! A binary of its own, whose allocator counts. One test runs at a time.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and may start a server of its own"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hone::app::App;
use hone::config::Config;
use hone_strategies::STRATEGIES;
use peak_alloc::PeakAlloc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use upstream::Shape;

mod upstream;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

static ALONE: Mutex<()> = Mutex::const_new(());

/// What is allocated beside answers and prompts: buffers of connections on both sides, and what the
/// provider and the client of this test take.
const BUFFERS: usize = 512 * 1024;
/// The most of a prompt that is made of answers, by the default of `shown_bytes`. While it is made
/// it is not counted, and stands there twice at most.
const PROMPT: usize = 2 * 1024 * 1024;

/// Looks again and again at what is allocated, and at what hone has counted.
struct Watch {
    over: Arc<AtomicBool>,
    most: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    fn begin(app: &App) -> Self {
        let (over, most) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let proxy = Arc::clone(app.proxy());
        let before = ALLOCATED.current_usage();
        let thread = thread::spawn({
            let (over, most) = (Arc::clone(&over), Arc::clone(&most));
            move || {
                while !over.load(Ordering::Relaxed) {
                    let counted = proxy.held_bytes();
                    let allocated = ALLOCATED.current_usage().saturating_sub(before);
                    // What was given back meanwhile was counted when it was allocated.
                    let counted = counted.max(proxy.held_bytes());
                    most.fetch_max(allocated.saturating_sub(counted), Ordering::Relaxed);
                    thread::park_timeout(Duration::from_micros(200));
                }
            }
        });
        Self {
            over,
            most,
            thread: Some(thread),
        }
    }

    /// The most bytes that were allocated and not counted.
    fn end(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("fixture: it watches");
        }
        self.most.load(Ordering::Relaxed)
    }
}

const QUESTION: &str = r#"{"role":"user","content":"A or B?"}"#;

/// Asks for `model`, and reads the answer without keeping it; its status.
async fn ask(app: &App, model: &str, stream: bool) -> u16 {
    let body = format!(r#"{{"model":"{model}","stream":{stream},"messages":[{QUESTION}]}}"#);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nauthorization: Bearer k\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut client = TcpStream::connect(app.address()).await.expect("connects");
    client.write_all(head.as_bytes()).await.expect("sends");
    client.write_all(body.as_bytes()).await.expect("sends");
    let mut begin = [0; 12];
    client.read_exact(&mut begin).await.expect("an answer");
    let mut buffer = vec![0; 16_384];
    while client.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    let status = String::from_utf8_lossy(&begin[9..]);
    status.parse().expect("a status")
}

async fn nothing_is_held_beyond(shape: Shape, stream: bool) {
    let _alone = ALONE.lock().await;
    let upstream = upstream::start(shape).await;
    let config = format!(
        "listen = '127.0.0.1:0'\n[[upstream]]\nname = 'u'\nbase_url = 'http://{upstream}/v1'\n\
         [bounds]\ntenant_buffered_bytes = 1_073_741_824\n"
    );
    let config = Config::parse(&config, &|_| None).expect("fixture: a configuration");
    let app = App::start(config).expect("fixture: hone starts");
    ask(&app, "none-m", stream).await;
    let slugs = STRATEGIES.iter().map(|entry| entry.slug);
    // A program that may not be there.
    for slug in slugs.filter(|slug| *slug != "z3") {
        let watch = Watch::begin(&app);
        let status = ask(&app, &format!("{slug}-m"), stream).await;
        let (beyond, most) = (watch.end(), margin(slug, stream));
        let kib = [beyond, most].map(|bytes| bytes / 1024);
        assert!(
            beyond <= most,
            "{slug} ({status}), {shape:?}: {kib:?} KiB are not counted"
        );
    }
}

/// What an approach may hold beside what is counted, in bytes.
fn margin(slug: &str, stream: bool) -> usize {
    match slug {
        // Only the end of its answer tells what of it is shown, and that is then handed over at
        // once: as a text, as an addition, as an event, and as what is kept of it.
        "cot_reflection" if stream => BUFFERS + 5 * upstream::SIZE,
        _ => BUFFERS + PROMPT,
    }
}

macro_rules! shapes {
    ($($name:ident: $shape:ident, $stream:literal;)+) => {
        $(#[tokio::test]
        async fn $name() {
            nothing_is_held_beyond(Shape::$shape, $stream).await;
        })+
    };
}

shapes! {
    a_long_text_takes_no_more_than_is_counted: Words, false;
    a_long_text_that_is_streamed_takes_no_more_than_is_counted: Words, true;
    many_lines_take_no_more_than_is_counted: Lines, false;
    many_choices_take_no_more_than_is_counted: Choices, false;
    log_probabilities_take_no_more_than_is_counted: Logprobs, false;
    tool_calls_take_no_more_than_is_counted: Calls, false;
    unknown_fields_take_no_more_than_is_counted: Unknown, false;
}
