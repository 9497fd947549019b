//! The modules of a crate, found from its root as the compiler finds them, and what each names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::names::{Name, Source, Tests};

/// A module: its path from the crate's root, which is the empty path.
pub type ModulePath = Vec<String>;

/// A name, and the file in which it stands.
#[derive(Debug)]
pub struct Located {
    pub file: PathBuf,
    pub name: Name,
}

/// A crate without its tests.
#[derive(Debug)]
pub struct Crate {
    /// As other crates call it.
    name: String,
    /// Where its root lies.
    folder: PathBuf,
    /// Which modules each module has.
    pub children: BTreeMap<ModulePath, BTreeSet<String>>,
    /// All that its files name.
    pub names: Vec<Located>,
}

/// Where a path leads, as seen from a module.
#[derive(Debug, PartialEq)]
pub enum Target {
    /// To something else.
    Outside,
    /// To what the module itself defines.
    Itself,
    /// Into this one of its children.
    Child(String),
}

impl Crate {
    /// Reads the crate whose `lib.rs` or `main.rs` lies in `folder`.
    pub fn load(name: &str, folder: &Path, read: &impl Fn(&Path) -> Option<String>) -> Self {
        let mut all = Self {
            name: name.replace('-', "_"),
            folder: folder.to_owned(),
            children: BTreeMap::new(),
            names: Vec::new(),
        };
        for root in ["lib.rs", "main.rs"] {
            let file = folder.join(root);
            if let Some(text) = read(&file) {
                all.add(&file, &[], &text, read);
            }
        }
        all
    }

    fn add(
        &mut self,
        file: &Path,
        at: &[String],
        text: &str,
        read: &impl Fn(&Path) -> Option<String>,
    ) {
        let source = Source::read(text, at, Tests::DoNotCount)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.children.entry(at.to_vec()).or_default();
        self.names
            .extend(source.names.into_iter().map(|name| Located {
                file: file.to_owned(),
                name,
            }));
        for module in source.modules {
            let path = [module.at.as_slice(), std::slice::from_ref(&module.name)].concat();
            let siblings = self.children.entry(module.at).or_default();
            // A module may belong to a library and to a binary.
            if siblings.insert(module.name) && module.is_file {
                let (file, text) = self.find(&path, read);
                self.add(&file, &path, &text, read);
            }
        }
    }

    fn find(
        &self,
        module: &[String],
        read: &impl Fn(&Path) -> Option<String>,
    ) -> (PathBuf, String) {
        let stem = self.folder.join(module.iter().collect::<PathBuf>());
        [stem.with_extension("rs"), stem.join("mod.rs")]
            .into_iter()
            .find_map(|file| read(&file).map(|text| (file, text)))
            .unwrap_or_else(|| panic!("{} has no file", stem.display()))
    }

    /// Where a name leads from the crate's root, if it leads into the crate.
    pub fn absolute(&self, name: &Name) -> Option<ModulePath> {
        let (first, rest) = name.path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([name.at.as_slice(), rest].concat()),
            "super" => {
                let ups = name.path.iter().take_while(|part| *part == "super").count();
                let above = name.at.get(..name.at.len().checked_sub(ups)?)?;
                Some([above, name.path.get(ups..)?].concat())
            }
            first if first == self.name => Some(rest.to_vec()),
            first if self.children.get(&name.at)?.contains(first) => {
                Some([name.at.as_slice(), &name.path].concat())
            }
            _ => None,
        }
    }

    /// Where the absolute `path` leads, as seen from the module `room`. What the room only passes
    /// on from a child counts as the child's.
    pub fn target(&self, room: &[String], path: &[String]) -> Target {
        let mut path = path.to_vec();
        // A name may be passed on more than once, though never in a circle.
        for _ in 0..8 {
            let Some(rest) = path.strip_prefix(room) else {
                return Target::Outside;
            };
            let Some(next) = rest.first() else {
                return Target::Itself;
            };
            if self
                .children
                .get(room)
                .is_some_and(|own| own.contains(next))
            {
                return Target::Child(next.clone());
            }
            let import = self.names.iter().find(|located| {
                located.name.at == room && located.name.alias.as_ref() == Some(next)
            });
            match import.map(|import| self.absolute(&import.name)) {
                Some(Some(further)) => path = further,
                Some(None) => return Target::Outside,
                None => return Target::Itself,
            }
        }
        Target::Itself
    }
}
