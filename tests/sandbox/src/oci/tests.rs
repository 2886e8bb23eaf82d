use std::fs;
use std::io::Read as _;

use tar::Header;
use tempfile::TempDir;

use super::*;

/// A program, a folder of charts and a writable folder.
fn example(dir: &Path) -> Image {
    fs::write(dir.join("program"), "the program").unwrap();
    fs::create_dir_all(dir.join("charts/b/templates")).unwrap();
    fs::write(dir.join("charts/b/templates/z.yaml"), "z").unwrap();
    fs::write(dir.join("charts/a.yaml"), "a").unwrap();
    Image {
        entrypoint: vec!["/bin/program".into()],
        user: "65532".into(),
        env: vec![("HOME".into(), "/tmp".into())],
        labels: [("org.opencontainers.image.title".into(), "example".into())].into(),
        files: vec![
            ImageFile { from: dir.join("program"), to: "/bin/program".into(), mode: 0o755 },
            ImageFile { from: dir.join("charts"), to: "/charts".into(), mode: 0o644 },
        ],
        folders: vec![("/data/wal".into(), 0o777)],
    }
}

fn archive(image: &Image, names: &[&str], out: &Path) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    write_archive(image, &names, out).unwrap()
}

/// The entries of a tar in their order.
fn entries(bytes: &[u8]) -> Vec<(String, Header, Vec<u8>)> {
    let mut tar = tar::Archive::new(bytes);
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, entry.header().clone(), content)
    });
    entries.collect()
}

fn content(archive: &[u8], path: &str) -> Vec<u8> {
    entries(archive).into_iter().find(|(name, ..)| name == path).unwrap_or_else(|| panic!("no {path}")).2
}

fn parsed(archive: &[u8], path: &str) -> Value {
    serde_json::from_slice(&content(archive, path)).unwrap()
}

fn written(names: &[&str]) -> (TempDir, String, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("image.tar");
    let digest = archive(&example(dir.path()), names, &out);
    let bytes = fs::read(out).unwrap();
    (dir, digest, bytes)
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let (_one, digest, bytes) = written(&["example:1"]);
    let (two, other_digest, other_bytes) = written(&["example:1"]);
    assert_eq!(digest, other_digest);
    assert!(bytes == other_bytes, "the archives differ");
    let image = example(two.path());
    fs::write(two.path().join("program"), "the PROGRAM").unwrap();
    assert_ne!(digest, archive(&image, &["example:1"], &two.path().join("image.tar")));
}

#[test]
fn every_blob_is_what_its_digest_says_from_the_index_to_the_layer() {
    let of_nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(super::digest(Sha256::new()), of_nothing);
    let (_dir, digest, bytes) = written(&["example:1"]);
    for (path, _, content) in entries(&bytes) {
        if let Some(sum) = path.strip_prefix("blobs/sha256/") {
            assert_eq!(super::digest(Sha256::new_with_prefix(&content)), format!("sha256:{sum}"));
        }
    }
    let follow = |descriptor: &Value| {
        let path = blob_path(descriptor["digest"].as_str().unwrap());
        let blob = content(&bytes, &path);
        assert_eq!(descriptor["size"], blob.len());
        blob
    };
    let index = parsed(&bytes, "index.json");
    assert_eq!(index["manifests"][0]["digest"], digest);
    let manifest: Value = serde_json::from_slice(&follow(&index["manifests"][0])).unwrap();
    let config: Value = serde_json::from_slice(&follow(&manifest["config"])).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
    assert_eq!(
        config["config"],
        json!({
            "User": "65532",
            "Env": ["HOME=/tmp", format!("PATH={PATH}")],
            "Entrypoint": ["/bin/program"],
            "Labels": {"org.opencontainers.image.title": "example"},
            "WorkingDir": "/",
        })
    );
    follow(&manifest["layers"][0]);
}

