//! What is left of words of others.

use proptest::prelude::*;

use super::{LONGEST, image, last, quote, quote_endpoint, scheduler};

#[test]
fn words_become_one_line_of_bounded_length() {
    assert_eq!(quote("  a\tb\n\n c\u{7} \r\n"), "a b c");
    let long = "word ".repeat(200);
    assert_eq!(quote(&long).chars().count(), LONGEST);
    assert!(quote(&long).ends_with('…'));
    assert_eq!(quote(&"ä".repeat(LONGEST)), "ä".repeat(LONGEST));
}

#[test]
fn what_is_no_credential_stays() {
    for text in [
        "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.",
        "InvalidAccessKeyId: The access key ID you provided does not exist in our records.",
        "couldn't find key secret_key in Secret ns/dts-s3",
        "MountVolume.SetUp failed for volume \"ca\" : secret \"dts-s3\" not found",
        "references non-existent secret key: ca.crt",
        "docker.io/grafana/mimir@sha256:0f3ce1a5d8b7ffa0b8e0f5e6a9d1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3",
        "https://registry.example/v2/mimir/manifests/x@sha256:0f3ce1a5d8b7ffa0b8e0f5e6a9d1b2c3d4e5f6",
        "Get \"http://s3.ns.svc:8333/dts-metrics-dev-blocks/sanity-check-at-startup\": no such host",
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}",
        "violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"ingester\")",
        "exceeded quota: compute, requested: requests.cpu=100m, used: requests.cpu=950m, limited: requests.cpu=1",
        "version 3.0.5 of mimir:3.0.5 on port 8080",
    ] {
        assert_eq!(quote(text), text);
    }
}

#[test]
fn credentials_are_hidden_wherever_they_stand() {
    for (text, shown) in [
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key <hidden> is unknown"),
        ("ASIAIOSFODNN7EXAMPLE", "<hidden>"),
        ("GET /?X-Amz-Credential=k%2F2026&X-Amz-Signature=ab", "GET /?X-Amz-Credential=<hidden>"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/x, SignedHeaders=host, Signature=ab12",
            "Authorization: <hidden> Credential=<hidden> SignedHeaders=host, Signature=<hidden>",
        ),
        ("Authorization: Bearer abc.def, then", "Authorization: <hidden> <hidden> then"),
        ("password=hunter2 user=me", "password=<hidden> user=me"),
        ("password = hunter2", "password = <hidden>"),
        ("{\"secretKey\": \"a b\", \"name\": \"x\"}", "{\"secretKey\": \"<hidden>\", \"name\": \"x\"}"),
        ("dial http://me:pa/ss@s3:8333/b: refused", "dial http://<hidden>@s3:8333/b: refused"),
        ("err=\"parse \\\"http://me:p@w@s3\\\"\"", "err=\"parse \\\"http://<hidden>@s3\\\"\""),
        ("used wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.", "used <hidden>."),
        ("AWS_SECRET_ACCESS_KEY=short", "AWS_SECRET_ACCESS_KEY=<hidden>"),
        ("client_secret=short", "client_secret=<hidden>"),
    ] {
        assert_eq!(quote(text), shown);
    }
}

#[test]
fn what_is_another_each_time_goes() {
    for (text, shown) in [
        ("read tcp 10.244.0.7:43210->10.96.0.3:9095: reset", "read tcp <ip>-><ip>:9095: reset"),
        ("dial tcp [fd00:10::5]:9095: refused", "dial tcp <ip>:9095: refused"),
        ("Get \"http://10.244.0.7:8080/ready\": refused", "Get \"http://<ip>:8080/ready\": refused"),
        ("no answer of 10.244.0.7.", "no answer of <ip>"),
        ("at 2026-11-20T10:00:00.123Z and 2026/11/20 10:00:00.5", "at <time> and <time> <time>"),
        ("main.f(0xc000123456, 0x1d)", "main.f(0x…, 0x1d)"),
    ] {
        assert_eq!(quote(text), shown);
    }
}

