use proptest::prelude::*;

use super::*;

fn value(text: &str) -> AnswerValue {
    AnswerValue::parse(text).unwrap_or_else(|| panic!("{text:?} has no value"))
}

fn same(left: &str, right: &str) -> bool {
    equivalent(&value(left), &value(right))
}

/// Answers as they are written in collections of mathematical problems, and another form of each.
const SAME: &[(&str, &str)] = &[
    (r"\frac{1}{2}", "0.5"),
    (r"\dfrac{1}{2}", r"\frac12"),
    (r"\tfrac{3}{4}", "3/4"),
    (r"-\frac{2}{3}", r"\frac{-2}{3}"),
    (r"\frac{2}{4}", "1/2"),
    (r"2\frac{1}{2}", "2.5"),
    ("1 1/2", r"\frac{3}{2}"),
    ("2½", "5/2"),
    (r"\sqrt{12}", r"2\sqrt{3}"),
    (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"),
    (r"\sqrt2", "sqrt(2)"),
    (r"3+2\sqrt{2}", r"2\sqrt2 + 3"),
    (r"\sqrt[3]{8}", "2"),
    (r"2\pi", "2π"),
    (r"\frac{\pi}{4}", "pi/4"),
    (r"18\pi^2", r"2 \cdot 9 \pi^{2}"),
    (r"\pi", "3.14159265"),
    ("1,234", "1234"),
    (r"1{,}000{,}000", "1000000"),
    (r"1\,000\,000", "10^6"),
    ("1 000 000", "1e6"),
    (r"6.02 \times 10^{23}", "6.02e23"),
    ("1.5 x 10^3", "1500"),
    ("42", "42.0"),
    ("042", "42"),
    ("−7", "-7"),
    ("+3", "3"),
    ("(5)", "5"),
    (r"$42$", "42"),
    (r"\(42\)", "**42**"),
    (r"\[42\]", "42."),
    (r"\text{42}", "42"),
    (r"\mathbf{42}", "`42`"),
    (r"90^\circ", "90 degrees"),
    (r"90^{\circ}", "90°"),
    (r"45°", "45"),
    (r"50\%", "50 percent"),
    (r"12.5%", "12.5"),
    (r"\$18", "18 dollars"),
    (r"\$1,200.50", "$1200.5"),
    ("-$5", "-5"),
    ("€5", "5 euros"),
    ("9 eggs", "9"),
    ("5 km", "5 kilometers"),
    ("5km", "5"),
    (r"5\text{ cm}", r"5\,\mathrm{cm}"),
    (r"12\text{ cm}^2", "12 square centimeters"),
    ("60 miles per hour", "60 mi/h"),
    ("3 million", "3000000"),
    ("2 dozen eggs", "24"),
    ("x = 5", "5"),
    (r"x=\frac{1}{2}", "0.5"),
    ("f(x) = 2x + 1", "2x+1"),
    ("x = 6/3 = 2", "2"),
    (r"x \approx 3.5", "7/2"),
    ("(1, 2)", r"\left(1,2\right)"),
    ("(x, y) = (1, 2)", "(1,2)"),
    ("x = 1, y = 2", "y=2, x=1"),
    ("x = 1 or x = 2", "2, 1"),
    (r"\{1, 2, 3\}", "{3,2,1}"),
    (r"\left\{1, 2\right\}", "1 and 2"),
    ("1, -2", "-2, 1"),
    ("{1, 1, 2}", "{1, 2}"),
    (r"\pm 3", "3, -3"),
    (r"1 \pm \sqrt{2}", r"1-\sqrt2, 1+\sqrt2"),
    ("[0, 1)", r"\left[0,1\right)"),
    (
        r"(-\infty, 2) \cup (3, \infty)",
        r"(3,\infty)\cup(-\infty,2)",
    ),
    (r"x \in [-1, 1]", "[-1,1]"),
    (r"\frac{x}{2}", "x/2"),
    (r"\frac{x+1}{2}", "(x+1)/2"),
    ("x^{2}", "x^2"),
    (r"x \le 3", "x <= 3"),
    ("Yes", "yes."),
    ("True", "yes"),
    ("2024-03-05", "2024/03/05"),
    (r"\text{Paris}", "Paris"),
    ("the Eiffel Tower", "Eiffel  tower"),
    ("\"Evelyn\"", "evelyn"),
    ("p - q", "p - q"),
];

/// Pairs that a careless comparison would merge.
const DISTINCT: &[(&str, &str)] = &[
    ("12", "13"),
    ("1", "10"),
    ("0.333", "1/3"),
    ("3.14", r"\pi"),
    ("1234567890123456789", "1234567890123456788"),
    (
        "123456789012345678901234567890123456789012345",
        "123456789012345678901234567890123456789012346",
    ),
    ("2^200", "2^200 + 1"),
    ("-5", "5"),
    ("50%", "0.5"),
    ("5 m", "5 cm"),
    ("$5", "€5"),
    ("5", "5 million"),
    ("5", "5 and a half"),
    ("3", "3x"),
    ("2", "2i"),
    ("2", "2 ab"),
    ("5", "5!"),
    ("5", "5th"),
    ("1011", "1011_2"),
    ("3:4", "3/4"),
    ("(1, 2)", "(2, 1)"),
    ("(0, 1)", "[0, 1]"),
    ("{1, 2}", "(1, 2)"),
    ("{1, 2}", "{1, 2, 3}"),
    ("x = 1, y = 2", "x = 2, y = 1"),
    ("2024-03-05", "2016"),
    ("2024-03-05", "2024-03-06"),
    ("yes", "no"),
    ("x > 5", "x < 5"),
    ("x > 5", "5"),
    (r"\sqrt{2}", r"\sqrt{3}"),
    ("x^2", "x^3"),
    ("Paris", "London"),
    ("7 or 8", "7"),
];

#[test]
fn an_answer_of_brackets_that_never_close_is_read_in_linear_time() {
    let began = tokio::time::Instant::now();
    for bracket in ["(", "{", "((a) "] {
        assert!(AnswerValue::parse(&bracket.repeat((1 << 20) / bracket.len())).is_some());
    }
    // The square of it would be minutes.
    assert!(
        began.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn forms_of_one_answer_are_equivalent() {
    assert!(SAME.len() >= 60);
    for (left, right) in SAME {
        assert!(
            same(left, right) && same(right, left),
            "{left} and {right}: {:?} and {:?}",
            value(left),
            value(right)
        );
    }
}

#[test]
fn different_answers_are_not_equivalent() {
    for (left, right) in DISTINCT {
        assert!(
            !same(left, right) && !same(right, left),
            "{left} and {right}: {:?} and {:?}",
            value(left),
            value(right)
        );
    }
}

#[test]
fn wrapping_does_not_change_an_answer() {
    for (plain, _) in SAME.iter().chain(DISTINCT) {
        for wrapped in [
            format!("**{plain}**"),
            format!("${plain}$"),
            format!(" {plain} "),
            format!("`{plain}`"),
            format!("\"{plain}\""),
        ] {
            assert!(
                same(plain, &wrapped),
                "{plain} and {wrapped}: {:?} and {:?}",
                value(plain),
                value(&wrapped)
            );
        }
    }
}

fn found(text: &str, question: &str) -> Option<(String, Rule)> {
    extract(text, &Question::of(question)).map(|found| (found.value.to_string(), found.rule))
}

const HOW_MANY: &str = "How many eggs are left?";
const WHICH: &str = "Which is the capital of France?\nA) Rome\nB) Paris\nC) Berlin";
const OPEN: &str = "Tell me about rivers.";

fn assert_found(rule: Rule, rows: &[(&str, &str, &str)]) {
    for (text, question, answer) in rows {
        let expected = Some(((*answer).to_owned(), rule));
        assert_eq!(found(text, question), expected, "{text}");
    }
}

#[test]
fn an_answer_in_the_form_that_was_asked_for_is_found() {
    assert_found(
        Rule::Contract,
        &[
            ("16 - 7 = 9\nFinal answer: 9", HOW_MANY, "9"),
            ("**Final answer:** 9 eggs", HOW_MANY, "9 eggs"),
            ("Final answer:\n\n9", HOW_MANY, "9"),
            ("### Final Answer: \\boxed{9}", HOW_MANY, "9"),
            ("Final answer: <9>", HOW_MANY, "9"),
            ("Final answer: 8. Wait.\nFinal answer: 9", HOW_MANY, "9"),
            ("Final answer: (B)", WHICH, "B"),
            ("Final answer: Paris", WHICH, "B"),
        ],
    );
}

#[test]
fn a_boxed_answer_is_found() {
    assert_found(
        Rule::Boxed,
        &[
            ("So it is $\\boxed{\\frac{1}{2}}$.", OPEN, "\\frac{1}{2}"),
            ("First \\boxed{3}, then \\boxed{4}.", OPEN, "4"),
            ("It is \\boxed 7.", OPEN, "7"),
            ("\\fbox{5}", OPEN, "5"),
            ("\\boxed{\\text{(B)}}", WHICH, "B"),
        ],
    );
}

#[test]
fn a_labelled_answer_is_found() {
    assert_found(
        Rule::Labelled,
        &[
            ("The answer is 3.14. It is nearly pi.", OPEN, "3.14"),
            ("The final answer is: **12**.", OPEN, "12"),
            ("Answer: Dr. Smith", OPEN, "Dr. Smith"),
            ("She sells 9.\n#### 18", HOW_MANY, "18"),
            ("答案：42", OPEN, "42"),
            ("Hmm.\nTherefore, x + y = 12.", OPEN, "12"),
            (
                "So the total is 12.\nGlad to help with anything else that you may need from me \
                    today!",
                OPEN,
                "12",
            ),
            (
                "The answer is that she has 18 of them in her basket now",
                HOW_MANY,
                "18",
            ),
            ("The correct answer is option B.", WHICH, "B"),
            ("The answer is B) Paris", WHICH, "B"),
        ],
    );
}

#[test]
fn an_answer_that_nothing_marks_is_found_by_its_form() {
    assert_found(
        Rule::Option,
        &[
            ("A is in Italy.\nI choose **B** here.", WHICH, "B"),
            ("B", WHICH, "B"),
        ],
    );
    assert_found(
        Rule::Json,
        &[
            ("{\"reason\": \"…\", \"answer\": 42}", OPEN, "42"),
            ("```json\n{\"answer\": \"42\"}\n```", OPEN, "42"),
        ],
    );
    assert_found(
        Rule::ShortLine,
        &[
            ("42", OPEN, "42"),
            (
                "We subtract and get a result.\n\n9 eggs",
                HOW_MANY,
                "9 eggs",
            ),
            ("Yes, because 7 divides it.", "Is 91 composite?", "yes"),
        ],
    );
    assert_found(
        Rule::LastNumber,
        &[(
            "After breakfast and baking there were still 9 eggs that could be sold on the market.",
            HOW_MANY,
            "9",
        )],
    );
}

#[test]
fn what_no_rule_recognises_abstains() {
    for (text, question) in [
        ("", HOW_MANY),
        ("<think>The answer is 5", HOW_MANY),
        (
            "Rivers are long.\nThe Nile has 6,650 km.\nI hope this helps!",
            OPEN,
        ),
        ("A train leaves the station.\nA dog barks.", WHICH),
        ("Final answer: <answer>", OPEN),
        ("Final answer: D", WHICH),
        (
            "The answer depends on many things that we cannot know.\nAsk again.",
            HOW_MANY,
        ),
    ] {
        assert_eq!(found(text, question), None, "{text}");
    }
}

#[test]
fn code_is_compared_without_its_layout() {
    let question = Question::of("Write a function that adds.");
    let read = |text: &str| extract(text, &question).unwrap();
    let first = read("Sure:\n```python\ndef add(a, b):\n    return a  +  b\n\n```\nDone.");
    assert_eq!(first.rule, Rule::Code);
    assert!(equivalent(
        &first.value,
        &read("```\ndef add(a, b):\n    return a + b\n```").value
    ));
    assert!(!equivalent(
        &first.value,
        &read("```\ndef add(a, b):\n    return a - b\n```").value
    ));
}

#[test]
fn a_huge_reply_costs_no_more_than_its_end() {
    for unit in [
        "\\boxed{",
        "answer is ",
        "Final answer: ",
        "(A) ",
        "{",
        "[",
        "####\n",
        "\\frac{",
        "1 ",
        "```\n",
        "option A ",
        "= ",
    ] {
        let text = unit.repeat((1 << 20) / unit.len());
        for question in [HOW_MANY, WHICH, OPEN, "Write a function."] {
            let question = Question::of(question);
            std::hint::black_box(extract(&text, &question));
        }
        std::hint::black_box(Question::of(&text));
    }
}

proptest! {
    #[test]
    fn distinct_numbers_never_merge(left in any::<i64>(), right in any::<i64>(),
        digits in 0_usize..6) {
        let written = |n: i64| format!("{}.{}", n, "0".repeat(digits) + "25");
        prop_assert_eq!(same(&left.to_string(), &right.to_string()), left == right);
        prop_assert_eq!(same(&written(left), &written(right)), left == right);
    }

    #[test]
    fn a_number_is_itself_in_every_format(n in 0_u32..10_000_000) {
        let grouped = n.to_string().as_bytes().rchunks(3).rev()
            .map(|group| std::str::from_utf8(group).unwrap()).collect::<Vec<_>>().join(",");
        let forms = [
            grouped, format!("{n}.0"), format!("\\boxed{{{n}}}"), format!("**{n}**"), format!("x = \
                {n}"), format!("\\frac{{{}}}{{2}}", u64::from(n) * 2),
            format!("{n} apples"), format!("${n}$"), format!("{n}."), format!("\\text{{{n}}}"),
        ];
        for form in forms {
            prop_assert!(same(&n.to_string(), &form), "{}", form);
        }
    }

    #[test]
    fn comparing_is_reflexive_and_symmetric_and_never_panics(
        left in "(\\\\frac|\\\\sqrt|\\{|\\}|\\(|\\)|\\[|,|1|23|x|π|=|±|∪|-|/|\\^| |\\.|%|\\$|é|and \
            ){0,16}",
        right in ".{0,40}",
    ) {
        if let (Some(left), Some(right)) = (AnswerValue::parse(&left), AnswerValue::parse(&right)) {
            prop_assert!(equivalent(&left, &left) && equivalent(&right, &right));
            prop_assert_eq!(equivalent(&left, &right), equivalent(&right, &left));
        }
    }

    #[test]
    fn extraction_never_panics(
        text in "(Final answer:|answer is|\\\\boxed|\\{|\\}|\\(|B|\\)|\\*\\*|####|```|\n\
            |therefore|=|4|2|\\.|, |é|<think>|</think>){0,24}",
        question in prop::sample::select(vec![HOW_MANY, WHICH, OPEN, "Is it so?", "Write a \
            function."]),
    ) {
        extract(&text, &Question::of(question));
    }

    #[test]
    fn a_contract_line_is_always_found(prose in "[a-zA-Z0-9 .,:*\n]{0,100}", n in any::<i32>()) {
        let found = extract(&format!("{prose}\nFinal answer: {n}"), &Question::of(HOW_MANY))
            .unwrap();
        prop_assert!(equivalent(&found.value, &value(&n.to_string())));
    }
}
