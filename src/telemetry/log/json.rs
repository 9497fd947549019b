//! One JSON object a line, written straight into a buffer: at one line a request, the way there
//! counts.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memchr2;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime as Rfc3339};
use tracing_subscriber::layer::Context;

use super::Batch;

/// Characters of a time up to its whole seconds: `2025-06-15T12:00:00`.
const TO_SECONDS: usize = 19;
/// A buffer that one long line has made larger than this is not kept.
const KEPT_BYTES: usize = 16 * 1024;

/// Writes every event as `{"timestamp":…,"level":…,…its fields…,"target":…}`.
#[derive(Debug)]
pub(super) struct JsonLines(Batch);

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static CLOCK: RefCell<Clock> = const { RefCell::new(Clock { second: u64::MAX,
        text: String::new() }) };
}

impl JsonLines {
    pub(super) fn new(batch: Batch) -> Self {
        Self(batch)
    }
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        LINE.with(|line| {
            // A value whose `Debug` logs would come back here.
            let Ok(mut line) = line.try_borrow_mut() else {
                return;
            };
            write_line(&mut line, event);
            self.0.add(&line);
            line.clear();
            line.shrink_to(KEPT_BYTES);
        });
    }
}

fn write_line(line: &mut Vec<u8>, event: &Event<'_>) {
    let metadata = event.metadata();
    line.extend_from_slice(b"{\"timestamp\":\"");
    CLOCK.with_borrow_mut(|clock| clock.write(line));
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(metadata.level().as_str().as_bytes());
    line.push(b'"');
    event.record(&mut Members(line));
    Members(line).text("target", metadata.target());
    line.extend_from_slice(b"}\n");
}

/// Writes fields as the members of an object that has at least one member already.
struct Members<'a>(&'a mut Vec<u8>);

impl Members<'_> {
    /// Names of fields are identifiers: nothing in them needs escaping.
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        if is_plain(value) {
            self.0.push(b'"');
            self.0.extend_from_slice(value.as_bytes());
            self.0.push(b'"');
        } else {
            self.json(value);
        }
    }

    fn json(&mut self, value: impl serde::Serialize) {
        let written = serde_json::to_writer(&mut *self.0, &value);
        debug_assert!(
            written.is_ok(),
            "a vector takes every byte, and every value is a scalar"
        );
    }
}

/// Whether nothing in a text needs escaping, as in most.
fn is_plain(text: &str) -> bool {
    text.bytes().min().is_none_or(|least| least >= b' ')
        && memchr2(b'"', b'\\', text.as_bytes()).is_none()
}

impl Visit for Members<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field.name());
        self.json(value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field.name());
        self.json(value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field.name());
        self.json(value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field.name());
        self.json(value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.name(field.name());
        self.json(value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.name(field.name());
        self.json(value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_ok() {
            self.text(field.name(), &text);
        }
    }
}

/// The time of day, of which all but the fraction is kept for a second.
struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    fn write(&mut self, line: &mut Vec<u8>) {
        let since_epoch = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
        };
        let mut now = since_epoch();
        // Again if a second ends between the two readings of the clock.
        while now.as_secs() != self.second {
            self.second = now.as_secs();
            self.text.clear();
            if Rfc3339
                .format_time(&mut Writer::new(&mut self.text))
                .is_err()
            {
                return;
            }
            self.text.truncate(TO_SECONDS);
            now = since_epoch();
        }
        line.extend_from_slice(self.text.as_bytes());
        line.push(b'.');
        // The first digit of seven keeps the leading zeros of the other six.
        let mut digits = itoa::Buffer::new();
        line.extend(
            digits
                .format(1_000_000 + now.subsec_micros())
                .bytes()
                .skip(1),
        );
        line.push(b'Z');
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(say: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let batch = Batch::new(kept.clone());
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(JsonLines::new(batch)),
            say,
        );
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_is_an_object_with_the_fields_of_its_event() {
        let lines = logged(|| {
            tracing::info!(target: "t", text = "a \"quoted\"\nline", whole = 7_u64, real = 1.5,
                absent = None::<u64>, shown = ?Some(1), "hello {}", 1);
            tracing::warn!(flag = true, "second");
        });
        let [first, second] = lines.try_into().unwrap();
        assert_eq!(first["text"], "a \"quoted\"\nline");
        assert_eq!(
            (&first["whole"], &first["real"], &first["shown"]),
            (&7.into(), &1.5.into(), &"Some(1)".into())
        );
        assert_eq!(
            (&first["message"], &first["level"], &first["target"]),
            (&"hello 1".into(), &"INFO".into(), &"t".into())
        );
        assert!(first.get("absent").is_none());
        assert_eq!(
            (&second["flag"], &second["level"]),
            (&true.into(), &"WARN".into())
        );
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        let lines = logged(|| tracing::info!("now"));
        let time = lines[0]["timestamp"].as_str().unwrap();
        assert_eq!(time.len(), "2025-06-15T12:00:00.123456Z".len());
        let now = httpdate::fmt_http_date(SystemTime::now());
        assert!(
            now.contains(time.split('-').next().unwrap()) && time.ends_with('Z'),
            "{time} {now}"
        );
    }
}
