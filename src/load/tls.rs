//! The trust that `https` targets are met with.

use super::client::transport::TlsTarget;
use super::error::Error;
use super::plan::{HttpVersion, Plan, TlsOptions};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// The most certificates read from a PEM text.
const CERTIFICATES_MAX: usize = 1_000;

/// How the plan's connections are secured; `None` for `http`.
///
/// # Errors
/// The extra certificates cannot be read, or the host is no name that a certificate could have.
pub(super) fn tls_target(plan: &Plan) -> Result<Option<TlsTarget>, Error> {
    if !plan.target.tls {
        return Ok(None);
    }
    let fails = |source| Error::Tls { target: plan.target.to_string(), source };
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(fails)?;
    let mut config = if plan.tls.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth()
    } else {
        builder.with_root_certificates(roots(&plan.tls)?).with_no_client_auth()
    };
    let http2 = plan.http_version == HttpVersion::Http2;
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let name = ServerName::try_from(plan.target.host.clone())
        .map_err(|_bad| fails(rustls::Error::General("the host is no server name".into())))?;
    Ok(Some(TlsTarget { config: Arc::new(config), name, http2 }))
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    // Systems carry certificates that cannot be parsed; one that is needed and missing shows in the
    // handshake's error.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = &options.extra_ca_pem {
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX) {
            let certificate =
                certificate.map_err(|error| Error::Certificates(error.to_string()))?;
            roots.add(certificate).map_err(|error| Error::Certificates(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(Error::Certificates("no certificate in them".into()));
        }
    }
    Ok(roots)
}

/// Trusts every certificate, for tests against servers with none that anybody signed.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
