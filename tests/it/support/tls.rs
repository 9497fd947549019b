//! A server's certificate of its own making, and clients that trust it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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
        std::fs::write(folder.path().join("cert.pem"), signed.cert.pem()).expect("fixture: a file");
        std::fs::write(
            folder.path().join("key.pem"),
            signed.signing_key.serialize_pem(),
        )
        .expect("fixture: a file");
        Self { signed, folder }
    }

    /// The path of the certificate.
    pub fn certificate(&self) -> String {
        self.folder.path().join("cert.pem").display().to_string()
    }

    /// The table that makes hone serve by it.
    pub fn table(&self) -> String {
        format!(
            "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            self.certificate(),
            self.folder.path().join("key.pem").display()
        )
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
