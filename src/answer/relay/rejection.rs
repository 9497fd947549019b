//! Keys that a provider rejects with another status than 401.

use hone_dialects::Dialect;
use http::StatusCode;
use memchr::memmem;

use super::opened::Opened;
use crate::answer::error::ProxyError;
use crate::upstream::Upstream;

/// An error is read up to here. No provider's is longer.
const LONGEST: usize = 64 * 1024;

/// Whether Google rejects the key: it has no 401 for that, but a 400 with this reason. What is read
/// of the answer stays in it.
pub(super) async fn of_google(
    upstream: &Upstream,
    status: StatusCode,
    answer: &mut Opened,
) -> Result<bool, ProxyError> {
    if status != StatusCode::BAD_REQUEST || upstream.config.dialect != Dialect::Gemini {
        return Ok(false);
    }
    let read = answer.beginning(LONGEST).await.map_err(ProxyError::Cut)?;
    Ok(blames_the_key(&read))
}

/// Whether an error names Google's reason for such a rejection.
pub(super) fn blames_the_key(error: &[u8]) -> bool {
    memmem::find(error, b"\"API_KEY_INVALID\"").is_some()
}
