//! What an operator does, and sees.

mod causes; // why an upstream cannot be reached
mod check; // `hone check` against upstreams
mod drain; // what runs ends, what is new is refused
mod insight; // probes, metrics, and what they must not show
mod logs; // what a line of a request tells, and how loud it is
mod pages; // web pages that call hone from a browser
mod reload; // another configuration for a hone that runs
mod room; // places at an upstream, connections, time
mod strangers; // texts that strangers choose, in logs and metrics
mod tls; // served and spoken
