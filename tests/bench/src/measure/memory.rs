//! Memory by number of stacks.

use std::time::Duration;

use crate::{
    error::Error,
    operator::Operator,
    procfs::Memory,
    report::{Figure, Goal, Section},
    stats::number,
};

const REST: Duration = Duration::from_secs(10);
const MIB: f64 = 1024.0 * 1024.0;
/// The fleet that the goal speaks of.
const GOAL: (f64, f64) = (1000.0, 64.0);

/// Memory of one operator while its fleet grows, and after a restart on the whole fleet.
#[derive(Debug, Default)]
pub struct Memories {
    grown: Vec<(u32, Memory)>,
    restarted: Option<(u32, Memory)>,
}

fn mebibytes(bytes: u64) -> f64 {
    number(bytes) / MIB
}

impl Memories {
    /// Looks at an operator after a rest.
    pub async fn look(&mut self, operator: &Operator, stacks: u32) -> Result<(), Error> {
        tokio::time::sleep(REST).await;
        let memory = operator.memory()?;
        eprintln!("memory: {stacks} stacks: {:.1} MiB", mebibytes(memory.rss));
        self.grown.push((stacks, memory));
        Ok(())
    }

    /// The same after a restart on a converged fleet.
    pub async fn look_again(&mut self, operator: &Operator, stacks: u32) -> Result<(), Error> {
        tokio::time::sleep(REST).await;
        let memory = operator.memory()?;
        eprintln!("memory: {stacks} stacks, restarted: {:.1} MiB", mebibytes(memory.rss));
        self.restarted = Some((stacks, memory));
        Ok(())
    }

    /// The figures, with the line through the smallest and the largest fleet.
    pub fn section(&self) -> Section {
        let mut figures = Vec::new();
        for (stacks, memory) in &self.grown {
            figures.extend(of(&format!("{stacks} stacks"), *memory));
        }
        if let Some((stacks, memory)) = &self.restarted {
            figures.extend(of(&format!("{stacks} stacks, after a restart"), *memory));
        }
        let first = self.grown.first().copied();
        let line = |last: (u32, Memory)| {
            let (few, small) = first.filter(|(few, _)| *few < last.0)?;
            let slope = (mebibytes(last.1.rss) - mebibytes(small.rss)) / f64::from(last.0 - few);
            Some((slope, mebibytes(last.1.rss) + slope * (GOAL.0 - f64::from(last.0))))
        };
        let lines =
            [("while the fleet grew", self.grown.last().copied()), ("after a restart", self.restarted)];
        for (when, (slope, there)) in lines.into_iter().filter_map(|(when, last)| Some((when, line(last?)?)))
        {
            figures.push(Figure::one(format!("slope, {when}"), slope * 1024.0, " KiB per stack"));
            let name = format!("extrapolated to {} stacks, {when}", GOAL.0);
            figures.push(Figure::one(name, there, " MiB").goal(Goal::AtMost(GOAL.1)));
        }
        Section {
            title: "Memory".to_owned(),
            how: "Resident memory of the operator's process ten seconds after its fleet of dev stacks is ready, while \
                  it grows in one process, and after a restart on the whole fleet. helm runs beside it only while it \
                  renders and is not counted. The figure for 1000 stacks is an extrapolation along a straight line."
                .to_owned(),
            figures,
        }
    }
}

fn of(name: &str, memory: Memory) -> [Figure; 4] {
    [
        Figure::one(format!("{name}: RSS"), mebibytes(memory.rss), " MiB"),
        Figure::one(format!("{name}: PSS"), mebibytes(memory.pss), " MiB"),
        Figure::one(format!("{name}: allocated"), mebibytes(memory.anonymous), " MiB"),
        Figure::one(format!("{name}: highest RSS so far"), mebibytes(memory.peak), " MiB"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_goes_through_the_smallest_and_the_largest_fleet() {
        let memory = |mib: u64| Memory { rss: mib << 20, ..Memory::default() };
        let memories = Memories {
            grown: vec![(1, memory(20)), (10, memory(50)), (101, memory(30))],
            restarted: Some((101, memory(25))),
        };
        let text =
            crate::report::Report { sections: vec![memories.section()], ..Default::default() }.markdown();
        assert!(text.contains("| slope, while the fleet grew | 102 KiB per stack |"), "{text}");
        assert!(text.contains("| extrapolated to 1000 stacks, while the fleet grew | 120 MiB |"), "{text}");
        assert!(text.contains("| extrapolated to 1000 stacks, after a restart | 70.0 MiB |"), "{text}");
    }
}
