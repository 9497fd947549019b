//! Numbers that can be compared exactly: sums of rational multiples of roots and powers of π.

/// Terms that a sum may have.
const MAX_TERMS: usize = 16;
/// Largest number whose square factors are looked for.
const MAX_RADICAND: u64 = 1_000_000_000_000;
/// Largest exponent that is multiplied out.
const MAX_EXPONENT: i128 = 128;
/// Relative distance at which numbers without an exact form are the same.
const TOLERANCE: f64 = 1e-6;

/// A reduced fraction with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    num: i128,
    den: i128,
}

impl Ratio {
    pub(super) const ZERO: Self = Self { num: 0, den: 1 };

    pub(super) fn new(num: i128, den: i128) -> Option<Self> {
        if den == 0 || num == i128::MIN || den == i128::MIN {
            return None;
        }
        let divisor = gcd(num.unsigned_abs(), den.unsigned_abs()).cast_signed() * den.signum();
        Some(Self {
            num: num / divisor,
            den: den / divisor,
        })
    }

    pub(super) fn int(num: i128) -> Self {
        Self { num, den: 1 }
    }

    pub(super) fn as_int(self) -> Option<i128> {
        (self.den == 1).then_some(self.num)
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let left = self.num.checked_mul(other.den)?;
        let right = other.num.checked_mul(self.den)?;
        Self::new(left.checked_add(right)?, self.den.checked_mul(other.den)?)
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        Self::new(
            self.num.checked_mul(other.num)?,
            self.den.checked_mul(other.den)?,
        )
    }

    pub(super) fn recip(self) -> Option<Self> {
        Self::new(self.den, self.num)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "an approximation is what is asked for"
    )]
    fn approx(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

/// `√radicand · π^pi`, with a radicand that no square divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Irrational {
    pi: i8,
    radicand: u64,
}

const RATIONAL: Irrational = Irrational { pi: 0, radicand: 1 };

type Terms = Vec<(Irrational, Ratio)>;

/// A real number, exact where its form allows it.
#[derive(Debug, Clone)]
pub(super) struct Number {
    /// Sorted, without zeros, and so unique for the number. None where only the approximation is
    /// known.
    exact: Option<Terms>,
    approx: f64,
}

impl Number {
    pub(super) fn pi() -> Self {
        Self {
            exact: Some(vec![(Irrational { pi: 1, radicand: 1 }, Ratio::int(1))]),
            approx: std::f64::consts::PI,
        }
    }

    /// A number of which only the size is known.
    pub(super) fn about(ratio: Ratio) -> Self {
        Self {
            exact: None,
            approx: ratio.approx(),
        }
    }

    /// The nearest float.
    pub(super) fn approx(&self) -> f64 {
        self.approx
    }

    /// Whether both are the same number: exactly for two rational or two irrational numbers, else
    /// within 1e-6 of each other's size.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (&self.exact, &other.exact) {
            (Some(left), Some(right)) if is_rational(left) == is_rational(right) => left == right,
            _ => self.is_near(other, TOLERANCE),
        }
    }

    /// Like [`Number::same`], but joins everything that a chain of two such comparisons could.
    pub(super) fn nearly_same(&self, other: &Self) -> bool {
        self.is_near(other, 4.0 * TOLERANCE)
    }

    fn is_near(&self, other: &Self, tolerance: f64) -> bool {
        (self.approx - other.approx).abs() <= tolerance * self.approx.abs().max(other.approx.abs())
    }

    pub(super) fn add(&self, other: &Self) -> Option<Self> {
        let exact = both(self, other, |left, right| {
            let mut sum = left.clone();
            right
                .iter()
                .try_for_each(|term| add_term(&mut sum, *term))?;
            Some(sum)
        })?;
        Self {
            exact,
            approx: self.approx + other.approx,
        }
        .checked()
    }

    pub(super) fn neg(&self) -> Option<Self> {
        self.mul(&Self::from(Ratio::int(-1)))
    }

    pub(super) fn mul(&self, other: &Self) -> Option<Self> {
        let exact = both(self, other, |left, right| {
            let mut product = Terms::new();
            for a in left {
                right
                    .iter()
                    .try_for_each(|b| add_term(&mut product, mul_terms(*a, *b)?))?;
            }
            Some(product)
        })?;
        Self {
            exact,
            approx: self.approx * other.approx,
        }
        .checked()
    }

    /// One over this number. Exact for a single term; none for zero.
    pub(super) fn recip(&self) -> Option<Self> {
        let exact = match self.exact.as_deref() {
            Some([]) => return None,
            Some([(of, by)]) => {
                let by = by.mul(Ratio::int(i128::from(of.radicand)))?.recip()?;
                Some(vec![(
                    Irrational {
                        pi: of.pi.checked_neg()?,
                        radicand: of.radicand,
                    },
                    by,
                )])
            }
            Some(_) | None => None,
        };
        Self {
            exact,
            approx: self.approx.recip(),
        }
        .checked()
    }

    /// The root of this degree. Exact for square roots of rational numbers.
    pub(super) fn root(&self, degree: i128) -> Option<Self> {
        let approx = match degree {
            2 => self.approx.sqrt(),
            3 => self.approx.cbrt(),
            4..=MAX_EXPONENT => self.approx.powf(Ratio::new(1, degree)?.approx()),
            _ => return None,
        };
        let exact = match (degree, self.as_ratio()) {
            (2, Some(of)) => Some(square_root(of)?),
            _ => None,
        };
        Self { exact, approx }.checked()
    }

    pub(super) fn pow(&self, exponent: &Self) -> Option<Self> {
        let exponent = exponent.as_ratio()?;
        if exponent == Ratio::new(1, 2)? {
            return self.root(2);
        }
        let Some(whole) = exponent.as_int() else {
            return Self {
                exact: None,
                approx: self.approx.powf(exponent.approx()),
            }
            .checked();
        };
        if whole.abs() > MAX_EXPONENT {
            return None;
        }
        let mut power = Self::from(Ratio::int(1));
        for _ in 0..whole.abs() {
            power = power.mul(self)?;
        }
        if whole < 0 {
            power.recip()
        } else {
            Some(power)
        }
    }

    /// This number, if it is exactly rational.
    pub(super) fn as_ratio(&self) -> Option<Ratio> {
        match self.exact.as_deref()? {
            [] => Some(Ratio::ZERO),
            [(RATIONAL, ratio)] => Some(*ratio),
            _ => None,
        }
    }

    fn checked(self) -> Option<Self> {
        let small = self
            .exact
            .as_ref()
            .is_none_or(|terms| terms.len() <= MAX_TERMS);
        (self.approx.is_finite() && small).then_some(self)
    }
}

