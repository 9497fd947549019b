//! Exact rational numbers whose size is bounded.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;

use super::Refusal;
use crate::answer::value::AnswerValue;

/// Most bits of a numerator or a denominator: some 600 digits.
const MOST_BITS: u64 = 2048;
/// Greatest exponent, whatever its sign; also most places to which is rounded.
const MOST_EXPONENT: u32 = 64;
/// Most places behind the point that are written out.
const MOST_PLACES: u64 = 64;

/// A rational number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact(BigRational);

type Result<T> = std::result::Result<T, Refusal>;

impl Exact {
    /// The number that these decimal digits write, times a power of ten.
    pub(super) fn decimal(digits: &str, exponent: i64) -> Result<Self> {
        let whole: BigInt = digits.parse().map_err(|_none| Refusal::Syntax)?;
        let number = Self(BigRational::from_integer(whole));
        let power = u32::try_from(exponent.unsigned_abs()).map_err(|_far| Refusal::TooLarge)?;
        let power = Self(BigRational::from_integer(BigInt::from(10).pow(power)));
        if exponent < 0 {
            number.divide(&power)
        } else {
            number.multiply(&power)
        }
    }

    pub(super) fn zero() -> Self {
        Self(BigRational::from_integer(BigInt::ZERO))
    }

    fn bits(&self) -> (u64, u64) {
        (self.0.numer().bits(), self.0.denom().bits())
    }

    fn is_zero(&self) -> bool {
        *self.0.numer() == BigInt::ZERO
    }

    /// A small whole number; none if it is beyond the greatest exponent.
    fn small(&self) -> Result<i32> {
        if !self.0.is_integer() {
            return Err(Refusal::Fractional);
        }
        let small = i32::try_from(self.0.numer()).map_err(|_far| Refusal::TooLarge)?;
        if small.unsigned_abs() > MOST_EXPONENT {
            return Err(Refusal::TooLarge);
        }
        Ok(small)
    }

    pub(super) fn add(&self, other: &Self) -> Result<Self> {
        self.measure_sum(other)?;
        Ok(Self(&self.0 + &other.0))
    }

    pub(super) fn subtract(&self, other: &Self) -> Result<Self> {
        self.measure_sum(other)?;
        Ok(Self(&self.0 - &other.0))
    }

    fn measure_sum(&self, other: &Self) -> Result<()> {
        let ((a, b), (c, d)) = (self.bits(), other.bits());
        measured((a + d).max(c + b) + 1)?;
        measured(b + d)
    }

    pub(super) fn negate(&self) -> Self {
        Self(-&self.0)
    }

    pub(super) fn absolute(&self) -> Self {
        if *self < Self::zero() {
            self.negate()
        } else {
            self.clone()
        }
    }

    pub(super) fn multiply(&self, other: &Self) -> Result<Self> {
        let ((a, b), (c, d)) = (self.bits(), other.bits());
        measured((a + c).max(b + d))?;
        Ok(Self(&self.0 * &other.0))
    }

    pub(super) fn divide(&self, other: &Self) -> Result<Self> {
        if other.is_zero() {
            return Err(Refusal::DivisionByZero);
        }
        let ((a, b), (c, d)) = (self.bits(), other.bits());
        measured((a + d).max(b + c))?;
        Ok(Self(&self.0 / &other.0))
    }

    pub(super) fn floor_divide(&self, other: &Self) -> Result<Self> {
        Ok(Self(self.divide(other)?.0.floor()))
    }

    pub(super) fn modulo(&self, other: &Self) -> Result<Self> {
        self.subtract(&self.floor_divide(other)?.multiply(other)?)
    }

    pub(super) fn power(&self, exponent: &Self) -> Result<Self> {
        let exponent = exponent.small()?;
        let base = if exponent < 0 {
            if self.is_zero() {
                return Err(Refusal::DivisionByZero);
            }
            self.0.recip()
        } else {
            self.0.clone()
        };
        let by = exponent.unsigned_abs();
        measured(base.numer().bits().max(base.denom().bits()) * u64::from(by))?;
        // Powers of what has no common divisor have none.
        Ok(Self(BigRational::new_raw(
            base.numer().pow(by),
            base.denom().pow(by),
        )))
    }

    pub(super) fn truncate(&self) -> Self {
        Self(self.0.trunc())
    }

    /// To so many places behind the point, before it if negative; a half goes to the even
    /// neighbour.
    pub(super) fn round(&self, places: Option<&Self>) -> Result<Self> {
        let places = places.map_or(Ok(0), Self::small)?;
        let ten = Self(BigRational::from_integer(BigInt::from(10)));
        let scale = ten.power(&Self(BigRational::from_integer(places.into())))?;
        self.multiply(&scale)?.to_even().divide(&scale)
    }

    fn to_even(&self) -> Self {
        let below = self.0.floor();
        let half = BigRational::new(1.into(), 2.into());
        let goes_up = match (&self.0 - &below).cmp(&half) {
            Ordering::Less => false,
            Ordering::Equal => below.numer().bit(0),
            Ordering::Greater => true,
        };
        Self(if goes_up {
            below + BigRational::from_integer(1.into())
        } else {
            below
        })
    }

    /// The places behind the point, if they end.
    fn places(&self) -> Option<u64> {
        let twos = self.0.denom().trailing_zeros().unwrap_or_default();
        let mut rest = self.0.denom() >> twos;
        let (five, mut fives) = (BigInt::from(5), 0);
        while &rest % &five == BigInt::ZERO {
            rest /= &five;
            fives += 1;
        }
        (rest == BigInt::from(1)).then_some(twos.max(fives))
    }

    /// The number as an answer, read as a text with it would be. One whose decimals never end is
    /// known by its size alone, since that is how a text tells it: `2/3` and `0.6666667` are the
    /// same then.
    pub fn answer(&self) -> Option<AnswerValue> {
        let written = self.to_string();
        let (num, den) = (
            i128::try_from(self.0.numer()),
            i128::try_from(self.0.denom()),
        );
        match (num, den, self.places()) {
            (Ok(num), Ok(den), None) => AnswerValue::about(written, num, den),
            _ => AnswerValue::parse(&written),
        }
    }
}

fn measured(bits: u64) -> Result<()> {
    if bits > MOST_BITS {
        Err(Refusal::TooLarge)
    } else {
        Ok(())
    }
}

/// A whole number, a decimal that ends, else a fraction.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places().filter(|places| *places <= MOST_PLACES);
        let places = places.and_then(|places| u32::try_from(places).ok());
        let Some(places) = places.filter(|places| *places > 0) else {
            return write!(f, "{}", self.0);
        };
        let shifted = self.0.numer() * BigInt::from(10).pow(places) / self.0.denom();
        let width = places as usize + 1;
        let digits = format!("{:0>width$}", shifted.magnitude());
        let (whole, behind) = digits.split_at(digits.len().saturating_sub(width - 1));
        let sign = if *self < Self::zero() { "-" } else { "" };
        write!(f, "{sign}{whole}.{behind}")
    }
}
