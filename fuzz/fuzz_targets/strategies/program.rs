//! Programs of arithmetic that models write: a result is read again as it is written, comments and
//! blank lines change nothing, a fence hides nothing, and an expression has the value that an
//! evaluator in machine numbers gives it.
#![no_main]

use hone_strategies::program::{MOST_BYTES, MOST_LINES, Refusal, find, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = find(text);
    assert!(found.is_none_or(|program| text.contains(program)));
    for program in [Some(text), found].into_iter().flatten() {
        read_again(program);
    }
    calculated(text.as_bytes());
});

fn read_again(program: &str) {
    let result = run(program);
    let Ok(value) = &result else { return };
    assert!(program.len() <= MOST_BYTES);
    let read = program.lines().filter(|line| !line.trim().is_empty());
    assert!(read.filter(|line| !line.trim().starts_with('#')).count() <= MOST_LINES);
    let again = run(&format!("print({value})"));
    assert!(
        again == result || again == Err(Refusal::TooLarge),
        "{value}"
    );
    assert!(value.answer().is_some(), "{value}");
    if !program.contains("```") {
        let block = format!("So:\n```python\n# a comment\n\n{program}\n```\nDone.");
        let fenced = find(&block).expect("a block");
        assert!(run(fenced) == result || fenced.len() > MOST_BYTES);
    }
}

/// A reduced fraction with a positive denominator.
type Fraction = (i128, i128);

fn fraction(num: i128, den: i128) -> Option<Fraction> {
    let (mut a, mut b) = (num.checked_abs()?, den.checked_abs()?);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let divisor = a.checked_mul(den.signum()).filter(|_| den != 0)?;
    Some((num / divisor, den / divisor))
}

fn times((a, b): Fraction, (c, d): Fraction) -> Option<Fraction> {
    fraction(a.checked_mul(c)?, b.checked_mul(d)?)
}

fn plus((a, b): Fraction, (c, d): Fraction) -> Option<Fraction> {
    let num = a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?;
    fraction(num, b.checked_mul(d)?)
}

/// Applies what the bytes say, each an operator and a number, from left to right: once here, once
/// as a program with a line for each.
fn calculated(bytes: &[u8]) {
    let mut value = Some((1, 1));
    let mut program = "x = 1\n".to_owned();
    for pair in bytes.chunks_exact(2).take(MOST_LINES - 2) {
        let (num, den) = (i128::from(pair[1] % 16), i128::from(pair[1] / 16 % 4 + 1));
        let right = format!("({num} / {den})");
        let quotient = |left| times(left, fraction(den, num)?);
        let floored = |left| quotient(left).map(|(num, den): Fraction| (num.div_euclid(den), 1));
        let (sign, next): (_, Option<Fraction>) = match pair[0] % 7 {
            0 => ("+", value.and_then(|left| plus(left, fraction(num, den)?))),
            1 => ("-", value.and_then(|left| plus(left, fraction(-num, den)?))),
            2 => ("*", value.and_then(|left| times(left, fraction(num, den)?))),
            3 => ("/", value.and_then(quotient)),
            4 => ("//", value.and_then(floored)),
            5 => (
                "%",
                value.and_then(|left| {
                    let whole = times(floored(left)?, fraction(-num, den)?)?;
                    plus(left, whole)
                }),
            ),
            _ => (
                "* -1 -",
                value.and_then(|left| plus(times(left, (-1, 1))?, fraction(-num, den)?)),
            ),
        };
        value = next;
        program.push_str(&format!("x = x {sign} {right}\n"));
    }
    let Some((num, den)) = value else { return };
    let same = run(&format!("{program}print(x - ({num}) / {den})"));
    assert_eq!(
        same.map(|zero| zero.to_string()),
        Ok("0".to_owned()),
        "{program}"
    );
}
