//! Digests of keys, over all places that have some.

use std::collections::BTreeMap;

use crate::config::error::{Mistakes, wrong};
use crate::config::{Config, KeyDigest, check};

/// Beyond this machine anybody could use a key that stands in hone's own files.
pub(super) fn published(config: &Config, mistakes: &Mistakes) {
    if !check::is_open(config.listen) {
        return;
    }
    for (path, key) in check::examples(config) {
        let what = format!("is the digest of \"{key}\", an example that everybody can read");
        let right = "make a key with `hone key new`, or listen on this machine only";
        mistakes.add(path, wrong(what, right));
    }
}

/// A digest in two places would make it a matter of order who the caller is.
pub(super) fn digests(config: &Config, mistakes: &Mistakes) {
    let mut first: BTreeMap<KeyDigest, String> = BTreeMap::new();
    let tenants = config
        .tenants
        .iter()
        .enumerate()
        .flat_map(|(index, tenant)| {
            let slots = [
                ("keys", &tenant.keys),
                ("provider_keys", &tenant.provider_keys),
            ];
            slots.map(|(slot, digests)| (format!("tenant[{index}].{slot}"), digests))
        });
    for (list, digests) in tenants.chain([("revoked_keys".to_owned(), &config.revoked_keys)]) {
        for (index, digest) in digests.iter().enumerate() {
            let path = format!("{list}[{index}]");
            if let Some(earlier) = first.get(digest) {
                let what = format!("is the digest that {earlier} has already");
                mistakes.add(
                    path,
                    wrong(what, "let one key mean one thing: remove one of them"),
                );
            } else {
                first.insert(*digest, path);
            }
        }
    }
}