#[test]
fn the_line_that_says_why_it_ended_is_the_last_word() {
    for (said, line) in [
        ("level=info msg=a\nlevel=error msg=\"b\" err=\"c\"\nlevel=info msg=bye\n", "msg=\"b\" err=\"c\""),
        ("first\nsecond\n\n", "second"),
        ("panic: nil\n\ngoroutine 1 [running]:\n/src/error.go:1", "panic: nil"),
        ("flag provided but not defined: -x\nRun with -help", "flag provided but not defined: -x"),
        ("an error of:\n\n two parts:\n  this\nbye", "an error of: two parts: this"),
        ("bye:\npanic: nil\n\ngoroutine 1 [running]:\n/src/error.go:1", "panic: nil"),
        ("an error of:", "an error of:"),
        // Mimir 3.0.5 whose ingester may not write: the cause comes first, and the log of a pod begins in the middle.
        (
            concat!(
                "e: ingester: failed to access directory /data/tsdb: open /data/.check: permission denied\"\n",
                "ts=1 caller=mimir.go:1119 level=error msg=\"module failed\" module=server err=\"failed to start server, because it depends on module usage-stats, which has failed: context canceled\"\n",
                "ts=1 caller=module_service.go:82 level=info msg=starting module=usage-stats\n",
                "ts=1 caller=mimir.go:1119 level=error msg=\"module failed\" module=usage-stats err=\"starting module usage-stats: context canceled\"\n",
                r#"ts=1 caller=log.go:157 level=error msg="error running application" err="failed services\ngithub.com/grafana/mimir/pkg/mimir.(*Mimir).Run\n\tgithub.com/grafana/mimir@v1.3.1/pkg/mimir/mimir.go:1162""#,
            ),
            "e: ingester: failed to access directory /data/tsdb: open /data/.check: permission denied\"",
        ),
        (
            r#"level=error msg="error running application" err="invalid ring\nmain.main\n\tgithub.com/grafana/mimir/main.go:234\nruntime.main""#,
            "msg=\"error running application\" err=\"invalid ring",
        ),
        ("level=error err=\"starting: context canceled\"", "err=\"starting: context canceled\""),
        ("\n \n", ""),
    ] {
        assert_eq!(last(said), line);
    }
}

#[test]
fn schedulers_and_registries_are_quoted_without_what_they_repeat() {
    let no_cpu = "0/3 nodes are available: 3 Insufficient cpu";
    assert_eq!(scheduler(&format!("{no_cpu}. preemption: 0/3 nodes are available")), no_cpu);
    assert_eq!(scheduler(&format!("{no_cpu}. no new claims to deallocate, preemption: 0/3")), no_cpu);
    assert_eq!(scheduler(no_cpu), no_cpu);
    assert_eq!(image("Back-off pulling image \"a\""), "");
    assert_eq!(image("Error: ErrImagePull"), "");
    assert_eq!(image("Back-off pulling image \"a\": ErrImagePull: rpc error: code = X desc = no"), "no");
    assert_eq!(image("RegistryUnavailable: image pull failed for a"), "image pull failed for a");
}

/// A value that would be a credential, without what ends one.
fn secret() -> impl Strategy<Value = String> {
    "[!#$%&()*+,./:;<=>?@A-Za-z0-9_^`{|}~-]{8,40}"
}

/// Text around it.
fn noise() -> impl Strategy<Value = String> {
    "[a-z0-9 .:=\"'/\\\\-]{0,40}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn i9_no_credential_passes_into_a_message(
        (before, secret, after) in (noise(), secret(), noise()),
        form in 0..10_usize,
        id in "(AKIA|ASIA)[A-Z0-9]{16}",
        lines in 0..2_usize,
    ) {
        let (hidden, text) = match form {
            0 => (&id, format!("key {id} unknown")),
            1 => (&secret, format!("Signature={secret}")),
            2 => (&secret, format!("Credential={secret}")),
            3 => (&secret, format!("password={secret}")),
            4 => (&secret, format!("password: \"{secret}\"")),
            5 => (&secret, format!("\"password\":\"{secret}\"")),
            6 => (&secret, format!("http://user:{secret}@s3.ns.svc:8333/bucket")),
            7 => (&secret, format!("X-Amz-Security-Token={secret}")),
            8 => (&secret, format!("Authorization: Bearer {secret}")),
            _ => (&id, format!("GET /b?x={id}%2F20260101")),
        };
        let text = format!("{before} {text} {after}");
        let said = [text.clone(), format!("level=error err=\"{text}\"\nbye")];
        for shown in [quote(&said[lines]), quote_endpoint(&said[lines]), last(&said[lines])] {
            prop_assert!(!shown.contains(hidden.as_str()), "{shown}");
            prop_assert!(shown.chars().count() <= LONGEST);
        }
    }

    #[test]
    fn any_words_become_one_line_that_stays_the_same_when_quoted_again(text in "\\PC{0,400}", more in any::<String>()) {
        for said in [text, more] {
            let once = quote(&said);
            prop_assert!(once.chars().count() <= LONGEST && !once.contains(['\n', '\r', '\t']));
            let _ = (last(&said), image(&said), scheduler(&said));
        }
    }
}
