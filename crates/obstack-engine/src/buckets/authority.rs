//! The certificate authority of an endpoint, checked before the TLS library sees it.
//!
//! The SDK's HTTP client panics on a PEM or a certificate that it cannot read. So the certificates are taken out of
//! the PEM here, proved to be certificates, and written into a clean PEM: nothing that a person typed gets further.

use std::fmt::Write as _;

use aws_smithy_types::base64;
use kube::client::ConfigExt as _;

use super::StorageError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of `pem`, as PEM that is sure to load.
pub(super) fn checked(endpoint: &str, pem: &[u8]) -> Result<Vec<u8>, StorageError> {
    let invalid = |detail: &str| StorageError::InvalidAuthority {
        endpoint: endpoint.to_owned(),
        detail: detail.to_owned(),
    };
    let text = std::str::from_utf8(pem).map_err(|_| invalid("it is not text"))?;
    let mut certificates = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (body, tail) = after.split_once(END).ok_or_else(|| invalid("a certificate has no end line"))?;
        let body: String = body.split_whitespace().collect();
        certificates.push(base64::decode(body).map_err(|_| invalid("a certificate is not base64"))?);
        rest = tail;
    }
    if certificates.is_empty() {
        return Err(invalid("it holds no certificate"));
    }
    let mut clean = String::new();
    for der in &certificates {
        // Writing to a String cannot fail.
        let _ = writeln!(clean, "{BEGIN}\n{}\n{END}", base64::encode(der));
    }
    load(certificates).map_err(|detail| invalid(&detail))?;
    Ok(clean.into_bytes())
}

/// Has rustls load the certificates, through the only door to it that this crate has.
fn load(certificates: Vec<Vec<u8>>) -> Result<(), String> {
    let url = "https://localhost".parse().map_err(|_| "internal: no URL".to_owned())?;
    let mut config = kube::Config::new(url);
    config.root_cert = Some(certificates);
    match config.rustls_client_config() {
        Ok(_) => Ok(()),
        Err(_) => Err("a block in it is not an X.509 certificate".to_owned()),
    }
}
