//! What is in a bucket: one signed request, which every S3 server answers.

use std::fmt::Write;
use std::net::ToSocketAddrs;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use obstack_sandbox::S3;
use sha2::{Digest, Sha256};

use crate::demo::http;
use crate::error::{At, Error};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The headers that are signed, as the signature names them.
const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";
const QUERY: &str = "list-type=2";

/// An object.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
}

/// The objects of a bucket in the order of their keys; of more than 1,000 the first ones.
pub fn list(s3: &S3, bucket: &str) -> Result<Vec<Object>, Error> {
    let host = s3.endpoint.trim_start_matches("http://");
    let of_endpoint = Path::new(&s3.endpoint);
    let address = host.to_socket_addrs().at("resolve", of_endpoint)?.next();
    let not_listed = |reason: String| Error::Format { what: format!("the list of bucket {bucket}"), reason };
    let address = address.ok_or_else(|| not_listed(format!("{host} has no address")))?;
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let nothing = hex(&Sha256::digest([]));
    let signature = authorization(s3, &address.to_string(), bucket, &time, &nothing);
    let headers = [
        ("x-amz-content-sha256", nothing.as_str()),
        ("x-amz-date", time.as_str()),
        ("Authorization", signature.as_str()),
    ];
    let answer = http::get(address, &format!("/{bucket}?{QUERY}"), &headers).at("ask", of_endpoint)?;
    match answer {
        (200, list) => Ok(parse(&list)),
        (status, said) => Err(not_listed(format!("{status} {said}"))),
    }
}

/// AWS Signature Version 4 of the request.
fn authorization(s3: &S3, host: &str, bucket: &str, time: &str, nothing: &str) -> String {
    let day = time.split('T').next().unwrap_or_default();
    let request = format!(
        "GET\n/{bucket}\n{QUERY}\nhost:{host}\nx-amz-content-sha256:{nothing}\nx-amz-date:{time}\n\n{SIGNED}\n{nothing}"
    );
    let scope = format!("{day}/{}/s3/aws4_request", s3.region);
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(&Sha256::digest(request)));
    let secret = format!("AWS4{}", s3.secret_key).into_bytes();
    let key = [day, &s3.region, "s3", "aws4_request"].iter().fold(secret, |key, part| sign(&key, part));
    let signature = hex(&sign(&key, &text));
    format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={SIGNED}, Signature={signature}", s3.access_key)
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The objects of a `ListBucketResult`. Keys of backends have no character that XML escapes.
fn parse(list: &str) -> Vec<Object> {
    let object = |entry: &str| {
        let key = between(entry, "<Key>", "</Key>")?.to_owned();
        Some(Object { key, size: between(entry, "<Size>", "</Size>")?.parse().ok()? })
    };
    list.split("<Contents>").skip(1).filter_map(object).collect()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    text.split_once(begin)?.1.split_once(end).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_with_their_sizes() {
        let list = "<ListBucketResult><Name>b</Name><Contents><Key>a/1</Key><Size>7</Size></Contents>\
                    <Contents><Size>0</Size><ETag>x</ETag><Key>b</Key></Contents></ListBucketResult>";
        let object = |key: &str, size| Object { key: key.into(), size };
        assert_eq!(parse(list), [object("a/1", 7), object("b", 0)]);
        assert_eq!(parse("<ListBucketResult/>"), []);
    }

    /// The steps of the key, by the example of AWS: <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>.
    #[test]
    fn the_key_is_derived_as_the_specification_does() {
        let secret = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec();
        let parts = ["20120215", "us-east-1", "iam", "aws4_request"];
        let key = parts.iter().fold(secret, |key, part| sign(&key, part));
        assert_eq!(hex(&key), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
    }
}
