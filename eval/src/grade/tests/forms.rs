//! How models write their answers, and what each reply is worth. The kind is the one that suits
//! what is expected, as in a dataset that names none.

use hone_strategies::answer::Question;

use crate::grade::{Grader, Kind};

const RIGHT: bool = true;
const WRONG: bool = false;

/// Grades each reply to `question`, to which `expected` is right.
fn check(question: &str, expected: &str, replies: &[(&str, bool)]) {
    let shape = Question::of(question);
    let expected = vec![expected.to_owned()];
    let kind = Kind::fitting(&expected, &shape);
    let grader = Grader::new(kind, &expected, &shape).unwrap();
    for (reply, right) in replies {
        assert_eq!(
            grader.grade(reply, &shape),
            Some(*right),
            "{question} {expected:?} {kind:?}\n{reply}\nread as {:?}",
            grader.value(reply, &shape).map(|value| value.to_string())
        );
    }
}

#[test]
fn numbers_in_prose_and_in_notation() {
    check(
        "How many clips did she sell altogether?",
        "72",
        &[
            (
                "Natalia sold 48/2 = 24 clips in May.\nIn all 48+24 = 72.\n#### 72",
                RIGHT,
            ),
            ("She sold 72 clips.", RIGHT),
            ("**72**", RIGHT),
            ("```\n72\n```", RIGHT),
            ("The total:\n\n```text\n72\n```", RIGHT),
            ("`72`", RIGHT),
            (r"\[ 48 + 24 = \boxed{72} \]", RIGHT),
            (r"The result is \(72\).", RIGHT),
            ("$$48 + 24 = 72$$", RIGHT),
            ("{\"answer\": 72}", RIGHT),
            ("Answer: seventy-two, that is 72 clips", RIGHT),
            ("72.0", RIGHT),
            ("48 + 24 = 72 clips in total, so 72.", RIGHT),
            ("She sold 24 clips.", WRONG),
            ("#### 24", WRONG),
            ("I cannot tell.", WRONG),
        ],
    );
}

#[test]
fn fractions_in_every_notation() {
    check(
        "What is the probability of it?",
        "3/4",
        &[
            (r"The probability is \(\tfrac34\).", RIGHT),
            (r"$\dfrac{3}{4}$", RIGHT),
            (r"So we have $P = \frac{3}{4}$ in the end.", RIGHT),
            ("That makes ¾.", RIGHT),
            ("0.75", RIGHT),
            ("It is 75%.", RIGHT),
            ("3 out of 4, i.e. 3/4", RIGHT),
            (r"\[\frac{6}{8}\]", RIGHT),
            (r"The probability is \(\tfrac43\).", WRONG),
            (r"It is \frac{1}{4}.", WRONG),
        ],
    );
}

#[test]
fn units_and_currencies() {
    check(
        "How fast does it go?",
        "60 km/h",
        &[
            ("60 km/h", RIGHT),
            ("It goes at 60 kilometers per hour.", RIGHT),
            ("Its speed is 60kph", RIGHT),
            (r"\boxed{60\text{ km/h}}", RIGHT),
            ("60", RIGHT),
            ("60 miles per hour", WRONG),
            ("It goes at 60 miles an hour.", WRONG),
            ("It goes at 60 kilometers an hour.", RIGHT),
            ("It goes at 60 mph.", WRONG),
            ("It goes at about 60 miles per hour on average.", WRONG),
            ("Final answer: 60 m/s", WRONG),
            ("The speed is **60 mi/h**.", WRONG),
        ],
    );
    check(
        "How much does it cost?",
        "$18",
        &[
            ("She makes 9 * 2 = $18 a day.", RIGHT),
            ("18 dollars", RIGHT),
            (r"\$18", RIGHT),
            ("It costs $18.00.", RIGHT),
            ("It costs €18.", WRONG),
            ("18 cents", WRONG),
        ],
    );
    check(
        "How warm is it there?",
        "20 °C",
        &[
            ("It is 20 degrees Celsius.", RIGHT),
            (r"$20^\circ\text{C}$", RIGHT),
            ("20 °F", WRONG),
            ("It is 20 degrees Fahrenheit.", WRONG),
        ],
    );
    check(
        "What is the value?",
        "5 gallons",
        &[("5 liters", WRONG), ("5 gal", RIGHT)],
    );
    check(
        "What is the value?",
        "5 kg",
        &[("It is 5 pounds.", WRONG), ("5 kilograms", RIGHT)],
    );
}

#[test]
fn yes_and_no() {
    check(
        "Is 97 a prime number?",
        "yes",
        &[
            ("Yes, it is.", RIGHT),
            ("yes", RIGHT),
            ("YES!", RIGHT),
            ("**Yes** — 97 has no divisors but 1 and itself.", RIGHT),
            (
                "Yes. It is not divisible by 2, 3, 5 or 7, so no smaller prime divides it.",
                RIGHT,
            ),
            ("Yep.", RIGHT),
            ("**Answer:** Yes", RIGHT),
            ("Absolutely.", RIGHT),
            (
                "97 is not divisible by 2, 3, 5 or 7.\n\nTherefore, yes, it is prime.",
                RIGHT,
            ),
            ("Let me check 2, 3, 5 and 7. So the answer is yes.", RIGHT),
            ("```\nyes\n```", RIGHT),
            ("That is true.", RIGHT),
            ("Answer: Yes", RIGHT),
            ("No, it isn't.", WRONG),
            ("That is not true.", WRONG),
            (
                "At first sight yes.\nBut 97 = 1 * 97, so the answer is no.",
                WRONG,
            ),
            ("There is no way to know.", WRONG),
        ],
    );
    check(
        "The statement: all swans are white. True or false?",
        "false",
        &[
            ("False. There are black swans.", RIGHT),
            ("No, not all of them.", RIGHT),
            ("The statement is false.", RIGHT),
            ("The statement isn't true.", RIGHT),
            ("*False*", RIGHT),
            ("The statement is true.", WRONG),
            ("True.", WRONG),
        ],
    );
}

