//! The log: readable lines on a terminal, one JSON object a line otherwise. Never content, never
//! keys, and no text of a stranger at length.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::io;

use tracing::field::Field;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

mod batch;
mod json;

pub(crate) use batch::Batch;
use json::JsonLines;

/// Bytes of a field's value that are written.
const LONGEST_VALUE: usize = 4096;

/// Starts logging to standard error. `filter` is known to be well formed, for example
/// `info,hone::request=warn`.
///
/// JSON lines are written in batches, a few times a second; what is pending is written when the
/// returned value is dropped. A second call changes nothing: the first subscriber stays.
#[must_use = "dropping it writes what is pending"]
pub(crate) fn init(json: bool, filter: &str) -> Option<Batch> {
    let filter = EnvFilter::new(filter);
    let (started, batch) = if json {
        let batch = Batch::new(io::stderr());
        (
            tracing_subscriber::registry()
                .with(filter)
                .with(filter_fn(may_be_told))
                .with(JsonLines::new(batch.clone()))
                .try_init(),
            Some(batch),
        )
    } else {
        (
            tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_writer(io::stderr)
                .compact()
                .fmt_fields(debug_fn(write_field).delimited(" "))
                .finish()
                .with(filter_fn(may_be_told))
                .try_init(),
            None,
        )
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started already");
    }
    batch
}

/// Whether an event may be written, whatever the configuration says. At their lowest levels the
/// libraries that speak HTTP write down what they read: a target with its query, which may hold a
/// key.
fn may_be_told(event: &Metadata<'_>) -> bool {
    event.target().starts_with("hone") || *event.level() <= Level::INFO
}

/// As much of a value as is written.
fn shortened(value: &str) -> Cow<'_, str> {
    if value.len() <= LONGEST_VALUE {
        return Cow::Borrowed(value);
    }
    let (kept, _) = value.split_at(value.floor_char_boundary(LONGEST_VALUE));
    Cow::Owned(format!("{kept}…"))
}

/// Writes a field for people: a value at length in part, and nothing in it that a terminal obeys. A
/// message may have several lines.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let is_message = field.name() == "message";
    if !is_message {
        write!(writer, "{}=", field.name())?;
    }
    let mut tame = Tame {
        writer,
        room: LONGEST_VALUE,
        lines: is_message,
    };
    let written = write!(tame, "{value:?}");
    if tame.room == 0 {
        return writer.write_char('…');
    }
    written
}

/// Lets text through without controls, as long as there is room. Then it is an error to write.
struct Tame<'w, 'a> {
    writer: &'w mut Writer<'a>,
    room: usize,
    lines: bool,
}

impl Write for Tame<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let Some(room) = self.room.checked_sub(char.len_utf8()) else {
                self.room = 0;
                return Err(fmt::Error);
            };
            self.room = room;
            if char.is_control() && !(char == '\n' && self.lines) {
                write!(self.writer, "{}", char.escape_default())?;
            } else {
                self.writer.write_char(char)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is written to it stays.
    #[derive(Clone, Default)]
    pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written for people, at every level.
    fn told(say: impl FnOnce()) -> String {
        let kept = Kept::default();
        let written = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("trace"))
            .with_ansi(false)
            .with_writer(move || kept.clone())
            .compact()
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .finish()
            .with(filter_fn(may_be_told));
        tracing::subscriber::with_default(subscriber, say);
        written.text()
    }

    #[test]
    fn what_libraries_say_of_what_they_read_is_never_told() {
        let told = told(|| {
            tracing::debug!(target: "h2::server", "malformed headers: /v1/x?key=secret");
            tracing::trace!(target: "hyper::proto::h1::role", "secret");
            tracing::debug!(target: "rustls::client", "secret");
            tracing::warn!(target: "hyper_util", "of use");
            tracing::trace!(target: "hone::transport", "our own");
            tracing::debug!(target: "hone_strategies::run", "our own");
        });
        assert!(!told.contains("secret"), "{told}");
        assert!(
            told.contains("of use") && told.matches("our own").count() == 2,
            "{told}"
        );
    }

    #[test]
    fn no_value_makes_a_line_for_people_long_or_moves_their_terminal() {
        let long = "é".repeat(3_000_000);
        let told = told(|| tracing::info!(model = long.as_str(), error = %long, end = 1, "{long}"));
        assert!(told.len() < 3 * LONGEST_VALUE + 200, "{}", told.len());
        assert!(
            told.matches("é… ").count() == 3 && told.ends_with(" end=1\n"),
            "{told}"
        );
        let text = "a\u{9b}31mb\u{7f}c\u{1b}[2Jd\r\n";
        let told = self::told(|| tracing::info!(model = text, error = %text, "1\n2"));
        let lines: Vec<&str> = told.lines().collect();
        assert!(!lines.concat().chars().any(char::is_control), "{told:?}");
        assert!(
            lines.len() == 2 && lines[1].starts_with("2 model="),
            "{told}"
        );
    }
}
