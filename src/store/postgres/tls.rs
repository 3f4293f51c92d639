//! TLS to the database, as `sslmode` asks for it.

use std::{error::Error, io, iter, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
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

/// Why a server is not trusted, and what mends it.
#[derive(Debug, thiserror::Error)]
enum Distrust {
    #[error("cannot trust `{0}`, which `sslrootcert` names")]
    Unreadable(String, #[source] Cause),
    #[error("cannot trust `{0}`, which `sslrootcert` names: it has no certificate in PEM")]
    Empty(String),
    #[error(
        "nobody who is trusted vouches for the server; \
         name the certificate of the authority that signed it in `sslrootcert`"
    )]
    Stranger(#[source] tokio_postgres::Error),
    #[error(
        "the certificate of the server is for other hosts; \
         name the server in the address as the certificate's `subjectAltName` does"
    )]
    Elsewhere(#[source] tokio_postgres::Error),
    #[error(
        "the certificate of the server cannot be that of a server, as where an authority's own is used; \
         have the authority sign another, and name the authority's in `sslrootcert`"
    )]
    Unfit(#[source] tokio_postgres::Error),
}

/// Why there is no connection, with what mends it where that is about the certificate of the server.
pub(super) fn explained(error: tokio_postgres::Error) -> Cause {
    let mut causes = iter::successors(error.source(), |cause| (*cause).source());
    let refused = causes.find_map(|cause| {
        let within = cause.downcast_ref::<io::Error>()?.get_ref()?;
        within.downcast_ref::<rustls::Error>()
    });
    let Some(rustls::Error::InvalidCertificate(problem)) = refused else { return error.into() };
    let explain = match problem {
        // A signature is bad where somebody of the same name is trusted, as after an authority was made anew.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::Stranger,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::Elsewhere
        }
        CertificateError::Other(_) => Distrust::Unfit,
        // What is wrong says what mends it: a date.
        _ => return error.into(),
    };
    explain(error).into()
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
            let trusted = authorities(&file)?;
            builder.with_root_certificates(trusted).with_no_client_auth()
        }
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(file: &str) -> Result<RootCertStore, Distrust> {
    let failed = |error: Cause| Distrust::Unreadable(file.to_owned(), error);
    let unread = |error: pem::Error| failed(error.into());
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unread)? {
        trusted.add(certificate.map_err(unread)?).map_err(|error| failed(error.into()))?;
    }
    if trusted.is_empty() {
        return Err(Distrust::Empty(file.to_owned()));
    }
    Ok(trusted)
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
