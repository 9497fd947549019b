use proptest::prelude::*;

use super::*;

fn printed(text: &str) -> String {
    Script::parse(text).unwrap().to_string()
}

#[test]
fn a_script_is_printed_one_command_a_line_without_comments() {
    let text = "(set-logic QF_LIA)\n; a; comment (\n(declare-const |odd name| Int)(assert (! (> \
        |odd name| #x1F) :named a))\n(check-sat)(get-model)";
    assert_eq!(
        printed(text),
        "(set-logic QF_LIA)\n(declare-const |odd name| Int)\n\
            (assert (! (> |odd name| #x1F) :named a))\n(check-sat)\n(get-model)\n"
    );
    assert_eq!(
        printed("(assert (= s \"say \"\"hi\"\" ; (\"))(check-sat)"),
        "(assert (= s \"say \"\"hi\"\" ; (\"))\n(check-sat)\n"
    );
}

#[test]
fn commands_that_touch_files_or_the_solver_itself_are_refused() {
    for command in [
        "(include \"/etc/passwd\")",
        "(check-sat-using smt)",
        "(help)",
        "(get-proof)",
        "(dbg-params)",
        "(display x)",
        "(declare-tactic t smt)",
        "(query r)",
        "(apply simplify)",
        "(reset)",
        "(|assert| true)",
        "(Include \"x\")",
    ] {
        let refused = Script::parse(&format!("{command}(check-sat)"));
        assert!(
            matches!(refused, Err(SmtError::Command(_))),
            "{command}: {refused:?}"
        );
    }
}

#[test]
fn options_that_name_files_never_reach_the_solver() {
    let text = "(set-option :regular-output-channel \"/tmp/x\")(set-option \
        :diagnostic-output-channel \"/tmp/x\")(set-option :smtlib2_log \"/tmp/x\")\
                (set-option :produce-models true)(set-info :status \
                sat)(echo \"sat\")(exit)(check-sat)";
    assert_eq!(
        printed(text),
        "(set-option :produce-models true)\n(check-sat)\n"
    );
}

#[test]
fn what_is_wrong_is_said() {
    for (text, error) in [
        (
            "(assert true",
            "the script ends before a parenthesis, text or symbol is closed",
        ),
        (
            "(assert true))(check-sat)",
            "line 1: a command in parentheses was expected",
        ),
        ("\nassert", "line 2: a command in parentheses was expected"),
        ("()", "line 1: a command in parentheses was expected"),
        (
            "(assert \"a)",
            "the script ends before a parenthesis, text or symbol is closed",
        ),
        ("(assert (= x {}))", "line 1: '{' has no place in a script"),
        (
            "(assert (= größe 1))",
            "line 1: 'ö' has no place in a script",
        ),
        ("(assert true)", "the script never says (check-sat)"),
        (
            "(push 1000000)(check-sat)",
            "the command `push` has wrong arguments",
        ),
        (
            "(check-sat x)",
            "the command `check-sat` has wrong arguments",
        ),
    ] {
        assert_eq!(
            Script::parse(text).unwrap_err().to_string(),
            error,
            "{text}"
        );
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let nested = format!(
        "(assert {}true{})(check-sat)",
        "(not ".repeat(300),
        ")".repeat(300)
    );
    assert_eq!(Script::parse(&nested), Err(SmtError::Deep));
    assert_eq!(
        Script::parse(&"(check-sat)".repeat(17)),
        Err(SmtError::TooLong)
    );
    assert_eq!(
        Script::parse(&format!("(check-sat);{}", "x".repeat(70_000))),
        Err(SmtError::TooLong)
    );
}

proptest! {
    #[test]
    fn what_is_printed_reads_the_same(text in "([a-z0-9:#|\"() ;\n\\\\]|\\(assert \
        |\\(check-sat\\)|\\(push\\)|\\)){0,40}") {
        if let Ok(script) = Script::parse(&text) {
            prop_assert_eq!(Script::parse(&script.to_string()), Ok(script));
        }
    }

    #[test]
    fn only_listed_commands_are_printed(name in "[a-z-]{1,12}", rest in "[a-z0-9() \"]{0,20}") {
        if let Ok(script) = Script::parse(&format!("({name} {rest})(check-sat)")) {
            prop_assert!(script.commands().iter().all(|command| ALLOWED.contains(&command.name()
                .unwrap())));
        }
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "\\PC{0,80}") {
        let _parsed = Script::parse(&text).is_ok();
    }
}
