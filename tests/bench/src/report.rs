//! What was measured, for people, programs and documents.

use serde_json::{Value, json};

use crate::stats;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    name: String,
    value: f64,
    spread: Option<(f64, f64)>,
    samples: usize,
    unit: &'static str,
    goal: Option<Goal>,
}

impl Figure {
    /// A single value.
    pub fn one(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, spread: None, samples: 1, unit, goal: None }
    }

    /// The median of several values, with the smallest and the largest.
    pub fn median(name: impl Into<String>, values: &[f64], unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value: stats::median(values),
            spread: stats::spread(values),
            samples: values.len(),
            unit,
            goal: None,
        }
    }

    /// A percentile of many values.
    pub fn percentile(name: &str, values: &[f64], percent: u32, unit: &'static str) -> Self {
        Self {
            samples: values.len(),
            ..Self::one(format!("{name}, p{percent}"), stats::percentile(values, percent), unit)
        }
    }

    /// The same figure with a goal.
    #[must_use]
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    fn met(&self) -> Option<bool> {
        self.goal.map(|goal| match goal {
            Goal::AtMost(most) => self.value <= most,
            Goal::AtLeast(least) => self.value >= least,
        })
    }

    fn cells(&self) -> [String; 6] {
        let with_unit = |value: f64| format!("{}{}", short(value), self.unit);
        let goal = match self.goal {
            None => String::new(),
            Some(Goal::AtMost(most)) => format!("<= {}", with_unit(most)),
            Some(Goal::AtLeast(least)) => format!(">= {}", with_unit(least)),
        };
        let spread = self.spread.filter(|_| self.samples > 1);
        [
            self.name.clone(),
            with_unit(self.value),
            spread.map_or_else(String::new, |(low, high)| format!("{}..{}", short(low), short(high))),
            if self.samples > 1 { self.samples.to_string() } else { String::new() },
            goal,
            self.met().map_or("", |met| if met { "yes" } else { "no" }).to_owned(),
        ]
    }

    fn json(&self) -> Value {
        let goal = self.goal.map(|goal| match goal {
            Goal::AtMost(most) => json!({"atMost": most}),
            Goal::AtLeast(least) => json!({"atLeast": least}),
        });
        json!({
            "name": self.name, "value": self.value, "unit": self.unit.trim(), "samples": self.samples,
            "min": self.spread.map(|(low, _)| low), "max": self.spread.map(|(_, high)| high),
            "goal": goal, "met": self.met(),
        })
    }
}

/// Figures that belong together.
#[derive(Clone, Debug)]
pub struct Section {
    /// What was measured.
    pub title: String,
    /// How, in a sentence or two.
    pub how: String,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// Everything that was measured in one run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The machine, the versions, and what was simulated.
    pub setting: Vec<(&'static str, String)>,
    /// The measurements.
    pub sections: Vec<Section>,
}

const TITLES: [&str; 6] = ["figure", "value", "min..max", "samples", "goal", "met"];

impl Report {
    /// As a table for a terminal.
    pub fn table(&self) -> String {
        let mut lines: Vec<_> = self.setting.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        for section in &self.sections {
            lines.extend([String::new(), section.title.clone(), format!("  {}", section.how)]);
            let titles = std::iter::once(TITLES.map(str::to_uppercase));
            let rows: Vec<_> = titles.chain(section.figures.iter().map(Figure::cells)).collect();
            let mut widths = [0; 6];
            for row in &rows {
                for (width, cell) in widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.chars().count());
                }
            }
            lines.extend(rows.iter().map(|row| {
                let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
                format!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end())
            }));
        }
        lines.join("\n")
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut lines: Vec<_> =
            self.setting.iter().map(|(name, value)| format!("- {name}: {value}")).collect();
        for section in &self.sections {
            lines.extend([String::new(), format!("### {}", section.title), section.how.clone()]);
            lines.extend([String::new(), format!("| {} |", TITLES.join(" | "))]);
            lines.push(format!("|{}", "---|".repeat(TITLES.len())));
            lines.extend(section.figures.iter().map(|figure| format!("| {} |", figure.cells().join(" | "))));
        }
        lines.join("\n") + "\n"
    }

    /// As JSON.
    pub fn json(&self) -> String {
        let setting: serde_json::Map<String, Value> =
            self.setting.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        let sections = self.sections.iter().map(|section| {
            let figures: Vec<_> = section.figures.iter().map(Figure::json).collect();
            json!({"title": section.title, "how": section.how, "figures": figures})
        });
        format!("{:#}", json!({"setting": setting, "sections": sections.collect::<Vec<_>>()}))
    }
}

/// Three digits that matter; whole numbers whole.
fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value.fract() == 0.0 || size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 3.0, 0.0314, 2.71, 31.4159, 314.159].map(short);
        assert_eq!(texts, ["0", "3", "0.031", "2.71", "31.4", "314"]);
    }

    #[test]
    fn a_report_says_which_goals_are_met() {
        let report = Report {
            setting: vec![("machine", "a small one".into())],
            sections: vec![Section {
                title: "Create".into(),
                how: "By hand.".into(),
                figures: vec![
                    Figure::median("wall", &[1.0, 3.0, 2.0], "x").goal(Goal::AtMost(1.3)),
                    Figure::one("writes", 0.0, "").goal(Goal::AtMost(0.0)),
                    Figure::one("plain", 7.0, " s"),
                ],
            }],
        };
        let table = report.table();
        assert!(table.contains("wall    2x     1..3      3        <= 1.30x  no"), "{table}");
        assert!(report.markdown().contains("| writes | 0 |  |  | <= 0 | yes |"), "{}", report.markdown());
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["sections"][0]["figures"][0]["met"], false);
        assert_eq!(json["sections"][0]["figures"][2]["unit"], "s");
    }
}
