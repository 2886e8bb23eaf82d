//! Renders that were made before, kept by what went into them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::digest::hex;

/// So many renders are kept, the newest.
const KEPT: usize = 256;

/// The name of a render: a hash of everything that can change its result.
pub(super) fn key(inputs: &Value) -> String {
    let mut text = String::new();
    canonical(inputs, &mut text);
    hex(&Sha256::digest(text))
}

/// JSON with sorted keys, however the maps were built.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

/// A folder of renders.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn new(cache: &Path) -> Self {
        Self { folder: cache.join("renders") }
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    /// The objects of an earlier render. A file that cannot be read, or is not what was written, is a miss.
    pub(super) fn get(&self, key: &str) -> Option<Vec<Value>> {
        let bytes = fs::read(self.file(key)).ok()?;
        let objects = parse(&bytes, key);
        if objects.is_none() {
            tracing::warn!(key, "a cached render is damaged; the chart is rendered again");
        }
        objects
    }

    /// Keeps a render, and gives it as every later `get` will: a number may change its last digit when it is read
    /// back, and a hit must be the same bytes as the miss before it.
    pub(super) fn put(&self, key: &str, objects: &[Value]) -> io::Result<Vec<Value>> {
        let bytes = json!({ "key": key, "objects": objects }).to_string().into_bytes();
        let read_back =
            parse(&bytes, key).ok_or_else(|| io::Error::other("the objects cannot be read back"))?;
        if let Err(error) = self.write(key, &bytes) {
            // Without a cache everything still works, only slower.
            tracing::warn!(%error, folder = %self.folder.display(), "a render could not be kept");
        }
        Ok(read_back)
    }

    fn write(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.persist(self.file(key)).map_err(|error| error.error)?;
        self.prune()
    }

    /// Removes the oldest files, leftovers of a crash among them.
    fn prune(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.folder)?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
            })
            .collect();
        files.sort();
        for (_, file) in files.iter().take(files.len().saturating_sub(KEPT)) {
            // Another process may have been faster.
            let _ = fs::remove_file(file);
        }
        Ok(())
    }
}

fn parse(bytes: &[u8], key: &str) -> Option<Vec<Value>> {
    let mut file: Value = serde_json::from_slice(bytes).ok()?;
    if file.get("key").and_then(Value::as_str) != Some(key) {
        return None;
    }
    match file.get_mut("objects").map(Value::take) {
        Some(Value::Array(objects)) if !objects.is_empty() => Some(objects),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Cache, KEPT, key};

    #[test]
    fn the_key_does_not_depend_on_the_order_of_a_map() {
        let left: serde_json::Value = serde_json::from_str(r#"{"a":{"x":1,"y":2},"b":[1,2]}"#).unwrap();
        let right: serde_json::Value = serde_json::from_str(r#"{"b":[1,2],"a":{"y":2,"x":1}}"#).unwrap();
        assert_eq!(key(&left), key(&right));
        assert_ne!(key(&left), key(&json!({"a": {"x": 1, "y": 2}, "b": [2, 1]})));
        assert_ne!(key(&json!({"a": 1})), key(&json!({"a": "1"})));
    }

    #[test]
    fn a_hit_is_what_the_miss_before_it_gave() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let objects = vec![json!({"b": 0.1, "a": 1_234.567_890_123_456_7, "c": 1e300, "d": 1_000_000})];
        let miss = cache.put("k", &objects).unwrap();
        assert_eq!(
            serde_json::to_string(&miss).unwrap(),
            serde_json::to_string(&cache.get("k").unwrap()).unwrap()
        );
    }

    #[test]
    fn a_damaged_file_is_a_miss() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        cache.put("k", &[json!({"a": 1})]).unwrap();
        let file = cache.file("k");
        let whole = std::fs::read(&file).unwrap();
        for damaged in
            [&whole[..whole.len() - 2], b"", b"null", br#"{"key":"other","objects":[1]}"#, br#"{"key":"k"}"#]
        {
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(cache.get("k"), None);
        }
    }

    #[test]
    fn the_newest_renders_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        for n in 0..KEPT + 5 {
            cache.put(&format!("k{n}"), &[json!(n)]).unwrap();
        }
        assert_eq!(std::fs::read_dir(&cache.folder).unwrap().count(), KEPT);
        assert!(cache.get(&format!("k{}", KEPT + 4)).is_some());
    }

    #[test]
    fn a_cache_that_cannot_be_written_does_not_stop_a_render() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Cache::new(file.path()).put("k", &[json!(1)]).is_ok());
    }
}
