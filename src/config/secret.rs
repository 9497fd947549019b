//! Secrets: typed so that they cannot leak, and read only from where the operator says they are.
//!
//! This is the one place that reads environment variables, and only those that the configuration
//! names.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use http::HeaderValue;
use zeroize::Zeroizing;

use super::error::{Wrong, wrong};
use super::file::Reference;

/// A credential's bytes, exactly as they were given.
///
/// There is no `Display`, no `Serialize` and no `PartialEq`; `Debug` is redacted; the bytes are
/// wiped on drop. Every use of [`Secret::expose`] is a place where a key leaves the type's
/// protection, and is meant to be found by searching for it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of a credential's bytes.
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves: for a digest, or for the one header that carries them upstream.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Stands for a secret that is not there, where none is needed.
const MADE_UP: &str = "hone-check-without-secrets";

/// Where references in a configuration lead: to environment variables, and to files beside the
/// configuration.
pub(super) struct Sources<'a> {
    /// Looks up an environment variable.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// Relative paths start here.
    pub(super) directory: PathBuf,
    /// Whether a secret that is not there is made up: a place that checks a configuration need not
    /// have its secrets.
    pub(super) without_secrets: bool,
    /// The files that were read.
    pub(super) files: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Sources<'a> {
    /// Nothing read yet.
    pub(super) fn new(env: &'a dyn Fn(&str) -> Option<String>, directory: PathBuf) -> Self {
        Self {
            env,
            directory,
            without_secrets: false,
            files: RefCell::default(),
        }
    }

    /// `path`, which may be relative to the configuration.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.directory.join(path);
        self.files.borrow_mut().insert(path.clone());
        path
    }

    /// The secret at `reference`, without the line end that editors put after a file's last line.
    pub(super) fn secret(&self, reference: &Reference) -> Result<Secret, Wrong> {
        match self.read(reference) {
            Err(_) if self.without_secrets => Ok(Secret::new(MADE_UP)),
            read => read,
        }
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Wrong> {
        let (secret, place) = match reference {
            Reference::Env(name) => {
                let Some(value) = (self.env)(name) else {
                    return Err(wrong(
                        format!("names the environment variable {name}, which is not set"),
                        "set it, or name another one",
                    ));
                };
                (
                    Zeroizing::new(value.into_bytes()),
                    format!("the environment variable {name}"),
                )
            }
            Reference::File(file) => {
                let path = self.path(file);
                let mut bytes =
                    Zeroizing::new(fs::read(&path).map_err(|error| unreadable(&path, &error))?);
                let end = bytes.strip_suffix(b"\n").map_or(bytes.len(), |line| {
                    line.strip_suffix(b"\r").unwrap_or(line).len()
                });
                bytes.truncate(end);
                (bytes, format!("the file {}", path.display()))
            }
        };
        if secret.trim_ascii().is_empty() {
            return Err(wrong(
                format!("names {place}, which is empty"),
                "put the secret there",
            ));
        }
        Ok(Secret(secret))
    }

    /// Like [`Sources::secret`], for a key that has to fit into a request header.
    pub(super) fn key(&self, reference: &Reference) -> Result<Secret, Wrong> {
        let secret = self.secret(reference)?;
        let sendable = HeaderValue::from_bytes(secret.expose()).is_ok()
            && secret.expose().trim_ascii() == secret.expose();
        if let Some(what) = wrapping(secret.expose()) {
            let right = "take it out: what stands there is the key, byte for byte";
            return Err(wrong(
                format!("leads to a value with {what} around the key"),
                right,
            ));
        }
        let right = "keep one key there, without spaces or lines around it";
        if sendable {
            Ok(secret)
        } else {
            Err(wrong(
                "leads to a value that no request header can carry",
                right,
            ))
        }
    }

    /// `path` beside the configuration, if it is a file that can be read.
    pub(super) fn readable(&self, path: &str) -> Result<PathBuf, Wrong> {
        let path = self.path(path);
        match fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_dir() => Err(wrong(
                format!("names {}, which is a directory", path.display()),
                "name a file",
            )),
            Ok(_) => Ok(path),
            Err(error) => Err(unreadable(&path, &error)),
        }
    }
}

/// What no key begins with, and an editor or Docker's `--env-file` leaves there.
fn wrapping(key: &[u8]) -> Option<&'static str> {
    if key.starts_with(b"\xef\xbb\xbf") {
        return Some("a byte order mark (U+FEFF)");
    }
    let is_in =
        |quote: u8| key.len() > 1 && key.first() == Some(&quote) && key.last() == Some(&quote);
    [b'"', b'\'', b'`']
        .into_iter()
        .any(is_in)
        .then_some("quotes")
}

/// The value of an environment variable that the operator named.
#[expect(
    clippy::disallowed_methods,
    reason = "the one reader of the environment; its caller passes a name from the operator"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn unreadable(path: &Path, error: &io::Error) -> Wrong {
    wrong(
        format!(
            "names {}, which cannot be read ({})",
            path.display(),
            error.kind()
        ),
        "name a file that hone may read",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_byte_of_the_secret() {
        assert_eq!(
            format!("{:?}", Secret::new("sk-live-123")),
            "Secret(redacted)"
        );
    }
}
