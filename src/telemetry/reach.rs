//! Which upstreams can be reached, as text for a scrape.
//!
//! Written anew for each scrape: a gauge of the recorder would go on telling of an upstream that a
//! reload has taken out.

use std::fmt::Write;

const UP: &str = "hone_upstream_up";

/// One gauge for each upstream, from the start. Names of upstreams need no escaping.
pub(crate) fn text<'a>(upstreams: impl Iterator<Item = (&'a str, bool)>) -> String {
    let mut text = format!(
        "\n# HELP {UP} 0 if an upstream could not be connected to when last tried, else 1.\n\
        # TYPE {UP} gauge\n"
    );
    for (name, is_up) in upstreams {
        let _infallible = writeln!(text, "{UP}{{upstream=\"{name}\"}} {}", u8::from(is_up));
    }
    text
}
