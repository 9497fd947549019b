//! Which paths and modules a source file names. The file is parsed, so that what stands in a
//! string or a comment does not count, and what stands in a macro does.

use proc_macro2::Ident;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, Token, TraitItem, UseTree, Visibility};

use super::tokens::{self, Found};

/// A path of at least two segments, or what a `use` brings in.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// The modules in which it stands.
    pub at: Vec<String>,
    /// Its segments as written; a glob ends in `*`.
    pub path: Vec<String>,
    /// What a `use` calls it.
    pub alias: Option<String>,
    /// Whether that `use` passes it on.
    pub passed_on: bool,
    /// Its line, from 1.
    pub line: usize,
}

/// A module that is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// The modules in which it is declared.
    pub at: Vec<String>,
    /// Its name.
    pub name: String,
    /// Whether it has a file of its own.
    pub is_file: bool,
}

/// Whether what only tests see counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tests {
    Count,
    DoNotCount,
}

/// What one file says.
#[derive(Debug)]
pub struct Source {
    pub names: Vec<Name>,
    pub modules: Vec<Module>,
    at: Vec<String>,
    tests: Tests,
}

impl Source {
    /// Reads `text`, the file of the module `at`.
    pub fn read(text: &str, at: &[String], tests: Tests) -> syn::Result<Self> {
        let mut source = Self {
            names: Vec::new(),
            modules: Vec::new(),
            at: at.to_vec(),
            tests,
        };
        source.visit_file(&syn::parse_file(text)?);
        Ok(source)
    }

    fn counts(&self, attributes: &[Attribute]) -> bool {
        self.tests == Tests::Count || !attributes.iter().any(is_for_tests)
    }

    fn note(&mut self, Found { path, line }: Found) {
        if path.len() > 1 {
            self.names.push(Name {
                at: self.at.clone(),
                path,
                alias: None,
                passed_on: false,
                line,
            });
        }
    }

    fn import(&mut self, path: &[String], alias: Option<&Ident>, passed_on: bool, line: usize) {
        self.names.push(Name {
            at: self.at.clone(),
            path: path.to_vec(),
            alias: alias.map(ToString::to_string),
            passed_on,
            line,
        });
    }

    fn tree(&mut self, above: &[String], tree: &UseTree, passed_on: bool) {
        let line = tree.span().start().line;
        let below = |segment: &Ident| match segment.to_string() {
            // `a::{self}` is `a`; a `self` at the beginning is where the file stands.
            segment if segment == "self" && !above.is_empty() => above.to_vec(),
            segment => [above, &[segment]].concat(),
        };
        match tree {
            UseTree::Path(path) => self.tree(&below(&path.ident), &path.tree, passed_on),
            UseTree::Name(name) => {
                let path = below(&name.ident);
                let alias = path.last().map(|last| Ident::new(last, name.ident.span()));
                self.import(&path, alias.as_ref(), passed_on, line);
            }
            UseTree::Rename(name) => {
                self.import(&below(&name.ident), Some(&name.rename), passed_on, line);
            }
            UseTree::Glob(_) => {
                let path = [above, &["*".to_owned()]].concat();
                self.import(&path, None, passed_on, line);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(above, tree, passed_on);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.counts(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if self.counts(impl_item_attributes(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if self.counts(trait_item_attributes(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if self.counts(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if self.counts(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if self.counts(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if self.counts(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = module.ident.to_string();
        self.modules.push(Module {
            at: self.at.clone(),
            name: name.clone(),
            is_file: module.content.is_none(),
        });
        self.at.push(name);
        visit::visit_item_mod(self, module);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let passed_on = !matches!(item.vis, Visibility::Inherited);
        self.tree(&[], &item.tree, passed_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(Found {
            path: segments(path),
            line: path.span().start().line,
        });
        visit::visit_path(self, path);
    }

    /// Who may see an item is no use of anything.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        for found in tokens::paths(item.tokens.clone()) {
            self.note(found);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.visit_path(attribute.path());
        if let Meta::List(list) = &attribute.meta {
            let named = tokens::paths(list.tokens.clone());
            // serde and its like take paths in strings.
            let quoted = tokens::quoted_paths(list.tokens.clone());
            for found in named.into_iter().chain(quoted) {
                self.note(found);
            }
        }
    }
}

/// The segments of a path, without their arguments.
pub fn segments(path: &syn::Path) -> Vec<String> {
    let segments = path.segments.iter();
    segments.map(|segment| segment.ident.to_string()).collect()
}

/// Whether an attribute hides its item from all but tests, or makes it one.
fn is_for_tests(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let needs_test = || {
        attribute
            .parse_args()
            .is_ok_and(|condition| needs_test(&condition))
    };
    path.segments
        .last()
        .is_some_and(|last| last.ident == "test")
        || path.is_ident("cfg") && needs_test()
}

fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test");
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let parts = parts.unwrap_or_default();
    match list.path.get_ident() {
        Some(word) if word == "all" => parts.iter().any(needs_test),
        Some(word) if word == "any" => parts.iter().all(needs_test),
        _ => false,
    }
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(syn::ItemConst { attrs, .. })
        | Item::Enum(syn::ItemEnum { attrs, .. })
        | Item::ExternCrate(syn::ItemExternCrate { attrs, .. })
        | Item::Fn(syn::ItemFn { attrs, .. })
        | Item::ForeignMod(syn::ItemForeignMod { attrs, .. })
        | Item::Impl(syn::ItemImpl { attrs, .. })
        | Item::Macro(syn::ItemMacro { attrs, .. })
        | Item::Mod(syn::ItemMod { attrs, .. })
        | Item::Static(syn::ItemStatic { attrs, .. })
        | Item::Struct(syn::ItemStruct { attrs, .. })
        | Item::Trait(syn::ItemTrait { attrs, .. })
        | Item::Type(syn::ItemType { attrs, .. })
        | Item::Union(syn::ItemUnion { attrs, .. })
        | Item::Use(syn::ItemUse { attrs, .. }) => attrs,
        _ => &[],
    }
}

fn impl_item_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(syn::ImplItemConst { attrs, .. })
        | ImplItem::Fn(syn::ImplItemFn { attrs, .. })
        | ImplItem::Type(syn::ImplItemType { attrs, .. })
        | ImplItem::Macro(syn::ImplItemMacro { attrs, .. }) => attrs,
        _ => &[],
    }
}

fn trait_item_attributes(item: &TraitItem) -> &[Attribute] {
    match item {
        TraitItem::Const(syn::TraitItemConst { attrs, .. })
        | TraitItem::Fn(syn::TraitItemFn { attrs, .. })
        | TraitItem::Type(syn::TraitItemType { attrs, .. })
        | TraitItem::Macro(syn::TraitItemMacro { attrs, .. }) => attrs,
        _ => &[],
    }
}
