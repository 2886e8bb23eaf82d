//! Where the object store's keys are. They are never read, only where they come from.

use obstack_api::{CaSecretRef, CredentialsSecretRef};
use serde_json::Value;

use super::{
    Found, Wish,
    config::Config,
    release::{Environment, Workload, list, text},
};

/// What the S3 clients of Tempo and Mimir read when their configuration has no key.
const DEFAULTS: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
/// What to do when the keys are in no Secret that a stack could name.
const GIVE: &str = "put the keys into a Secret of the namespace and name it (--credentials-secret)";

/// The Secret with the keys: the one that is given, or the one that the release uses.
pub(super) fn of(
    wish: &Wish,
    config: &Config,
    pods: Workload<'_>,
    found: &mut Found,
) -> Option<CredentialsSecretRef> {
    if let Some(given) = &wish.credentials {
        return Some(given.clone());
    }
    let subject = "access keys of the object store";
    let environment = pods.secrets();
    let mut of_key = |written: Option<&'_ str>, default: &str| {
        // The configuration is for whoever may read ConfigMaps; its keys are not copied anywhere else.
        let Some(variable) = written.map_or(Some(default), |written| variable(written)) else {
            let why = "stand in the configuration itself, and a stack never holds a key";
            found.obstacle(subject, why, GIVE);
            return None;
        };
        let place = place(&environment, variable);
        if place.is_none() {
            let why = if environment.inline.iter().any(|inline| inline == variable) {
                format!("stand in the environment of {} itself, and a stack never holds a key", pods.name())
            } else {
                format!("are in no Secret that the environment of {} names as {variable}", pods.name())
            };
            found.obstacle(subject, why, GIVE);
        }
        place
    };
    let access = of_key(config.keys.0.as_deref(), DEFAULTS.0)?;
    let secret = of_key(config.keys.1.as_deref(), DEFAULTS.1)?;
    if access.0 != secret.0 {
        found.obstacle(
            subject,
            format!("are in the Secrets {} and {}; a stack names one", access.0, secret.0),
            GIVE,
        );
        return None;
    }
    if environment.whole.len() > 1 && !environment.single.contains_key(DEFAULTS.0) {
        found.note(subject, format!("are taken for those of Secret {}, the first of several", access.0));
    }
    let other = |key: String, default: &str| (key != default).then_some(key);
    Some(CredentialsSecretRef {
        name: access.0,
        access_key_field: other(access.1, DEFAULTS.0),
        secret_key_field: other(secret.1, DEFAULTS.1),
    })
}

/// The variable of `${NAME}` or `${NAME:default}`.
fn variable(written: &str) -> Option<&str> {
    let inner = written.strip_prefix("${")?.strip_suffix('}')?;
    inner.split(':').next().filter(|name| !name.is_empty())
}

/// Secret and key of a variable. A Secret that is there as a whole is believed to have it.
fn place(environment: &Environment, variable: &str) -> Option<(String, String)> {
    if let Some(found) = environment.single.get(variable) {
        return Some(found.clone());
    }
    if environment.inline.iter().any(|inline| inline == variable) {
        return None;
    }
    let (name, prefix) =
        environment.whole.iter().find(|(_, prefix)| variable.starts_with(prefix.as_str()))?;
    Some((name.clone(), variable.strip_prefix(prefix.as_str())?.to_owned()))
}

/// The Secret that is mounted where the configuration has the certificate authority.
pub(super) fn authority(path: Option<&str>, pods: Workload<'_>, found: &mut Found) -> Option<CaSecretRef> {
    let path = path?;
    let secret = list(pods.main(), "/volumeMounts").find_map(|mount| {
        let folder = text(mount, "/mountPath")?.trim_end_matches('/');
        let below = path.strip_prefix(folder)?.trim_start_matches('/');
        let volume = list(pods.pod(), "/volumes").find(|volume| volume.get("name") == mount.get("name"))?;
        let name = text(volume, "/secret/secretName")?;
        let file = if below.is_empty() { text(mount, "/subPath")? } else { below };
        let items = volume.pointer("/secret/items").and_then(Value::as_array);
        let item = items.and_then(|items| items.iter().find(|item| text(item, "/path") == Some(file)));
        let key = item.and_then(|item| text(item, "/key")).unwrap_or(file);
        Some(CaSecretRef { name: name.to_owned(), key: (key != "ca.crt").then(|| key.to_owned()) })
    });
    if secret.is_none() {
        found.obstacle(
            "certificate authority of the object store",
            format!("is read from {path}, which is no key of a Secret"),
            "put the certificate into a Secret, mount it there and upgrade the release first",
        );
    }
    secret
}
