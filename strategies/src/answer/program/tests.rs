use proptest::prelude::*;

use super::*;
use crate::answer::equivalent;

fn shows(program: &str) -> String {
    match run(program) {
        Ok(result) => result.to_string(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

#[track_caller]
fn assert_shows(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(
            &shows(&format!("print({expression})")),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn operators_bind_and_round_as_in_python() {
    assert_shows(&[
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("10 - 3 - 2", "5"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ** 2", "-4"),
        ("2 ** -1", "0.5"),
        ("-7 // 2", "-4"),
        ("7 // -2", "-4"),
        ("-7 % 3", "2"),
        ("7 % -3", "-2"),
        ("-7.5 % 2", "0.5"),
        ("2 * -3", "-6"),
        ("+-+2", "-2"),
        ("100 / 8 / 5 * 2", "5"),
        ("0 ** 0", "1"),
    ]);
}

#[test]
fn functions_mean_what_they_do_in_python() {
    assert_shows(&[
        ("round(0.5)", "0"),
        ("round(1.5)", "2"),
        ("round(-2.5)", "-2"),
        ("round(2.675, 2)", "2.68"),
        ("round(1250, -2)", "1200"),
        ("int(-7 / 2)", "-3"),
        ("float(3)", "3"),
        ("abs(-2 / 3)", "2/3"),
        ("max(1, 2.5, 2)", "2.5"),
        ("min([4, 3,])", "3"),
        ("sum([1, 2, 3])", "6"),
        ("sum(1, 2)", "3"),
        ("sum([])", "0"),
    ]);
}

#[test]
fn numbers_are_exact_and_written_as_people_write_them() {
    assert_shows(&[
        ("0.1 + 0.2", "0.3"),
        ("1_000.50", "1000.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("25E-1", "2.5"),
        ("-1 / 40", "-0.025"),
        ("1 / 3 * 3", "1"),
        ("-2 / 6", "-1/3"),
        ("00", "0"),
        (
            "2 ** 64 * 2 ** 64",
            "340282366920938463463374607431768211456",
        ),
    ]);
}

#[test]
fn what_is_no_straight_arithmetic_has_no_result() {
    for program in [
        "",
        "x = 3",
        "print()",
        "print(1, 2)",
        "print(\"12\")",
        "print(f\"{1}\")",
        "print(1) print(2)",
        "print(1",
        "print(007)",
        "print(1__0)",
        "print(1_)",
        "print(2x)",
        "print(1 = 1)",
        "print(1 < 2)",
        "print([1, 2])",
        "print(x)",
        "print(sqrt(4))",
        "print(round())",
        "print(max())",
        "import math\nprint(1)",
        "for i in x: print(1)",
        "x += 1\nprint(x)",
        "sum = 3\nprint(sum(1, 2))",
        "print(4 ** 0.5)",
        "print(1 / 0)",
        "print(1 % 0)",
        "print(0 ** -1)",
        "print(1)\nprint(1 / 0)",
    ] {
        assert!(run(program).is_err(), "{program}: {}", shows(program));
    }
}

#[test]
fn the_number_printed_last_counts_and_texts_beside_it_do_not() {
    assert_eq!(shows("print(1)\nprint(2)"), "2");
    assert_eq!(
        shows("a = 6 # each\n\n  b=a*7\nprint('Total:', b, \"it's\",)"),
        "42"
    );
    assert_eq!(shows("größe = 3\nprint(größe)"), "3");
    assert_eq!(shows("x = 4\nanswer = x * 2"), "8");
    assert_eq!(shows("answer = 8\nx = 4"), "NoResult");
    assert_eq!(shows("answer = 8\nprint(9)"), "9");
    assert_eq!(shows("sum = 3\nprint(sum)"), "3");
}

#[test]
fn every_bound_is_kept() {
    let nested = |depth: usize| format!("print({}1{})", "(".repeat(depth), ")".repeat(depth));
    let digits = |count: usize| format!("print({})", "9".repeat(count));
    let lines = |count: usize| "x = 1\n".repeat(count) + "print(x)";
    let long = |bytes: usize| format!("print(1){}", " ".repeat(bytes - 8));
    for (within, beyond) in [
        (nested(31), nested(32)),
        (digits(100), digits(101)),
        (lines(63), lines(64)),
        (long(4096), long(4097)),
        ("print(2 ** 64)".to_owned(), "print(2 ** 65)".to_owned()),
        ("print(2 ** -64)".to_owned(), "print(2 ** -65)".to_owned()),
        ("print(1e64)".to_owned(), "print(1e65)".to_owned()),
        (
            "print(round(1, 64))".to_owned(),
            "print(round(1, 65))".to_owned(),
        ),
        (
            "print((2 ** 31) ** 64)".to_owned(),
            "print((2 ** 32) ** 64)".to_owned(),
        ),
    ] {
        assert!(run(&within).is_ok(), "{within}: {}", shows(&within));
        assert_eq!(run(&beyond), Err(Refusal::TooLarge), "{beyond}");
    }
    let power = "x = (2 ** 31) ** 64\n";
    for last in [
        "x * x",
        "x / (1 / x)",
        "1 / x / x",
        "x // (1 / x)",
        "1 / x + 1 / (x - 1)",
    ] {
        assert_eq!(
            run(&format!("{power}print({last})")),
            Err(Refusal::TooLarge),
            "{last}"
        );
    }
    let signs = format!("print({}1)", "-".repeat(4000));
    assert_eq!(run(&signs), Err(Refusal::TooLarge));
}

#[test]
fn a_result_votes_with_what_texts_say() {
    for (expression, told) in [
        ("6 * 7", "42"),
        ("9 / 2", "$4.50"),
        ("9 / 2", "\\frac{9}{2}"),
        ("2 / 3", "2/3"),
        ("2 / 3", "0.66666667"),
        ("1000 * 12", "12,000 dollars"),
        ("2 ** 50 * 2 ** 50", "1267650600228229401496703205376"),
    ] {
        let result = run(&format!("print({expression})"))
            .unwrap()
            .answer()
            .unwrap();
        let told = AnswerValue::parse(told).unwrap();
        assert!(equivalent(&result, &told), "{expression} and {told}");
    }
    let third = run("print(2 / 3)").unwrap().answer().unwrap();
    for other in ["0.67", "0.666", "2", "3/2"] {
        assert!(
            !equivalent(&third, &AnswerValue::parse(other).unwrap()),
            "{other}"
        );
    }
}

#[test]
fn the_program_is_found_where_models_put_it() {
    const PROGRAM: &str = "x = 6\nprint(x * 7)\n";
    for reply in [
        format!("```python\n{PROGRAM}```"),
        format!("Here it is:\n\n```\n{PROGRAM}```\nIt prints the product."),
        format!("```python\nprint(1)\n```\nNo, better:\n```py\n{PROGRAM}```"),
        format!("```python\n{PROGRAM}```\nOutput:\n```\n41\n```"),
        format!("```Python\r\n{PROGRAM}"),
        format!("  ```python\n{PROGRAM}  ```"),
        format!("I multiply.\n{PROGRAM}That is all."),
        format!("print(1)\nNo, better.\n# Better\n{PROGRAM}\n# So it is\n"),
        PROGRAM.to_owned(),
        format!("```text\nnothing\n```\n{PROGRAM}"),
    ] {
        assert_eq!(find(&reply), Some(PROGRAM), "{reply}");
        assert_eq!(answer(&reply).unwrap().to_string(), "42");
    }
    for none in [
        "",
        "The answer is 42.",
        "# Answer\n\n42",
        "```sql\nSELECT 1\n```",
    ] {
        assert!(answer(none).is_none(), "{none}");
    }
    let behind = format!("{PROGRAM}{}", "A long farewell.\n".repeat(4096));
    assert_eq!(find(&behind), None, "further away than is looked");
}

/// An expression with an evaluator of its own.
#[derive(Debug, Clone)]
enum Tree {
    Binary(usize, Box<Self>, Box<Self>),
    Negated(Box<Self>),
    Number(u8, u8),
    Power(Box<Self>, i8),
}

/// Operators and their rank.
const BINARY: [(&str, u8); 6] = [("+", 1), ("-", 1), ("*", 2), ("/", 2), ("//", 2), ("%", 2)];
const SIGNED: u8 = 3;
const POWER: u8 = 4;
const ATOM: u8 = 5;

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

impl Tree {
    /// The value; none where it divides by zero or is beyond the machine's numbers.
    fn value(&self) -> Option<Fraction> {
        match self {
            Self::Number(whole, tenths) => {
                fraction(i128::from(*whole) * 10 + i128::from(*tenths), 10)
            }
            Self::Negated(of) => times(of.value()?, (-1, 1)),
            Self::Power(base, exponent) => {
                let (num, den) = base.value()?;
                let base = if *exponent < 0 {
                    fraction(den, num)?
                } else {
                    (num, den)
                };
                (0..exponent.unsigned_abs()).try_fold((1, 1), |power, _| times(power, base))
            }
            Self::Binary(operator, left, right) => {
                let (left, (num, den)) = (left.value()?, right.value()?);
                let quotient = || times(left, fraction(den, num)?);
                let floored = || quotient().map(|(num, den)| (num.div_euclid(den), 1));
                match BINARY[*operator].0 {
                    "+" => plus(left, (num, den)),
                    "-" => plus(left, (-num, den)),
                    "*" => times(left, (num, den)),
                    "/" => quotient(),
                    "//" => floored(),
                    _ => plus(left, times(times(floored()?, (num, den))?, (-1, 1))?),
                }
            }
        }
    }

    /// The expression with as few parentheses as Python needs, or with all of them, and its rank.
    fn written(&self, is_full: bool) -> (String, u8) {
        let part = |tree: &Self, least: u8| {
            let (text, rank) = tree.written(is_full);
            if rank < least || is_full {
                format!("({text})")
            } else {
                text
            }
        };
        match self {
            Self::Number(whole, 0) => (whole.to_string(), ATOM),
            Self::Number(whole, tenths) => (format!("{whole}.{tenths}"), ATOM),
            Self::Negated(of) => (format!("-{}", part(of, SIGNED)), SIGNED),
            Self::Power(base, by) => (format!("{}**{by}", part(base, ATOM)), POWER),
            Self::Binary(operator, left, right) => {
                let (sign, rank) = BINARY[*operator];
                let (left, right) = (part(left, rank), part(right, rank + 1));
                (format!("{left} {sign} {right}"), rank)
            }
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let number = (any::<u8>(), 0_u8..10).prop_map(|(whole, tenths)| Tree::Number(whole, tenths));
    number.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            4 => (0..BINARY.len(), inner.clone(), inner.clone())
                .prop_map(|(operator, a, b)| Tree::Binary(operator, Box::new(a), Box::new(b))),
            1 => inner.clone().prop_map(|of| Tree::Negated(Box::new(of))),
            1 => (inner, -4_i8..5).prop_map(|(base, by)| Tree::Power(Box::new(base), by)),
        ]
    })
}

proptest! {
    #[test]
    fn parentheses_that_python_does_not_need_change_nothing(tree in trees()) {
        let [bare, full] = [false, true].map(|is_full| tree.written(is_full).0);
        prop_assert_eq!(run(&format!("print({bare})")), run(&format!("print({full})")), "{}", bare);
    }

    #[test]
    fn values_are_those_of_an_evaluator_with_machine_numbers(tree in trees()) {
        let expected = tree.value();
        prop_assume!(expected.is_some());
        let (num, den) = expected.unwrap();
        let text = tree.written(false).0;
        let same = format!("print(({text}) - ({num}) / {den})");
        prop_assert_eq!(shows(&same), "0", "{} is {}/{}", text, num, den);
    }

    #[test]
    fn a_result_is_read_again_as_it_is_written(tree in trees()) {
        if let Ok(result) = run(&format!("print({})", tree.written(false).0)) {
            let again = run(&format!("print({result})"));
            prop_assert!(again == Ok(result) || again == Err(Refusal::TooLarge));
        }
    }

    #[test]
    fn no_reply_makes_reading_panic(
        reply in "(```|python|print\\(|x|\n|=|\\*\\*|//|[-+*/%(),.\\[\\]'\"#_]|[0-9]|e|sum|\
            round|\\PC| ){0,60}",
    ) {
        let _result = run(&reply);
        let _answer = answer(&reply);
        prop_assert!(find(&reply).is_none_or(|program| reply.contains(program)));
    }
}
