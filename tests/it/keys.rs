//! Keys: whose pays, and who sees it.

mod events; // streams that the operator pays for, whatever their type is called
mod fallback; // the operator's key, and for whom it is
mod forms; // uploads that it pays for
mod pages; // what web pages ask in vain, and for whom it counts
mod reports; // what users of other proxies ran into, each impossible here
mod slots; // the client's own keys, and where they go
