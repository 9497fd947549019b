//! What a request says, read once: its route, its headers for hone, its body, and the plan that
//! follows from them.

pub mod route;
