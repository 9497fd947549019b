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

use super::{Batch, LONGEST_VALUE, shortened};

/// Characters of a time up to its whole seconds: `2025-06-15T12:00:00`.
const TO_SECONDS: usize = 19;
/// DEL.
const DELETE: u8 = 0x7f;
/// The first byte of the controls from U+0080 to U+009F, and of some letters.
const C1: u8 = 0xc2;
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
        let value = &*shortened(value);
        if is_plain(value) {
            self.0.push(b'"');
            self.0.extend_from_slice(value.as_bytes());
            self.0.push(b'"');
        } else {
            let start = self.0.len();
            self.json(value);
            escape_controls(self.0, start);
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
    // Most are too short for a search by vectors to be worth its beginning.
    let mut bytes = text.bytes();
    bytes.all(|byte| PLAIN.get(usize::from(byte)) == Some(&true))
}

/// The bytes that stand for themselves in a line.
#[expect(
    clippy::indexing_slicing,
    reason = "seen to be right when it is compiled"
)]
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < b' ' {
        plain[byte as usize] = false;
        byte += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain[DELETE as usize] = false;
    plain[C1 as usize] = false;
    plain
};

/// Escapes what JSON lets stand and a terminal obeys: DEL, and the controls from U+0080 to U+009F,
/// of which one begins a sequence like ESC and `[`.
fn escape_controls(line: &mut Vec<u8>, start: usize) {
    let written = line.get(start..).unwrap_or_default();
    if memchr2(DELETE, C1, written).is_none() {
        return;
    }
    let text = String::from_utf8_lossy(written).into_owned();
    line.truncate(start);
    for char in text.chars() {
        if matches!(char, '\u{7f}'..='\u{9f}') {
            line.extend_from_slice(format!("\\u{:04x}", u32::from(char)).as_bytes());
        } else {
            line.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
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
        let mut text = Beginning::default();
        // An error means that there is more than is kept.
        let _whole = write!(text, "{value:?}").is_ok();
        self.text(field.name(), &text.0);
    }
}

/// As much of a text as is worth writing, and a little more, so that it is known to be longer.
#[derive(Default)]
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (LONGEST_VALUE + 4).saturating_sub(self.0.len());
        let (kept, rest) = text.split_at(text.floor_char_boundary(room));
        self.0.push_str(kept);
        if rest.is_empty() {
            Ok(())
        } else {
            Err(fmt::Error)
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
    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::tests::Kept;
    use super::*;

    fn batch() -> (Kept, Batch) {
        let kept = Kept::default();
        (kept.clone(), Batch::new(kept))
    }

    fn logged(say: impl FnOnce()) -> Vec<Value> {
        let (kept, batch) = batch();
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(JsonLines::new(batch)),
            say,
        );
        kept.text()
            .lines()
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
    fn nothing_in_a_line_moves_a_terminal() {
        let text = "a\u{9b}31mb\u{7f}c\u{1b}[2Jd\u{80}\u{9f}e\u{a0}\u{c2}é\n\\u0041";
        let (kept, batch) = batch();
        let layer = tracing_subscriber::registry().with(JsonLines::new(batch));
        tracing::subscriber::with_default(layer, || {
            tracing::info!(text, shown = ?text, error = %text, "{text}");
        });
        let written = kept.text();
        assert!(
            !written.trim_end().chars().any(char::is_control),
            "{written:?}"
        );
        let line: Value = serde_json::from_str(&written).unwrap();
        for field in ["text", "error", "message"] {
            assert_eq!(line[field], text, "{field}");
        }
    }

    #[test]
    fn no_value_makes_a_line_long() {
        let long = "é".repeat(3_000_000);
        let lines = logged(|| {
            tracing::info!(model = long.as_str(), error = %long, shown = ?long, "{long}");
        });
        for field in ["model", "error", "shown", "message"] {
            let value = lines[0][field].as_str().unwrap();
            assert!(value.len() < LONGEST_VALUE + 50, "{field}: {}", value.len());
            assert!(value.contains("ééé") && value.ends_with('…'), "{field}");
        }
        let fits = "x".repeat(LONGEST_VALUE);
        assert_eq!(
            logged(|| tracing::info!(model = fits.as_str()))[0]["model"],
            fits
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
