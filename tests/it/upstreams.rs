//! What becomes of what upstreams answer.

mod broken; // malformed, cut, silent and lying upstreams
mod model_list; // one list of models over several upstreams
mod retries; // what is sent to an upstream a second time
