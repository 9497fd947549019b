//! The strategy that CONTRIBUTING.md shows. It is in no catalogue; here it is shown to compile and
//! to announce what it costs.

mod longest;

use longest::ENTRY;
use serde_json::json;

use crate::chat::{ChatRequest, Message};
use crate::params::Params;

#[test]
fn the_strategy_of_the_contributors_guide_announces_its_calls() {
    let request = ChatRequest::new("m", [Message::user("Why?")]);
    let strategy = (ENTRY.build)(&Params::new()).unwrap();
    let demand = strategy.demand(&request);
    assert_eq!((demand.calls, demand.max_calls, demand.depth), (1, 4, 1));
    let wrong = Params::from_iter([("longest_of".to_owned(), json!(0))]);
    assert!((ENTRY.build)(&wrong).is_err());
}
