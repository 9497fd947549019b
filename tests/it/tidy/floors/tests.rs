//! The rule on little crates: what counts as a use, and what does not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

/// The faults of a crate of `files`, whose modules stand in the order of `floors`.
fn check(floors: &[&str], files: &[(&str, &str)]) -> Vec<String> {
    check_rooms(floors, &[], files)
}

fn check_rooms(floors: &[&str], rooms: &[Section], files: &[(&str, &str)]) -> Vec<String> {
    let path = |name: &str| PathBuf::from(format!("src/{name}.rs"));
    let files = files
        .iter()
        .map(|(name, text)| (path(name), (*text).to_owned()));
    let files: BTreeMap<_, _> = files.collect();
    let read = |path: &Path| files.get(path).cloned();
    let home = section("hone-x", "src", floors);
    faults_of_crate(&home, rooms, &read)
}

fn section(title: &str, folder: &str, floors: &[&str]) -> Section {
    Section {
        title: title.to_owned(),
        folder: folder.to_owned(),
        is_crate: folder == "src",
        floors: floors.iter().map(|&floor| floor.to_owned()).collect(),
        circles: Vec::new(),
    }
}

/// The lines of the lower of two modules, `low`, that use the upper, `high`.
fn upward(low: &str) -> Vec<usize> {
    let root = "mod high; mod low; mod ground; pub use high::Thing; use ground::Stone as Rock;";
    let files = [("lib", root), ("high", ""), ("low", low), ("ground", "")];
    let faults = check(&["high", "low", "ground"], &files);
    let lines = faults.iter().map(|fault| {
        assert!(
            fault.contains("`low` uses `high`, which stands above it"),
            "{fault}"
        );
        let line = fault.split(':').nth(1).and_then(|line| line.parse().ok());
        line.expect("a line")
    });
    lines.collect()
}

#[test]
fn a_path_counts_wherever_it_stands() {
    for use_of_high in [
        "use crate::high::Thing;",
        "use crate::{high::Thing, ground};",
        "use crate::{ground, high::{self, Thing}};",
        "use crate::high as other;",
        "use crate::{ground as a, high as b};",
        "pub use super::high::Thing;",
        "use hone_x::high::Thing;",
        "fn f() -> u8 { crate::high::five() }",
        "fn f(thing: &crate::high::Thing) {}",
        "fn f(things: Vec<Option<crate::high::Thing>>) {}",
        "impl crate::high::Trait for u8 {}",
        "fn f() { let x = <u8 as crate::high::Trait>::X; }",
        "fn f() { println!(\"{}\", crate::high::five()); }",
        "fn f() { select! { x = y => { use crate::{ground, high}; } } }",
        "macro_rules! m { () => { $crate::high::five() } }",
        "#[derive(crate::high::Derive)] struct S;",
        "struct S { #[serde(with = \"crate::high\")] x: u8 }",
        "#[doc(hidden)] pub use crate::high::Thing;",
        "mod inner { fn f() { super::super::high::five() } }",
        "use crate::Thing;",
        "fn f() { crate::Thing::new() }",
        "#[cfg(not(test))] use crate::high::Thing;",
        "#[cfg(any(test, feature = \"x\"))] use crate::high::Thing;",
    ] {
        assert_eq!(upward(&format!("\n{use_of_high}")), [2], "{use_of_high}");
    }
}

#[test]
fn what_is_said_quoted_or_tested_does_not_count() {
    for no_use in [
        "// use crate::high::Thing;",
        "/// See [`crate::high::Thing`].\nfn f() {}",
        "/* crate::high::five() */",
        "const TEXT: &str = \"use crate::high::Thing;\";",
        "const TEXT: &str = r#\"crate::high::Thing\"#;",
        "fn f() { println!(\"crate::high\"); }",
        "#[cfg(test)] use crate::high::Thing;",
        "#[cfg(test)] mod tests { use crate::high::Thing; }",
        "#[cfg(all(test, unix))] mod tests { use crate::high::Thing; }",
        "#[cfg(test)] mod tests;",
        "impl X { #[cfg(test)] fn f() { crate::high::five() } }",
        "struct S { #[cfg(test)] x: crate::high::Thing }",
        "fn f() { #[cfg(test)] let x = crate::high::five(); }",
        "pub(in crate::high) fn f() {}",
        "use crate::ground::high;",
        "use crate::ground::Stone; fn f(high: u8) { high::<u8>(); }",
        "use other::high::Thing; use ::other::crate_::high;",
        "use crate::Rock;",
        "use self::inner::high; mod inner { pub fn high() {} }",
    ] {
        assert_eq!(upward(no_use), Vec::<usize>::new(), "{no_use}");
    }
}

