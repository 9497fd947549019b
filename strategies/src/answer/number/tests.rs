use proptest::prelude::*;

use super::*;

fn root(n: i128) -> Number {
    Number::from(Ratio::int(n)).root(2).unwrap()
}

#[test]
fn roots_are_compared_in_one_form() {
    let two = Number::from(Ratio::int(2));
    assert!(root(12).same(&two.mul(&root(3)).unwrap()));
    assert!(
        two.recip()
            .unwrap()
            .root(2)
            .unwrap()
            .same(&root(2).mul(&two.recip().unwrap()).unwrap())
    );
    assert!(!root(2).same(&root(3)));
    assert!(root(49).same(&Number::from(Ratio::int(7))));
}

#[test]
fn numbers_that_cannot_be_held_exactly_are_none_rather_than_rounded() {
    let two = Number::from(Ratio::int(2));
    assert!(two.pow(&Number::from(Ratio::int(126))).is_some());
    assert!(two.pow(&Number::from(Ratio::int(128))).is_none());
    assert!(two.pow(&Number::from(Ratio::int(200))).is_none());
}

proptest! {
    #[test]
    fn square_factors_leave_the_root(n in 1_u64..1_000_000) {
        let (outside, inside) = split_squares(n).unwrap();
        prop_assert_eq!(outside * outside * inside, n);
        prop_assert!((2..=inside.isqrt()).all(|d| !inside.is_multiple_of(d * d)));
    }

    #[test]
    fn distinct_fractions_are_distinct(a in -999_i128..999, b in 1_i128..999,
        c in -999_i128..999, d in 1_i128..999) {
        let (left, right) = (Ratio::new(a, b).unwrap(), Ratio::new(c, d).unwrap());
        prop_assert_eq!(Number::from(left).same(&Number::from(right)), a * d == c * b);
    }
}
