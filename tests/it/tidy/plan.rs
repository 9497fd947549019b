//! The floors as `ARCHITECTURE.md` lists them.
//!
//! Below `## Floors`, a heading `### crate (folder/)` or `#### room (folder/)` begins a list. Its
//! first `text` block has one module a line, from top to bottom: `name — what it is`. A line
//! `circle: a, b — reason` says which modules of a room may use each other after all.

use std::collections::BTreeSet;

/// The list of one crate or of one room.
#[derive(Debug, Default, PartialEq)]
pub struct Section {
    /// The heading, without the folder.
    pub title: String,
    /// The folder, without a slash at its end.
    pub folder: String,
    /// Whether it lists a whole crate.
    pub is_crate: bool,
    /// The modules, from top to bottom.
    pub floors: Vec<String>,
    /// Those that use each other.
    pub circles: Vec<BTreeSet<String>>,
}

/// What stands below `## Floors`, and every line there that cannot be understood.
pub fn read(text: &str) -> (Vec<Section>, Vec<String>) {
    let mut sections: Vec<Section> = Vec::new();
    let mut faults = Vec::new();
    let mut in_list = false;
    let lines = text.lines().skip_while(|line| *line != "## Floors").skip(1);
    for line in lines.take_while(|line| !line.starts_with("## ")) {
        if let Some(section) = heading(line) {
            sections.push(section);
        } else if line.starts_with("```") {
            in_list = line == "```text";
        } else if let Some(section) = sections.last_mut()
            && (in_list || line.starts_with("circle: "))
            && section.add(line, in_list).is_none()
        {
            faults.push(format!("`{line}` is neither a floor nor a circle"));
        }
    }
    for section in &sections {
        if section.floors.is_empty() {
            faults.push(format!("{}/ has no list", section.folder));
        }
    }
    (sections, faults)
}

fn heading(line: &str) -> Option<Section> {
    let is_crate = line.starts_with("### ");
    let (title, folder) = line.trim_start_matches('#').trim().rsplit_once(" (")?;
    (is_crate || line.starts_with("#### ")).then(|| Section {
        title: title.to_owned(),
        folder: folder.trim_end_matches([')', '/']).to_owned(),
        is_crate,
        ..Section::default()
    })
}

impl Section {
    /// Takes a line in, unless it makes no sense.
    fn add(&mut self, line: &str, in_list: bool) -> Option<()> {
        let (names, what) = line.split_once(" — ")?;
        if what.trim().is_empty() {
            return None;
        }
        if in_list {
            let name = names.trim().to_owned();
            let is_new = !name.is_empty() && !self.floors.contains(&name);
            is_new.then(|| self.floors.push(name))
        } else {
            let names = names.strip_prefix("circle: ")?.split(", ");
            let circle: BTreeSet<_> = names.map(|name| name.trim().to_owned()).collect();
            let is_known = circle.iter().all(|name| self.floors.contains(name));
            (is_known && circle.len() > 1).then(|| self.circles.push(circle))
        }
    }
}

#[test]
fn a_list_is_read() {
    let text = "## Other\n### no (no/)\n## Floors\nWords.\n\n### hone (src/)\n\n```text\n\
                app    — all of it\nconfig — the file\n```\n\n#### app (src/app/)\n\n```text\n\
                a — one\nb — two\n```\n\ncircle: a, b — they are one\n\n## After\n### no (no/)\n";
    let (sections, faults) = read(text);
    assert_eq!(faults, Vec::<String>::new());
    let [all, app] = sections.as_slice() else {
        panic!("{sections:?}");
    };
    assert_eq!((all.title.as_str(), all.folder.as_str()), ("hone", "src"));
    assert_eq!(all.floors, ["app", "config"]);
    assert!(all.is_crate && !app.is_crate);
    assert_eq!(app.folder, "src/app");
    assert_eq!(app.circles, [BTreeSet::from(["a", "b"].map(str::to_owned))]);
}

#[test]
fn a_line_without_its_reason_is_no_line() {
    let list = |lines: &str| {
        let text = format!("## Floors\n### x (x/)\n```text\na — one\nb — two\n{lines}");
        read(&text).1
    };
    assert_eq!(list("```\ncircle: a, b — why"), Vec::<String>::new());
    for lines in [
        "c",
        "c — ",
        "a — again",
        "```\ncircle: a, b",
        "```\ncircle: a — alone",
        "```\ncircle: a, z — nobody",
    ] {
        assert_eq!(list(lines).len(), 1, "{lines}");
    }
    assert_eq!(
        read("## Floors\n### x (x/)\n"),
        read("## Floors\n### x (x)\n")
    );
    assert_eq!(read("## Floors\n### x (x/)\n").1, ["x/ has no list"]);
}
