//! `docs/reference/charts.md`: the charts of the catalog.

use std::fmt::Write;

use obstack_core::catalog::CATALOG;

use super::markdown::{MADE, code, head, row};

const INTRO: &str = "
# Chart catalog

The charts that the operator knows. Of one name, the first line that fits the served Kubernetes version is taken, unless the spec pins another. The digest is that of the published archive; an archive with another one is refused. [How charts are chosen and pinned](../how-to/charts.md).
";

/// The page.
pub fn page() -> String {
    let mut text = format!(
        "{MADE}{INTRO}\n{}",
        head(&["chart", "version", "runs", "Kubernetes", "sha256 of the archive"])
    );
    for entry in CATALOG {
        let kubernetes = format!("1.{} or newer", entry.oldest_kubernetes);
        text.push_str(&row(&[
            &code(entry.name),
            entry.version,
            entry.app_version,
            &kubernetes,
            &code(entry.sha256),
        ]));
    }
    text.push_str("\n## Repositories\n\n");
    let mut repositories: Vec<_> = CATALOG.iter().map(|entry| entry.repository).collect();
    repositories.sort_unstable();
    repositories.dedup();
    for repository in repositories {
        let mut names: Vec<_> = CATALOG
            .iter()
            .filter(|entry| entry.repository == repository)
            .map(|entry| code(entry.name))
            .collect();
        names.dedup();
        let _ = writeln!(text, "- {}: {repository}", names.join(", "));
    }
    text
}