#[test]
fn the_layer_holds_the_files_sorted_without_times_and_owners() {
    let (_dir, _, bytes) = written(&["example:1"]);
    let config = parsed(&bytes, "index.json")["manifests"][0]["digest"].as_str().map(blob_path).unwrap();
    let layer = parsed(&bytes, &config)["layers"][0]["digest"].as_str().map(blob_path).unwrap();
    let layer = entries(&content(&bytes, &layer));
    let listed: Vec<String> =
        layer.iter().map(|(path, header, _)| format!("{:o} {path}", header.mode().unwrap())).collect();
    let expected = [
        "755 bin",
        "755 bin/program",
        "755 charts",
        "644 charts/a.yaml",
        "755 charts/b",
        "755 charts/b/templates",
        "644 charts/b/templates/z.yaml",
        "755 data",
        "777 data/wal",
        "755 etc",
        "644 etc/group",
        "644 etc/nsswitch.conf",
        "644 etc/passwd",
        "1777 tmp",
    ];
    assert_eq!(listed, expected);
    for (path, header, _) in &layer {
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
        assert_eq!(owner, (0, 0, 0), "{path}");
    }
}

#[test]
fn every_name_is_in_the_index_as_a_kubelet_looks_for_it() {
    let names = [
        ("busybox", "docker.io/library/busybox:latest"),
        ("grafana/mimir:3.1.2", "docker.io/grafana/mimir:3.1.2"),
        ("docker.io/grafana/mimir:3.0.4", "docker.io/grafana/mimir:3.0.4"),
        ("localhost/operator:dev", "localhost/operator:dev"),
        ("registry.example:5000/pause", "registry.example:5000/pause:latest"),
    ];
    let (_dir, digest, bytes) = written(&names.map(|(given, _)| given));
    let index = parsed(&bytes, "index.json");
    for (at, (_, full)) in names.iter().enumerate() {
        let manifest = &index["manifests"][at];
        assert_eq!(manifest["digest"], digest);
        assert_eq!(manifest["annotations"]["io.containerd.image.name"], *full);
        let tag = full.rsplit(':').next().unwrap();
        assert_eq!(manifest["annotations"]["org.opencontainers.image.ref.name"], tag);
    }
    assert_eq!(index["manifests"].as_array().unwrap().len(), names.len());
}

#[test]
fn what_cannot_be_in_an_image_is_refused_and_leaves_no_archive() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("image.tar");
    let program = dir.path().join("program");
    fs::write(&program, "").unwrap();
    let cases = [
        (program.clone(), "bin/program", "absolute"),
        (program.clone(), "/bin/../program", "neither"),
        (program, "/", "absolute"),
        (dir.path().join("missing"), "/bin/program", "missing"),
        ("/dev/null".into(), "/bin/program", "neither a file nor a folder"),
    ];
    for (from, to, expected) in cases {
        let file = ImageFile { from, to: to.into(), mode: 0o755 };
        let image = Image { files: vec![file], ..Image::default() };
        let error = write_archive(&image, &["example:1".into()], &out).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!out.exists());
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only the program is there");
}

#[test]
fn a_name_that_a_short_header_cannot_hold_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("x".repeat(120)).join("y".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "here").unwrap();
    let tree = [ImageFile { from: dir.path().join("x".repeat(120)), to: "/deep".into(), mode: 0o644 }];
    let out = dir.path().join("image.tar");
    archive(&Image { files: tree.to_vec(), ..Image::default() }, &["example:1"], &out);
    let bytes = fs::read(out).unwrap();
    let layers = entries(&bytes).into_iter().map(|(_, _, content)| content);
    let inside: Vec<String> = layers
        .filter(|blob| blob.len() > 4096)
        .flat_map(|blob| entries(&blob))
        .map(|entry| entry.0)
        .collect();
    assert!(inside.contains(&format!("deep/{}/file", "y".repeat(120))), "{inside:?}");
}

#[test]
fn a_folder_gets_the_same_files_as_the_layer() {
    let (dir, _, bytes) = written(&["a:b"]);
    let root = dir.path().join("root");
    write_root(&example(dir.path()), &root).unwrap();
    let manifest = parsed(&bytes, "index.json")["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let blob = |digest: &str| format!("blobs/{}", digest.replace(':', "/"));
    let layer = parsed(&bytes, &blob(&manifest))["layers"][0]["digest"].as_str().unwrap().to_owned();
    for (path, header, text) in entries(&content(&bytes, &blob(&layer))) {
        let file = root.join(&path);
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, header.mode().unwrap(), "{path}");
        if file.is_file() {
            assert_eq!(fs::read(&file).unwrap(), text, "{path}");
        }
    }
}
