//! Times as the configuration writes them: a whole number and its unit.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::error::{Wrong, wrong};

/// Every unit with its milliseconds, the largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A time in `range`, such as `10s`, `500ms`, `5m` or `1h`.
pub(super) fn parse(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let malformed = || {
        wrong(
            "is not a time",
            "write a whole number and its unit, ms, s, m or h: \"500ms\", \"10s\"",
        )
    };
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = split
        .and_then(|split| text.split_at_checked(split))
        .ok_or_else(malformed)?;
    let mut units = UNITS.into_iter();
    let (_, millis) = units
        .find(|(name, _)| *name == unit.trim_start())
        .ok_or_else(malformed)?;
    let number: u64 = number.parse().map_err(|_error| malformed())?;
    let duration = Duration::from_millis(number.saturating_mul(millis));
    if !range.contains(&duration) {
        let (least, most) = (self::text(*range.start()), self::text(*range.end()));
        let right = format!("write a time from {least} to {most}");
        return Err(wrong("is out of range", right));
    }
    Ok(duration)
}

/// The text of a duration of whole milliseconds: in the largest unit of which it is a whole number,
/// but in seconds up to ten minutes, and in minutes up to ten hours.
pub(super) fn text(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let fits = |unit: u64| {
        let least = if unit > 1_000 { 10 } else { 1 };
        millis.is_multiple_of(unit) && millis >= least * unit
    };
    let largest = UNITS.into_iter().find(|(_, unit)| fits(*unit));
    let (name, unit) = largest.unwrap_or(("ms", 1));
    format!("{}{name}", millis / unit)
}
