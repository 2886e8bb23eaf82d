//! Keys, certificates, tokens and the kubeconfig: all made at start, valid for one sandbox only.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::errors::{At, Error};

/// Where the credentials of a sandbox lie.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// With which the API server asks a kubelet.
    pub(crate) client_certificate: PathBuf,
    pub(crate) client_key: PathBuf,
    pub(crate) accounts_key: PathBuf,
    pub(crate) accounts_public_key: PathBuf,
    pub(crate) tokens: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

impl Files {
    pub(crate) fn of(dir: &Path) -> Self {
        let pki = dir.join("pki");
        Self {
            ca: pki.join("ca.crt"),
            certificate: pki.join("server.crt"),
            key: pki.join("server.key"),
            client_certificate: pki.join("client.crt"),
            client_key: pki.join("client.key"),
            accounts_key: pki.join("accounts.key"),
            accounts_public_key: pki.join("accounts.pub"),
            tokens: pki.join("tokens.csv"),
            kubeconfig: dir.join("kubeconfig"),
        }
    }

    /// Makes all of them: a CA, one serving certificate for every part that serves TLS at these addresses, one for the
    /// API server as a client, the key pair that signs `ServiceAccount` tokens, and an admin with its kubeconfig.
    pub(crate) fn create(&self, server: &str, addresses: &[Ipv4Addr]) -> Result<(), Error> {
        let ca = CertifiedIssuer::self_signed(ca_params(), KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = server_params(addresses)?.signed_by(&key, &ca)?;
        let client_key = KeyPair::generate()?;
        let client = client_params().signed_by(&client_key, &ca)?;
        let accounts = KeyPair::generate()?;
        let token = random_hex::<24>()?;
        write_private(&self.ca, &ca.pem())?;
        write_private(&self.certificate, &certificate.pem())?;
        write_private(&self.key, &key.serialize_pem())?;
        write_private(&self.client_certificate, &client.pem())?;
        write_private(&self.client_key, &client_key.serialize_pem())?;
        write_private(&self.accounts_key, &accounts.serialize_pem())?;
        write_private(&self.accounts_public_key, &accounts.public_key_pem())?;
        write_private(&self.tokens, &format!("{token},admin,admin,system:masters\n"))?;
        write_private(&self.kubeconfig, &kubeconfig(server, &ca.pem(), &token))
    }
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "obstack-sandbox");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn server_params(addresses: &[Ipv4Addr]) -> Result<CertificateParams, Error> {
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let mut params = CertificateParams::new(names.map(String::from))?;
    let addresses = addresses.iter().map(|address| SanType::IpAddress(IpAddr::V4(*address)));
    params.subject_alt_names.extend(addresses);
    params.distinguished_name.push(DnType::CommonName, "obstack-sandbox-server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn client_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "obstack-sandbox-apiserver");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn kubeconfig(server: &str, ca: &str, token: &str) -> String {
    let ca = base64(ca.as_bytes());
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: obstack-sandbox
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: admin
  user:
    token: {token}
contexts:
- name: obstack-sandbox
  context:
    cluster: obstack-sandbox
    user: admin
current-context: obstack-sandbox
"
    )
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).at("create", dir)?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .at("create", path)?;
    file.write_all(text.as_bytes()).at("write", path)
}

/// Bytes from the random source of the system.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).at("read", source)?;
    Ok(bytes)
}

/// `N` random bytes in hexadecimal.
pub(crate) fn random_hex<const N: usize>() -> Result<String, Error> {
    let mut text = String::with_capacity(2 * N);
    for byte in random_bytes::<N>()? {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

fn base64(bytes: &[u8]) -> String {
    let digit = |value: u32| {
        let value = u8::try_from(value & 63).unwrap_or(0);
        char::from(match value {
            0..=25 => b'A' + value,
            26..=51 => b'a' + value - 26,
            52..=61 => b'0' + value - 52,
            62 => b'+',
            _ => b'/',
        })
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut block = chunk.iter().copied().chain([0, 0]).map(u32::from);
        let mut next = || block.next().unwrap_or(0);
        let value = next() << 16 | next() << 8 | next();
        let digits = [value >> 18, value >> 12, value >> 6, value].map(digit);
        text.extend(digits.iter().take(chunk.len() + 1));
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn base64_as_in_the_standard() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("?>~", "Pz5+"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xff, 0xff]), "////");
    }

    #[test]
    fn credentials_are_complete_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        files.create("https://127.0.0.1:1", &[Ipv4Addr::LOCALHOST]).unwrap();
        for path in [&files.ca, &files.key, &files.accounts_key, &files.tokens, &files.kubeconfig] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
        assert!(fs::read_to_string(&files.accounts_public_key).unwrap().contains("BEGIN PUBLIC KEY"));
    }

    #[test]
    fn random_text_differs() {
        assert_ne!(random_hex::<16>().unwrap(), random_hex::<16>().unwrap());
        assert_eq!(random_hex::<4>().unwrap().len(), 8);
    }
}