impl From<Ratio> for Number {
    fn from(ratio: Ratio) -> Self {
        let exact = if ratio == Ratio::ZERO {
            Vec::new()
        } else {
            vec![(RATIONAL, ratio)]
        };
        Self {
            exact: Some(exact),
            approx: ratio.approx(),
        }
    }
}

/// Applies `operation` to two exact forms. The outer none is an overflow, which makes the whole
/// number unreadable rather than inexact: large numbers that differ must not become the same.
#[expect(
    clippy::option_option,
    reason = "the two levels mean overflow and inexactness"
)]
fn both(
    left: &Number,
    right: &Number,
    operation: impl Fn(&Terms, &Terms) -> Option<Terms>,
) -> Option<Option<Terms>> {
    match (&left.exact, &right.exact) {
        (Some(left), Some(right)) => operation(left, right).map(Some),
        _ => Some(None),
    }
}

fn is_rational(terms: &Terms) -> bool {
    terms.iter().all(|(of, _)| *of == RATIONAL)
}

fn add_term(terms: &mut Terms, (of, by): (Irrational, Ratio)) -> Option<()> {
    match terms.binary_search_by_key(&of, |(of, _)| *of) {
        Ok(at) => {
            let sum = terms.get(at)?.1.add(by)?;
            if sum == Ratio::ZERO {
                terms.remove(at);
            } else {
                terms.get_mut(at)?.1 = sum;
            }
        }
        Err(at) => terms.insert(at, (of, by)),
    }
    Some(())
}

fn mul_terms(
    (a, by_a): (Irrational, Ratio),
    (b, by_b): (Irrational, Ratio),
) -> Option<(Irrational, Ratio)> {
    let common = gcd(u128::from(a.radicand), u128::from(b.radicand));
    let common = u64::try_from(common).ok()?;
    let radicand = (a.radicand / common).checked_mul(b.radicand / common)?;
    let by = by_a.mul(by_b)?.mul(Ratio::int(i128::from(common)))?;
    Some((
        Irrational {
            pi: a.pi.checked_add(b.pi)?,
            radicand,
        },
        by,
    ))
}

/// `√(n/d) = √(n·d) / d`, with square factors taken out of the root.
fn square_root(of: Ratio) -> Option<Terms> {
    let radicand = u64::try_from(of.num.checked_mul(of.den)?).ok()?;
    if radicand == 0 {
        return Some(Vec::new());
    }
    let (outside, inside) = split_squares(radicand)?;
    let by = Ratio::new(i128::from(outside), of.den)?;
    Some(vec![(
        Irrational {
            pi: 0,
            radicand: inside,
        },
        by,
    )])
}

/// `n = outside² · inside`, where no square divides `inside`. Trial division up to the cube root
/// leaves at most two prime factors.
fn split_squares(n: u64) -> Option<(u64, u64)> {
    if n > MAX_RADICAND {
        return None;
    }
    let (mut rest, mut outside, mut inside) = (n, 1, 1);
    let mut divisor = 2;
    while divisor * divisor * divisor <= rest {
        while rest.is_multiple_of(divisor * divisor) {
            rest /= divisor * divisor;
            outside *= divisor;
        }
        if rest.is_multiple_of(divisor) {
            rest /= divisor;
            inside *= divisor;
        }
        divisor += 1;
    }
    let root = rest.isqrt();
    if root * root == rest {
        Some((outside * root, inside))
    } else {
        Some((outside, inside * rest))
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests;
