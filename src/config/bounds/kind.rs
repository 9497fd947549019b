//! The kinds of bounds: how each is read and written.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Value;

use super::duration;
use crate::config::file::Section;

/// A type that a bound may have.
pub(super) trait Bound: Sized {
    /// In what its range is written.
    type Limit;

    /// A value of the table, or the nearest that the type can hold.
    fn new(value: Self::Limit) -> Self;

    /// The value of `key`. One that is wrong is recorded, and `None`.
    fn read(
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<Self::Limit>,
    ) -> Option<Self>;

    /// As the configuration writes it, if it is set.
    fn value(&self) -> Option<Value>;
}

impl Bound for usize {
    type Limit = u64;

    fn new(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }

    fn read(
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Self> {
        section.integer(key, range).map(Self::new)
    }

    fn value(&self) -> Option<Value> {
        Some(Value::from(i64::try_from(*self).unwrap_or(i64::MAX)))
    }
}

impl Bound for u32 {
    type Limit = u64;

    fn new(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }

    fn read(
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Self> {
        section.integer(key, range).map(Self::new)
    }

    fn value(&self) -> Option<Value> {
        Some(Value::from(i64::from(*self)))
    }
}

impl Bound for NonZeroU32 {
    type Limit = u64;

    fn new(value: u64) -> Self {
        Self::new(Bound::new(value)).unwrap_or(Self::MIN)
    }

    fn read(
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Self> {
        section.integer(key, range).map(<Self as Bound>::new)
    }

    fn value(&self) -> Option<Value> {
        self.get().value()
    }
}

impl<B: Bound> Bound for Option<B> {
    type Limit = B::Limit;

    fn new(value: B::Limit) -> Self {
        Some(B::new(value))
    }

    fn read(
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<B::Limit>,
    ) -> Option<Self> {
        B::read(section, key, range).map(Some)
    }

    fn value(&self) -> Option<Value> {
        self.as_ref().and_then(B::value)
    }
}

impl Bound for Duration {
    type Limit = Self;

    fn new(value: Self) -> Self {
        value
    }

    fn read(
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<Self>,
    ) -> Option<Self> {
        section.parsed_with_unit(key, "s", |text| duration::parse(text, &range))
    }

    fn value(&self) -> Option<Value> {
        Some(Value::from(duration::text(*self)))
    }
}
