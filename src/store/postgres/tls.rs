//! TLS to the database, as `sslmode` asks for it.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    store::Cause,
    text::{DatabaseUrl, DatabaseUrlError, SslMode},
};

/// Who the server may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trust<'a> {
    /// Whoever it is.
    Anybody,
    /// Who has a certificate of somebody whom the system trusts.
    System,
    /// Who has one of somebody in this file, as the address has its name.
    File(&'a str),
}

impl<'a> Trust<'a> {
    /// What an address asks for. `sslrootcert` makes `require` look at certificates, as libpq has it.
    pub(super) fn of(url: &'a DatabaseUrl) -> Result<Self, DatabaseUrlError> {
        Ok(match (url.ssl_mode()?, url.parameter("sslrootcert")) {
            (SslMode::Disable | SslMode::Prefer, _) | (SslMode::Require, None) => Self::Anybody,
            (SslMode::VerifyFull, None)
            | (SslMode::Require | SslMode::VerifyFull, Some("system")) => Self::System,
            (SslMode::Require | SslMode::VerifyFull, Some(file)) => Self::File(file),
        })
    }
}

/// How to connect.
pub(super) fn connector(url: &DatabaseUrl) -> Result<MakeRustlsConnect, Cause> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let config = match Trust::of(url)? {
        Trust::System => builder.with_platform_verifier()?.with_no_client_auth(),
        Trust::File(file) => {
            let file = percent_encoding::percent_decode_str(file).decode_utf8()?;
            let mut trusted = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(&*file)? {
                trusted.add(certificate?)?;
            }
            builder.with_root_certificates(trusted).with_no_client_auth()
        }
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Takes any server for the right one, as libpq does with `prefer` and `require`: the way is kept from those who listen,
/// not from those who stand in it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslrootcert_makes_require_look_at_certificates() {
        for (query, trust) in [
            ("", Trust::Anybody),
            ("?sslmode=prefer&sslrootcert=system", Trust::Anybody),
            ("?sslmode=require", Trust::Anybody),
            ("?sslmode=require&sslrootcert=system", Trust::System),
            ("?sslmode=require&sslrootcert=/etc/roots.pem", Trust::File("/etc/roots.pem")),
            ("?sslmode=verify-full", Trust::System),
            ("?sslmode=verify-full&sslrootcert=system", Trust::System),
            ("?sslmode=verify-full&sslrootcert=a.pem", Trust::File("a.pem")),
        ] {
            let url = DatabaseUrl::new(&format!("postgres://h/d{query}")).unwrap();
            assert_eq!(Trust::of(&url), Ok(trust), "{query}");
        }
    }
}
