//! Versions as tools print them, and which of them fit together.

/// The oldest API server that is accepted from outside, together with its own scheduler and controller manager.
const OLDEST_APISERVER: u32 = 32;

/// The oldest API server the built scheduler works with: it watches `resource.k8s.io/v1`, which came with 1.34,
/// and schedules nothing without it.
const OLDEST_APISERVER_FOR_BUILT: u32 = 34;

/// The minor version of the Kubernetes parts that are built.
const BUILT_MINOR: u32 = 36;

/// A version: the text as printed (without a leading `v`) and what can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) text: String,
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// The first version in the output of a tool, such as `Kubernetes v1.36.3` or `version 30GB 4.05 linux amd64`.
pub(crate) fn parse(output: &str) -> Option<Version> {
    output
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | ':'))
        .find_map(|word| word_version(word.strip_prefix('v').unwrap_or(word)))
}

fn word_version(word: &str) -> Option<Version> {
    let core = word.split(['+', '-']).next()?;
    let mut numbers = core.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    let rest_is_numeric = numbers.all(|number| number.parse::<u32>().is_ok());
    rest_is_numeric.then(|| Version { text: core.to_owned(), major, minor })
}

/// Whether an API server from outside is used. `own_parts`: its scheduler and controller manager come along.
pub(crate) fn apiserver_fits(version: &Version, own_parts: bool) -> bool {
    let oldest = if own_parts { OLDEST_APISERVER } else { OLDEST_APISERVER_FOR_BUILT };
    version.major == 1 && version.minor >= oldest
}

/// Whether a scheduler or controller manager from outside fits the API server: none may be newer, and the
/// supported skew is one minor version.
pub(crate) fn controller_fits(version: &Version, apiserver: &Version) -> bool {
    let minor = apiserver.minor;
    version.major == 1 && (version.minor == minor || version.minor + 1 == minor)
}

/// Whether a kubectl from outside fits: one minor version around the built API server, as its skew policy says,
/// or anything that came with the API server itself.
pub(crate) fn kubectl_fits(version: &Version, apiserver: Option<&Version>) -> bool {
    let minor = apiserver.map_or(BUILT_MINOR, |version| version.minor);
    version.major == 1 && version.minor.abs_diff(minor) <= 1
}

/// Whether an etcd from outside is used.
pub(crate) fn etcd_fits(version: &Version) -> bool {
    version.major == 3 && version.minor >= 5
}

/// Whether a helm from outside is used.
pub(crate) fn helm_fits(version: &Version) -> bool {
    version.major == 4 || (version.major == 3 && version.minor >= 17)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        parse(text).unwrap()
    }

    #[test]
    fn versions_as_tools_print_them() {
        for (output, text) in [
            ("Kubernetes v1.36.3\n", "1.36.3"),
            ("etcd Version: 3.6.16\nGit SHA: Not provided\nGo Version: go1.26.8\n", "3.6.16"),
            ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n", "1.32.4"),
            ("v3.17.0+g301108e", "3.17.0"),
            ("v4.3.1", "4.3.1"),
            ("version 30GB 4.05 0123abcd linux amd64", "4.05"),
            (r#"{"gitVersion":"v1.33.0"}"#, "1.33.0"),
        ] {
            assert_eq!(version(output).text, text, "{output}");
        }
        for output in ["", "no version", "1", "v", "a.b", "1.x"] {
            assert_eq!(parse(output), None, "{output}");
        }
    }

    #[test]
    fn an_apiserver_needs_a_scheduler_that_works_with_it() {
        assert!(apiserver_fits(&version("1.32.0"), true));
        assert!(!apiserver_fits(&version("1.31.9"), true));
        assert!(!apiserver_fits(&version("1.33.9"), false));
        assert!(apiserver_fits(&version("1.34.0"), false));
    }

    #[test]
    fn controllers_are_never_newer_than_the_apiserver() {
        let apiserver = version("1.34.1");
        assert!(controller_fits(&version("1.34.9"), &apiserver));
        assert!(controller_fits(&version("1.33.0"), &apiserver));
        assert!(!controller_fits(&version("1.35.0"), &apiserver));
        assert!(!controller_fits(&version("1.32.0"), &apiserver));
    }

    #[test]
    fn helm_kubectl_and_etcd_from_outside() {
        assert!(helm_fits(&version("3.17.0")) && helm_fits(&version("4.0.0")));
        assert!(!helm_fits(&version("3.16.4")) && !helm_fits(&version("2.17.0")));
        assert!(kubectl_fits(&version("1.35.2"), None) && !kubectl_fits(&version("1.32.4"), None));
        assert!(kubectl_fits(&version("1.32.4"), Some(&version("1.32.0"))));
        assert!(etcd_fits(&version("3.5.1")) && !etcd_fits(&version("3.4.30")));
    }
}
