//! Scripts for a solver: what is printed reads the same, and no command reaches for files or
//! options that name them.
#![no_main]

use hone_strategies::smt::{Script, Sexpr};
use libfuzzer_sys::fuzz_target;

const NEVER: [&str; 6] = [
    "include",
    "echo",
    "exit",
    "get-info",
    "help",
    "check-sat-using",
];

fuzz_target!(|text: &str| {
    let Ok(script) = Script::parse(text) else {
        return;
    };
    assert_eq!(Script::parse(&script.to_string()).as_ref(), Ok(&script));
    for command in script.commands() {
        let Sexpr::List(parts) = command else {
            panic!("{command}")
        };
        let [Sexpr::Atom(name), arguments @ ..] = parts.as_slice() else {
            panic!("{command}")
        };
        assert!(!NEVER.contains(&name.as_str()), "{command}");
        let option = arguments
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            name != "set-option" || option.starts_with(":produce-") || option == ":opt.priority",
            "{command}"
        );
    }
});
