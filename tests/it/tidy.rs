//! The house rules that no compiler checks.

mod commits; // what the subjects of commits say
mod documents; // no document is mentioned that is not here
mod files; // the files of the repository
mod floors; // modules use only what stands below them
mod modules; // the modules of a crate, and what each names
mod names; // the paths and modules of a source file
mod plan; // the floors as ARCHITECTURE.md lists them
mod sizes; // functions, files, folders and lines
mod strategies; // what the strategies must not know
mod tokens; // paths and functions in macros
