//! Lists of models, as upstreams write them.

use serde_json::Value;

use super::json::document;

/// More models than any upstream lists.
const MOST: usize = 10_000;
/// Bytes of the longest name.
const LONGEST: usize = 512;

/// The models of the list `body`, which stands in the field `name` or is all there is. `read`
/// gives the name and the creation time of one.
pub(crate) fn listed(
    body: &[u8],
    name: &str,
    read: impl Fn(&Value) -> (&str, u64),
) -> Option<Vec<(String, u64)>> {
    let document = document(body)?;
    let list = match &document {
        Value::Array(list) => list,
        fields => fields.get(name)?.as_array()?,
    };
    let models = list.iter().map(read);
    let fits = |(id, _): &(&str, u64)| !id.is_empty() && id.len() <= LONGEST;
    let models = models.filter(fits).take(MOST);
    Some(
        models
            .map(|(id, created)| (id.to_owned(), created))
            .collect(),
    )
}
