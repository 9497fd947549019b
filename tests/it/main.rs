//! Behavioural tests of hone, as its users see it.
