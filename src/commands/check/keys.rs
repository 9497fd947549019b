//! The keys with which `hone check --connect` asks.

use std::io;

use crate::config::{Secret, UpstreamConfig, environment};

/// `VAR`, for the first upstream, or `NAME=VAR` for the one of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyEnv {
    upstream: Option<String>,
    variable: String,
}

/// Reads a `--key-env`.
pub(super) fn key_env(text: &str) -> Result<KeyEnv, &'static str> {
    let (upstream, variable) = match text.split_once('=') {
        Some((name, variable)) => (Some(name.to_owned()), variable),
        None => (None, text),
    };
    let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
    if !is_name(variable) || upstream.as_deref().is_some_and(|name| !is_name(name)) {
        return Err("expected the name of a variable, or UPSTREAM=VARIABLE");
    }
    Ok(KeyEnv {
        upstream,
        variable: variable.to_owned(),
    })
}

/// A key, and where it was found.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) secret: Secret,
    pub(super) place: String,
}

impl Key {
    /// `text` without the key.
    pub(super) fn hide(&self, text: &str) -> String {
        match std::str::from_utf8(self.secret.expose()) {
            Ok(key) => text.replace(key, "(the key)"),
            Err(_) => text.to_owned(),
        }
    }
}

/// The keys that the operator names.
#[derive(Debug)]
pub(super) struct Keys(Vec<(Option<String>, Key)>);

impl Keys {
    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// When one is not set, or names an upstream that there is not.
    pub(super) fn read(named: &[KeyEnv], upstreams: &[&str]) -> io::Result<Self> {
        let mut keys = Vec::new();
        for KeyEnv { upstream, variable } in named {
            if let Some(name) = upstream
                && !upstreams.contains(&name.as_str())
            {
                let known = upstreams.join(", ");
                let wrong = format!("--key-env: there is no upstream `{name}`, only {known}");
                return Err(io::Error::other(wrong));
            }
            let value = environment(variable).filter(|value| !value.trim().is_empty());
            let value = value
                .ok_or_else(|| io::Error::other(format!("--key-env: {variable} is not set")))?;
            let key = Key {
                secret: Secret::new(value),
                place: variable.clone(),
            };
            keys.push((upstream.clone(), key));
        }
        Ok(Self(keys))
    }

    /// The key for one upstream: the one named for it, else its fallback key.
    pub(super) fn of(&self, index: usize, upstream: &UpstreamConfig) -> Option<Key> {
        let mut keys = self.0.iter();
        let named = keys.find(|(name, _)| match name {
            Some(name) => *name == upstream.name,
            None => index == 0,
        });
        let named = named.map(|(_, key)| key.clone());
        let fallback = upstream.fallback.as_ref().map(|fallback| Key {
            secret: fallback.key.clone(),
            place: "its `fallback_key`".to_owned(),
        });
        named.or(fallback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_for_the_first_upstream_or_for_one_by_name() {
        let plain = key_env("OPENAI_API_KEY").unwrap();
        assert_eq!((plain.upstream, &*plain.variable), (None, "OPENAI_API_KEY"));
        let other = key_env("mistral=KEY").unwrap();
        assert_eq!(other.upstream.as_deref(), Some("mistral"));
        for wrong in ["", "=KEY", "mistral=", "a b"] {
            assert!(key_env(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_upstream_that_is_not_there_gets_no_key() {
        let named = [key_env("mistral=PATH").unwrap()];
        let error = Keys::read(&named, &["openai"]).unwrap_err();
        assert!(error.to_string().contains("only openai"), "{error}");
        let unset = [key_env("HONE_NO_SUCH_VARIABLE").unwrap()];
        assert!(Keys::read(&unset, &["openai"]).is_err());
    }
}
