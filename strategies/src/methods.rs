//! Every method, each in a file or folder of its own, grouped by kind. `auto` picks among methods
//! and `z3` asks a solver, so both stand alone.

pub(crate) mod auto;
pub(crate) mod confidence;
pub(crate) mod judge;
pub(crate) mod long_text;
pub(crate) mod merge;
pub(crate) mod panel;
pub(crate) mod prompt;
pub(crate) mod search;
pub(crate) mod thinking;
pub(crate) mod vote;
pub(crate) mod z3;
