//! A list that is never empty, so that a choice from it always succeeds.

use std::cmp::Ordering;
use std::num::NonZero;
use std::ops::{Deref, DerefMut};

use futures_util::future::join_all;

/// At least one `T`.
///
/// What changes the elements in place goes through the slice, which cannot change their number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NonEmpty<T>(Vec<T>);

impl<T> NonEmpty<T> {
    /// `all`, unless there is none.
    pub(crate) fn new(all: Vec<T>) -> Option<Self> {
        (!all.is_empty()).then_some(Self(all))
    }

    /// One alone.
    pub(crate) fn one(only: T) -> Self {
        Self(vec![only])
    }

    /// The first one.
    #[expect(
        clippy::indexing_slicing,
        reason = "no constructor lets an empty list in"
    )]
    pub(crate) fn first(&self) -> &T {
        &self.0[0]
    }

    /// The first one alone.
    pub(crate) fn into_first(mut self) -> T {
        self.0.swap_remove(0)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> NonZero<usize> {
        NonZero::new(self.0.len()).unwrap_or(NonZero::<usize>::MIN)
    }

    /// One more.
    pub(crate) fn push(&mut self, more: T) {
        self.0.push(more);
    }

    /// What `change` makes of each.
    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> NonEmpty<U> {
        NonEmpty(self.0.into_iter().map(change).collect())
    }

    /// What `change` makes of each and its number.
    pub(crate) fn map_numbered<U>(self, mut change: impl FnMut(u32, T) -> U) -> NonEmpty<U> {
        let numbered = (0..).zip(self.0);
        NonEmpty(numbered.map(|(number, one)| change(number, one)).collect())
    }

    /// What `read` sees in each.
    pub(crate) fn map_ref<'a, U>(&'a self, read: impl FnMut(&'a T) -> U) -> NonEmpty<U> {
        NonEmpty(self.0.iter().map(read).collect())
    }

    /// Neighbours two by two; of an odd number the last is alone.
    pub(crate) fn pairs(self) -> NonEmpty<(T, Option<T>)> {
        let mut pairs = Vec::with_capacity(self.0.len().div_ceil(2));
        let mut all = self.0.into_iter();
        while let Some(left) = all.next() {
            pairs.push((left, all.next()));
        }
        NonEmpty(pairs)
    }

    /// The greatest by `compare`; of equals the first, where [`Iterator::max_by`] takes the last.
    pub(crate) fn best(&self, mut compare: impl FnMut(&T, &T) -> Ordering) -> &T {
        let greatest = self.0.iter().rev().max_by(|a, b| compare(a, b));
        greatest.unwrap_or(self.first())
    }
}

impl<F: Future> NonEmpty<F> {
    /// The results of all, in this order.
    pub(crate) async fn joined(self) -> NonEmpty<F::Output> {
        NonEmpty(join_all(self.0).await)
    }
}

impl<T> Deref for NonEmpty<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for NonEmpty<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> Extend<T> for NonEmpty<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl<T> IntoIterator for NonEmpty<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_makes_no_list() {
        assert_eq!(NonEmpty::<u8>::new(Vec::new()), None);
        assert_eq!(NonEmpty::new(vec![1]), Some(NonEmpty::one(1)));
    }

    #[test]
    fn of_equals_the_first_is_the_best() {
        let list = NonEmpty(vec![(1, 'a'), (2, 'b'), (2, 'c')]);
        assert_eq!(list.best(|a, b| a.0.cmp(&b.0)), &(2, 'b'));
        assert_eq!(list.first(), &(1, 'a'));
        assert_eq!(list.len().get(), 3);
    }

    #[test]
    fn an_odd_one_has_no_partner() {
        let pairs = NonEmpty(vec![1, 2, 3]).pairs();
        assert_eq!(pairs, NonEmpty(vec![(1, Some(2)), (3, None)]));
    }
}
