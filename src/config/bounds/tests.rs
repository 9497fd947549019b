//! The table beside what is made of it.

use proptest::prelude::*;
use toml::Value;

use super::*;
use crate::config::Config;

const REFERENCE: &str = include_str!("../../../config/reference.toml");

/// A row, as the reference tells it.
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) help: &'static [&'static str],
    pub(super) default: Option<Value>,
    pub(super) example: Option<Value>,
}

fn config(bounds: &str) -> Config {
    let text = format!("[bounds]\n{bounds}\n");
    Config::parse(&text, &|_| None).unwrap_or_else(|errors| panic!("{bounds}:\n{errors}"))
}

/// As people write it: `65_536`.
fn written(value: &Value) -> String {
    let Some(number) = value.as_integer() else {
        return value.to_string();
    };
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8(groups.join(&b'_')).unwrap()
}

/// In the largest unit, for who reads bytes: ` # 64 KiB`.
fn in_words(key: &str, value: &Value) -> String {
    let bytes = value.as_integer().filter(|_| key.ends_with("_bytes"));
    let units = [("GiB", GIB), ("MiB", MIB), ("KiB", KIB)];
    let words = bytes.and_then(|bytes| {
        let bytes = u64::try_from(bytes).ok()?;
        let (name, unit) = units.into_iter().find(|(_, unit)| bytes >= *unit)?;
        Some(format!("  # {} {name}", bytes / unit))
    });
    words.unwrap_or_default()
}

/// `[bounds]` of the reference.
fn reference() -> String {
    let groups = GROUPS.iter().map(|(title, rows)| {
        let rows = rows().into_iter().map(|row| {
            let help: Vec<_> = row.help.iter().map(|line| format!("#{line}\n")).collect();
            let help = help.concat();
            let (mark, value) = match &row.default {
                Some(value) => ("", value),
                None => ("#", row.example.as_ref().expect("an example or a default")),
            };
            let (key, words) = (row.key, in_words(row.key, value));
            format!("{help}{mark}{key} = {}{words}\n", written(value))
        });
        format!("# {title}\n{}", rows.collect::<Vec<_>>().concat())
    });
    format!("[bounds]\n{}", groups.collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_reference_has_the_table() {
    let (_, rest) = REFERENCE.split_once("[bounds]\n").expect("a section");
    assert_eq!(format!("[bounds]\n{rest}"), reference());
}

#[test]
fn what_is_not_written_has_its_default() {
    let defaults = Bounds::default().table();
    assert_eq!(config("").bounds.table(), defaults);
    let mut one_is_set = defaults;
    one_is_set.insert("connections".to_owned(), Value::from(9));
    assert_eq!(config("connections = 9").bounds.table(), one_is_set);
}

#[test]
fn a_tenants_share_grows_with_what_all_may_take() {
    let shares = [
        ("buffered_bytes = 8_589_934_592", GIB),
        ("body_bytes = 268_435_456", 256 * MIB),
        ("tenant_buffered_bytes = 67_108_864", 64 * MIB),
    ];
    for (text, share) in shares {
        let bounds = config(text).bounds;
        assert_eq!(bounds.tenant_buffered_bytes as u64, share, "{text}");
    }
}

#[test]
fn a_time_is_written_in_a_unit_that_reads_well() {
    let texts = [
        (1, "1ms"),
        (5_000, "5s"),
        (60_000, "60s"),
        (600_000, "10m"),
        (3_600_000, "60m"),
        (86_400_000, "24h"),
    ];
    for (millis, text) in texts {
        assert_eq!(duration::text(Duration::from_millis(millis)), text);
    }
}

proptest! {
    #[test]
    fn a_time_reads_back_what_it_prints(millis in 1_u64..86_400_000) {
        let time = Duration::from_millis(millis);
        let text = duration::text(time);
        prop_assert_eq!(config(&format!("connect = '{text}'")).bounds.connect, time);
    }
}