#[test]
fn letters_of_options() {
    let metal = "Which is a metal?\nA) wood\nB) iron\nC) clay\nD) glass";
    check(
        metal,
        "B",
        &[
            ("B", RIGHT),
            ("b", RIGHT),
            ("(B)", RIGHT),
            ("B) iron", RIGHT),
            ("option B", RIGHT),
            ("Option b.", RIGHT),
            ("I'd go with B.", RIGHT),
            ("b) iron", RIGHT),
            (
                "I would select choice B, since wood and clay are none.",
                RIGHT,
            ),
            ("Final: B", RIGHT),
            ("B, because iron is a metal", RIGHT),
            ("I would choose B because iron conducts.", RIGHT),
            ("My pick: B", RIGHT),
            ("B is correct.", RIGHT),
            ("It's B", RIGHT),
            ("It must be B, as A is wood.", RIGHT),
            ("Of these, only B conducts well", RIGHT),
            ("**B**", RIGHT),
            ("The correct answer would be B!", RIGHT),
            ("A is wrong, and so is C. That leaves B.", RIGHT),
            ("I'd say B rather than D.", RIGHT),
            (r"\boxed{B}", RIGHT),
            (r"The answer is \(\text{B}\).", RIGHT),
            ("```\nB\n```", RIGHT),
            ("iron", RIGHT),
            ("The answer is iron.", RIGHT),
            ("I'd go with C.", WRONG),
            ("A", WRONG),
            ("A metal is shiny. I do not know.", WRONG),
            ("Not B. I choose D.", WRONG),
            ("B comes to mind, but it is C.", WRONG),
            ("", WRONG),
        ],
    );
    check(
        "Which?\nA) x\nB) y",
        "A",
        &[("A is correct.", RIGHT), ("I think A.", RIGHT)],
    );
}

#[test]
fn words_code_and_formulas() {
    check(
        "What is the capital of France?",
        "Paris",
        &[
            ("Paris", RIGHT),
            ("The capital of France is Paris.", RIGHT),
            ("It is **Paris**, on the Seine.", RIGHT),
            ("```\nParis\n```", RIGHT),
            ("Answer: paris", RIGHT),
            ("The capital of France is Lyon.", WRONG),
            ("It is not Paris but **Lyon**.", WRONG),
        ],
    );
    check(
        "Factor the polynomial.",
        "(x+1)(x-1)",
        &[
            (r"It factors as \((x+1)(x-1)\).", RIGHT),
            (r"\boxed{(x + 1)(x - 1)}", RIGHT),
            ("$(x+1)(x-1)$", RIGHT),
            (r"It factors as \((x+1)(x-2)\).", WRONG),
        ],
    );
    check(
        "Write a function that adds two numbers.",
        "def add(a, b):\n    return a + b",
        &[
            ("```python\ndef add(a, b):\n    return a + b\n```", RIGHT),
            (
                "Here it is:\n\n```python\ndef add(a, b):\n\n    return a  + b\n```\n\nDone.",
                RIGHT,
            ),
            ("def add(a, b):\n    return a + b", RIGHT),
            ("```python\ndef add(a, b):\n    return a - b\n```", WRONG),
        ],
    );
    check(
        "Which statement prints it?",
        "print(x)",
        &[
            ("`print(x)`", RIGHT),
            ("Use this:\n```python\nprint(x)\n```", RIGHT),
            ("Use this:\n```python\nprint(y)\n```", WRONG),
        ],
    );
}

#[test]
fn what_nobody_can_read_is_unread_and_what_is_wrong_is_not() {
    let unread = |question: &str, expected: &str, reply: &str| {
        let shape = Question::of(question);
        let expected = vec![expected.to_owned()];
        let kind = Kind::fitting(&expected, &shape);
        let grader = Grader::new(kind, &expected, &shape).unwrap();
        grader.is_unread(reply, &shape)
    };
    for (question, expected, reply) in [
        ("How many?", "72", "I cannot tell."),
        ("How many?", "72", "<think>It must be 72"),
        ("Is it?", "yes", "Perhaps."),
        ("Which?\nA) x\nB) y", "A", "Both have their merits."),
        ("Where?", "Paris", "  "),
    ] {
        assert!(unread(question, expected, reply), "{reply}");
    }
    for (question, expected, reply) in [
        ("How many?", "72", "71"),
        ("Is it?", "yes", "No."),
        ("Which?\nA) x\nB) y", "A", "option B"),
        ("Where?", "Paris", "Lyon"),
    ] {
        assert!(!unread(question, expected, reply), "{reply}");
    }
}
