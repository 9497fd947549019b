//! A module uses only what stands below it in the lists of `ARCHITECTURE.md`.

mod tests; // the rule on little crates

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::files;
use super::modules::{Crate, Located, Target};
use super::names::Name;
use super::plan::{self, Section};

/// A room with more modules than these has a list of its own.
const ROOM: usize = 8;

/// A module of a room that uses another or what the room itself defines.
struct Use {
    from: String,
    to: String,
    /// The file and the line.
    place: String,
}

/// Where the module `room` of `all` breaks its list.
fn faults(all: &Crate, room: &[String], list: &Section) -> Vec<String> {
    let mut faults = strangers(all, room, list);
    let mut circles = BTreeSet::new();
    for Use { from, to, place } in uses(all, room, list) {
        // What is in no list is a stranger, or else the roof.
        let Some(above) = list.position(&from) else {
            continue;
        };
        let why = match list.position(&to) {
            Some(below) if above <= below => continue,
            Some(_) => "which stands above it",
            None if all.children[room].contains(&to) => continue,
            None => "the roof",
        };
        match list.circle(&from, &to) {
            Some(circle) => drop(circles.insert(circle)),
            None => faults.push(format!("{place}: `{from}` uses `{to}`, {why}")),
        }
    }
    for (index, circle) in list.circles.iter().enumerate() {
        if !circles.contains(&index) {
            faults.push(format!("{}/: {circle:?} is no circle", list.folder));
        }
    }
    faults.dedup();
    faults
}

/// All that the modules of `room` use within it.
fn uses(all: &Crate, room: &[String], list: &Section) -> Vec<Use> {
    let names = all.names.iter();
    let used = names.filter_map(|Located { file, name }| {
        let to = match all.target(room, &all.absolute(name)?) {
            Target::Outside => return None,
            Target::Itself => room.last().map_or("crate", String::as_str).to_owned(),
            Target::Child(child) => child,
        };
        Some(Use {
            from: user(all, room, list, name)?,
            to,
            place: format!("{}:{}", file.display(), name.line),
        })
    });
    used.collect()
}

/// The module of `room` that a name belongs to, if what it uses matters: the roof may use all, and
/// to pass on what a child defines is not to use it.
fn user(all: &Crate, room: &[String], list: &Section, name: &Name) -> Option<String> {
    let below = name.at.strip_prefix(room)?;
    if let Some(child) = below.first() {
        return Some(child.clone());
    }
    let own = room.last().filter(|own| list.floors.contains(own))?;
    let is_own = all
        .absolute(name)
        .is_some_and(|path| path.starts_with(room));
    (!name.passed_on || !is_own).then(|| own.clone())
}

/// Modules that no floor names, and floors that name no module. A room may name itself.
fn strangers(all: &Crate, room: &[String], list: &Section) -> Vec<String> {
    let children = &all.children[room];
    let missing = children.iter().filter(|child| !list.floors.contains(child));
    let missing = missing.map(|child| format!("{}/: `{child}` has no floor", list.folder));
    let floors = list.floors.iter();
    let dead = floors.filter(|floor| !children.contains(*floor) && Some(*floor) != room.last());
    let dead = dead.map(|floor| format!("{}/: there is no `{floor}`", list.folder));
    missing.chain(dead).collect()
}

impl Section {
    fn position(&self, name: &str) -> Option<usize> {
        self.floors.iter().position(|floor| floor == name)
    }

    fn circle(&self, one: &str, other: &str) -> Option<usize> {
        let both = |circle: &BTreeSet<String>| circle.contains(one) && circle.contains(other);
        self.circles.iter().position(both)
    }
}

/// Where the crate in the folder `home` breaks its list or that of one of its rooms.
fn faults_of_crate(
    home: &Section,
    rooms: &[Section],
    read: &impl Fn(&Path) -> Option<String>,
) -> Vec<String> {
    let all = Crate::load(&home.title, Path::new(&home.folder), read);
    let mut faults = faults(&all, &[], home);
    if !home.circles.is_empty() {
        faults.push(format!("{}/: a crate has no circles", home.folder));
    }
    let mut listed = BTreeSet::from([Vec::new()]);
    for list in rooms {
        let inside = list.folder.strip_prefix(&home.folder).unwrap_or_default();
        let room: Vec<_> = inside.split('/').skip(1).map(str::to_owned).collect();
        if all.children.contains_key(&room) {
            faults.extend(self::faults(&all, &room, list));
        } else {
            faults.push(format!("{}/ is no room of {}", list.folder, home.title));
        }
        listed.insert(room);
    }
    for (room, children) in &all.children {
        if children.len() > ROOM && !listed.contains(room) {
            let (folder, room, files) = (&home.folder, room.join("/"), children.len());
            faults.push(format!("{folder}/{room}/ has {files} modules and no list"));
        }
    }
    faults
}

/// The folders of the workspace's sources.
fn source_folders() -> Vec<String> {
    let manifest = fs::read_to_string(files::root().join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("a manifest");
    let members = manifest["workspace"]["members"].as_array();
    let members = members.into_iter().flatten();
    let folders = members.filter_map(|member| Some(format!("{}/src/", member.as_str()?)));
    folders.chain(["src/".to_owned()]).collect()
}

/// The folders in which a crate has its root, except crates that are nothing else.
fn homes() -> BTreeSet<String> {
    let folders = source_folders();
    let is_source = |path: &Path| folders.iter().any(|folder| path.starts_with(folder));
    let paths = files::sources().into_iter().map(|(path, _)| path);
    let paths: Vec<_> = paths.filter(|path| is_source(path)).collect();
    let roots = paths
        .iter()
        .filter(|path| path.ends_with("lib.rs") || path.ends_with("main.rs"));
    roots
        .filter_map(|root| root.parent())
        .filter(|folder| paths.iter().filter(|path| path.starts_with(folder)).count() > 1)
        .filter_map(|folder| Some(folder.to_str()?.to_owned()))
        .collect()
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(files::root().join(path)).ok()
}

#[test]
fn a_module_uses_only_what_stands_below_it() {
    let text = fs::read_to_string(files::root().join("ARCHITECTURE.md")).expect("a map");
    let (sections, mut faults) = plan::read(&text);
    let listed = sections.iter().filter(|section| section.is_crate);
    let listed: BTreeSet<_> = listed.map(|section| section.folder.clone()).collect();
    for home in homes().symmetric_difference(&listed) {
        faults.push(format!(
            "{home}/ is a crate without a list, or a list without a crate"
        ));
    }
    let mut rest = sections.as_slice();
    while let [home, after @ ..] = rest {
        let end = after.iter().position(|section| section.is_crate);
        let (rooms, others) = after.split_at(end.unwrap_or(after.len()));
        if listed.contains(&home.folder) {
            faults.extend(faults_of_crate(home, rooms, &read));
        }
        rest = others;
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
