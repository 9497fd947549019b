//! TLS towards clients, with certificates that a reload replaces.

use std::fmt;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsFiles;

/// Accepts TLS connections. Clones share the certificate, so that replacing it reaches every
/// listener.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ArcSwap<ServerConfig>>);

impl Tls {
    /// Reads the certificate chain and key.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or parsed, or the key does not fit the certificate; the text
    /// names the file.
    pub(crate) fn load(files: &TlsFiles) -> io::Result<Self> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(server_config(files)?))))
    }

    /// Reads the files again. On failure the old certificate stays.
    ///
    /// # Errors
    ///
    /// As for [`Tls::load`].
    pub(crate) fn reload(&self, files: &TlsFiles) -> io::Result<()> {
        self.0.store(Arc::new(server_config(files)?));
        Ok(())
    }

    /// Performs the handshake. Bound it with a timeout.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.0.load_full()).accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn server_config(files: &TlsFiles) -> io::Result<ServerConfig> {
    let named = |path: &std::path::Path, error: &dyn fmt::Display| {
        io::Error::other(format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| named(&files.certificate, &error))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| named(&files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| named(&files.certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