#[test]
fn every_module_has_a_floor_and_every_floor_a_module() {
    let files = [
        ("lib", "mod a; mod b { }\n#[cfg(test)] mod fixture;"),
        ("a", ""),
    ];
    assert_eq!(check(&["a", "b"], &files), Vec::<String>::new());
    assert_eq!(check(&["a"], &files), ["src/: `b` has no floor"]);
    assert_eq!(check(&["a", "b", "c"], &files), ["src/: there is no `c`"]);
}

#[test]
fn nobody_uses_what_the_root_defines() {
    let files = [("lib", "mod a; pub struct Own;"), ("a", "use crate::Own;")];
    assert_eq!(
        check(&["a"], &files),
        ["src/a.rs:1: `a` uses `crate`, the roof"]
    );
    let files = [("lib", "mod a;"), ("a", "use super::*;")];
    assert_eq!(
        check(&["a"], &files),
        ["src/a.rs:1: `a` uses `crate`, the roof"]
    );
    let files = [("main", "mod a;"), ("a", "use crate as all;")];
    assert_eq!(
        check(&["a"], &files),
        ["src/a.rs:1: `a` uses `crate`, the roof"]
    );
}

/// A room `r` with the files `a` and `b` and what its own file says.
fn room<'t>(own: &'t str, a: &'t str, b: &'t str) -> [(&'static str, &'t str); 4] {
    [("lib", "mod r;"), ("r", own), ("r/a", a), ("r/b", b)]
}

#[test]
fn a_room_is_held_to_its_own_list() {
    let list = [section("r", "src/r", &["a", "b"])];
    let check = |own, a, b| check_rooms(&["r"], &list, &room(own, a, b));
    let own = "mod a; mod b; use a::A; pub use b::B as C; use a::A as D;";
    assert_eq!(
        check(own, "use super::b; use super::C;", ""),
        Vec::<String>::new()
    );
    for upward in [
        "use super::a::A;",
        "use crate::r::a::A;",
        "use super::{C, A};",
        "use super::D;",
    ] {
        let faults = check(own, "", upward);
        assert_eq!(
            faults,
            ["src/r/b.rs:1: `b` uses `a`, which stands above it"],
            "{upward}"
        );
    }
    let faults = check(own, "use super::Own;", "");
    assert_eq!(faults, ["src/r/a.rs:1: `a` uses `r`, the roof"]);
}

#[test]
fn a_room_that_lists_itself_has_a_floor_in_it() {
    let check = |floors: &[&str], own| {
        let list = [section("r", "src/r", floors)];
        check_rooms(&["r"], &list, &room(own, "use super::Own;", ""))
    };
    let own = "mod a; mod b; pub struct Own; pub use a::A; use b::B;";
    assert_eq!(check(&["a", "r", "b"], own), Vec::<String>::new());
    let faults = check(&["r", "a", "b"], own);
    assert_eq!(
        faults,
        ["src/r/a.rs:1: `a` uses `r`, which stands above it"]
    );
    let faults = check(&["a", "b", "r"], own);
    assert_eq!(faults, ["src/r.rs:1: `r` uses `b`, which stands above it"]);
}

#[test]
fn a_circle_of_a_room_must_be_one() {
    let circle = BTreeSet::from(["a", "b"].map(str::to_owned));
    let mut list = [section("r", "src/r", &["a", "b"])];
    list[0].circles.push(circle.clone());
    let check = |a, b| check_rooms(&["r"], &list, &room("mod a; mod b;", a, b));
    assert_eq!(
        check("use super::b;", "use super::a;"),
        Vec::<String>::new()
    );
    assert_eq!(
        check("use super::b;", ""),
        ["src/r/: {\"a\", \"b\"} is no circle"]
    );
    let mut home = section("x", "src", &["r"]);
    home.circles.push(circle);
    let read = |path: &Path| path.ends_with("lib.rs").then(|| "mod r {}".to_owned());
    let faults = faults_of_crate(&home, &[], &read);
    assert!(
        faults.contains(&"src/: a crate has no circles".to_owned()),
        "{faults:?}"
    );
}

#[test]
fn a_large_room_needs_a_list() {
    let modules =
        "mod a {} mod b {} mod c {} mod d {} mod e {} mod f {} mod g {} mod h {} mod i {}";
    let files = [("lib", "mod r;"), ("r", modules)];
    assert_eq!(check(&["r"], &files), ["src/r/ has 9 modules and no list"]);
    let list = [section("s", "src/s", &["a"])];
    let files = [("lib", "mod r;"), ("r", "")];
    assert_eq!(
        check_rooms(&["r"], &list, &files),
        ["src/s/ is no room of hone-x"]
    );
}
