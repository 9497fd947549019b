//! A server's certificate of its own making, and clients that trust it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate for `localhost`, in files that live as long as this does.
pub struct Identity {
    signed: rcgen::CertifiedKey<rcgen::KeyPair>,
    folder: tempfile::TempDir,
}

impl Identity {
    pub fn new() -> Self {
        let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("fixture: a certificate");
        let folder = tempfile::tempdir().expect("fixture: a folder");
        let identity = Self { signed, folder };
        let (certificate, key) = (&identity.signed.cert, &identity.signed.signing_key);
        std::fs::write(identity.certificate(), certificate.pem()).expect("fixture: a file");
        std::fs::write(identity.key(), key.serialize_pem()).expect("fixture: a file");
        identity
    }

    /// The path of the certificate.
    pub fn certificate(&self) -> String {
        self.path("cert.pem")
    }

    /// The path of its key.
    pub fn key(&self) -> String {
        self.path("key.pem")
    }

    /// Accepts connections that speak HTTP/2.
    pub fn acceptor(&self) -> TlsAcceptor {
        let key = self.signed.signing_key.serialize_der();
        let key = key.try_into().expect("fixture: a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("fixture: versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.signed.cert.der().clone()], key)
            .expect("fixture: a certificate");
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    /// A connection whose handshake is done, offering one protocol.
    pub async fn connect(&self, address: SocketAddr, offer: &str) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(self.signed.cert.der().clone())
            .expect("fixture: a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("fixture: versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![offer.as_bytes().to_vec()];
        let stream = TcpStream::connect(address).await.expect("connects");
        let name = "localhost".try_into().expect("fixture: a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .expect("a handshake")
    }
}
