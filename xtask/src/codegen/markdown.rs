//! Small pieces of Markdown.

/// The line that says where a page comes from.
pub const MADE: &str = "<!-- Made by `cargo xtask codegen`. Do not edit. -->\n";

/// The head of a table.
pub fn head(titles: &[&str]) -> String {
    let rule: Vec<_> = titles.iter().map(|_| "---").collect();
    format!("| {} |\n|{}|\n", titles.join(" | "), rule.join("|"))
}

/// A row of a table. A bar inside of a cell would end it.
pub fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The text as code; nothing when it is empty.
pub fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// The anchor that GitHub and most renderers give a heading.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}
