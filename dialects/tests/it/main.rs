//! What the codecs do, as clients and upstreams see it.
