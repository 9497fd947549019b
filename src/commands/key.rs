//! `hone key`: gateway keys, and digests of keys.

use std::io::{self, Read, Write};

use clap::Subcommand;
use rand::TryRngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::status::Status;
use crate::config::KeyDigest;
use crate::tenant::GATEWAY_KEY_PREFIX;

/// What `hone key` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a gateway key, and print it with its digest
    New,
    /// Print the digest of the key that is read from standard input
    Digest,
}

/// Random bytes in a key.
const ENTROPY: usize = 32;
/// No key is longer, because no header is.
const LONGEST: u64 = 64 * 1024;

/// Runs `command`, reading a key from `input` if it needs one.
pub(super) fn run(
    command: KeyCommand,
    input: &mut impl Read,
    out: &mut impl Write,
) -> io::Result<Status> {
    match command {
        KeyCommand::New => new(out),
        KeyCommand::Digest => digest(input, out),
    }
}

fn new(out: &mut impl Write) -> io::Result<Status> {
    let mut bytes = Zeroizing::new([0; ENTROPY]);
    OsRng
        .try_fill_bytes(bytes.as_mut())
        .map_err(io::Error::other)?;
    let key = Zeroizing::new(format!(
        "{GATEWAY_KEY_PREFIX}{}",
        hex::encode(bytes.as_ref())
    ));
    writeln!(
        out,
        "# The key, for its tenant to send. It is stored nowhere and not shown again."
    )?;
    writeln!(out, "{}", key.as_str())?;
    writeln!(out, "# Its digest, for `keys` of a [[tenant]].")?;
    writeln!(out, "{}", KeyDigest::of(key.as_bytes()))?;
    Ok(Status::Done)
}

fn digest(input: &mut impl Read, out: &mut impl Write) -> io::Result<Status> {
    let mut text = Zeroizing::new(Vec::new());
    input.take(LONGEST).read_to_end(&mut text)?;
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    let key = line.strip_suffix(b"\r").unwrap_or(line);
    if key.is_empty() || key.iter().any(u8::is_ascii_whitespace) {
        writeln!(
            out,
            "error: expected one key on standard input, without spaces"
        )?;
        return Ok(Status::Failed);
    }
    writeln!(out, "{}", KeyDigest::of(key))?;
    Ok(Status::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(command: KeyCommand, input: &str) -> (Status, String) {
        let mut out = Vec::new();
        let status = run(command, &mut input.as_bytes(), &mut out).unwrap();
        (status, String::from_utf8(out).unwrap())
    }

    fn values(out: &str) -> Vec<&str> {
        out.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn a_new_key_comes_with_the_digest_that_a_digest_of_it_gives() {
        let (_, out) = key(KeyCommand::New, "");
        let values = values(&out);
        let (status, digest) = key(KeyCommand::Digest, &format!("{}\n", values[0]));
        assert_eq!((status, digest.trim()), (Status::Done, values[1]));
    }

    #[test]
    fn no_two_keys_are_the_same() {
        assert_ne!(key(KeyCommand::New, "").1, key(KeyCommand::New, "").1);
    }

    #[test]
    fn what_is_not_one_key_has_no_digest() {
        for input in ["", "\n", "two keys", "two\nkeys\n"] {
            assert_eq!(
                key(KeyCommand::Digest, input).0,
                Status::Failed,
                "{input:?}"
            );
        }
    }
}
