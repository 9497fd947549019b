//! Which certificates of upstreams are trusted.
//!
//! The verifier is rustls' own, with two differences. A certificate that `ca_file` holds itself is
//! trusted although it is an authority's, as `openssl req -x509` makes them: whoever names it means
//! this server. And a certificate that vouches for itself is called so.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::cause::SelfSigned;

/// Verifies the certificates of one upstream.
#[derive(Debug)]
pub(super) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    /// Those that the operator named.
    named: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// Trusts the platform's authorities and, if given, what `ca_file` holds.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds no certificate, or there is none at all.
    pub(super) fn new(ca_file: Option<&Path>, provider: &Arc<CryptoProvider>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let named = ca_file.map(named).transpose()?.unwrap_or_default();
        let added = roots.add_parsable_certificates(named.iter().cloned());
        if let Some(path) = ca_file.filter(|_| added.0 == 0) {
            let nothing = format!("{}: no certificate found", path.display());
            return Err(io::Error::other(nothing));
        }
        let inner = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { inner, named })
    }
}

fn named(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let Err(error) = verified else {
            return verified;
        };
        if is_an_authoritys(&error) && self.named.contains(end_entity) {
            // Its dates are checked before its kind is.
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let is_untrusted = is_an_authoritys(&error)
            || error == Error::InvalidCertificate(CertificateError::UnknownIssuer);
        if is_untrusted && names_itself(end_entity) {
            let itself = CertificateError::Other(OtherError(Arc::new(SelfSigned)));
            return Err(itself.into());
        }
        Err(error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a certificate was refused for being an authority's.
fn is_an_authoritys(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    other.0.downcast_ref::<webpki::Error>() == Some(&webpki::Error::CaUsedAsEndEntity)
}

fn names_itself(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|parsed| parsed.issuer() == parsed.subject())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn authority(name: &str) -> rcgen::Certificate {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    fn verifier(named: &rcgen::Certificate) -> Verifier {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, named.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Verifier::new(Some(&path), &provider).unwrap()
    }

    fn verified(verifier: &Verifier, shown: &rcgen::Certificate, name: &str) -> Result<(), Error> {
        let name = ServerName::try_from(name).unwrap();
        let now = UnixTime::now();
        verifier
            .verify_server_cert(shown.der(), &[], &name, &[], now)
            .map(|_| ())
    }

    #[test]
    fn an_authoritys_certificate_is_trusted_if_it_is_named_and_for_its_own_host() {
        let (ours, other) = (authority("llm.example"), authority("llm.example"));
        let verifier = verifier(&ours);
        assert!(verified(&verifier, &ours, "llm.example").is_ok());
        let elsewhere = verified(&verifier, &ours, "other.example").unwrap_err();
        assert!(
            matches!(elsewhere, Error::InvalidCertificate(_)),
            "{elsewhere}"
        );
        let untrusted = verified(&verifier, &other, "llm.example").unwrap_err();
        assert!(untrusted.to_string().contains("SelfSigned"), "{untrusted}");
    }

    #[test]
    fn a_certificate_that_is_named_is_trusted_only_in_its_time() {
        let mut params = CertificateParams::new(vec!["llm.example".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        let expired = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let error = verified(&verifier(&expired), &expired, "llm.example").unwrap_err();
        assert!(error.to_string().contains("xpired"), "{error}");
    }
}
