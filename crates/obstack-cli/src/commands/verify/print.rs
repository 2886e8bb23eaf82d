//! The table of checks, as `linkerd check` has it.

use super::check::{Check, Counts, Group, Outcome, Verification};
use crate::{
    table::wrap,
    terminal::{Terminal, Tone},
};

/// Columns before the words of a check.
const INDENT: usize = 2;

/// The table.
pub fn text(terminal: &Terminal, verification: &Verification) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let checks: Vec<_> = verification.checks.iter().filter(|check| check.group == *group).collect();
        if checks.is_empty() {
            continue;
        }
        text.push_str(&terminal.paint(Tone::Strong, group.name()));
        text.push('\n');
        for (number, check) in checks.iter().enumerate() {
            line(&mut text, terminal, check);
            // What holds for several in a row is said once.
            let next = checks.get(number + 1);
            if next.is_none_or(|next| hints(next) != hints(check)) {
                hint(&mut text, terminal, check);
            }
        }
        text.push('\n');
    }
    text + &format!("{} is {}\n", verification.stack, verdict(verification))
}

fn line(text: &mut String, terminal: &Terminal, check: &Check) {
    let (sign, tone) = match check.result {
        Outcome::Passed => ("√", Tone::Good),
        Outcome::Warning => ("‼", Tone::Warn),
        Outcome::Failed => ("×", Tone::Bad),
        Outcome::Unknown => ("?", Tone::Dim),
    };
    let mut sign = Some(terminal.paint(tone, sign));
    for part in wrap(&check.message, terminal.width.saturating_sub(INDENT)) {
        // The sign stands before the first line alone.
        let before = sign.take().unwrap_or_else(|| " ".to_owned());
        put(text, &before, &part);
    }
}

/// What to do, and where to read on.
fn hints(check: &Check) -> [Option<String>; 2] {
    [check.fix.clone(), check.runbook.as_ref().map(|page| format!("see {page}"))]
}

fn hint(text: &mut String, terminal: &Terminal, check: &Check) {
    for hint in hints(check).into_iter().flatten() {
        let room = terminal.width.saturating_sub(2 * INDENT);
        for part in wrap(&hint, room) {
            put(text, "   ", &terminal.paint(Tone::Dim, &part));
        }
    }
}

fn put(text: &mut String, before: &str, line: &str) {
    text.push_str(before);
    text.push(' ');
    text.push_str(line);
    text.push('\n');
}

/// What all checks come to: `as it should be: 9 passed`.
fn verdict(verification: &Verification) -> String {
    let Counts { passed, warnings, failed, unknown } = verification.counts;
    let mut parts = vec![format!("{passed} passed")];
    let more = [(failed, "failed"), (warnings, "to be looked at"), (unknown, "not known")];
    parts.extend(
        more.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")),
    );
    let verdict = match (verification.passed, unknown) {
        (false, _) => "not as it should be",
        (true, 0) => "as it should be",
        (true, _) => "as it should be, as far as can be seen from here",
    };
    format!("{verdict}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use obstack_api::Reason;
    use obstack_core::names::StackKey;

    use super::*;
    use crate::{commands::docs::schemas, commands::verify::check::Id, terminal::Colour};

    fn verification(strict: bool) -> Verification {
        let checks = vec![
            Id::Probe
                .unknown(
                    "a, b: not reachable from here (HeadBucket at http://s3.store.svc:8333: no answer (failed to \
                     lookup address information)); the operator itself last said StorageReady=True: 2 buckets exist",
                )
                .fix("run this in a pod of the cluster"),
            Id::Seen.passed("the operator has seen generation 3, the newest"),
            Id::Ready.passed("Ready: 7 pods ready, 2 buckets reachable"),
            Id::Drift
                .warns("Service/ns/dev-tempo (spec.ports) was changed by kubectl-edit")
                .because(Reason::Drifted),
            Id::Protection
                .failed("no disruption budget covers traces.ingester: a drain may take all pods at once")
                .because(Reason::Unprotected),
        ];
        Verification::of(StackKey { namespace: "ns".into(), name: "dev".into() }, checks, strict)
    }

    #[test]
    fn the_table_has_a_sign_a_hint_and_a_page() {
        let mut terminal = Terminal::new(Colour::Never);
        terminal.width = 80;
        insta::assert_snapshot!(text(&terminal, &verification(false)));
    }

    #[test]
    fn programs_get_the_same() {
        insta::assert_snapshot!(crate::output::yaml(&verification(false)).unwrap());
        schemas::hold("Verification", &verification(false));
    }

    #[test]
    fn what_is_not_known_fails_only_when_that_is_asked_for() {
        let key = || StackKey { namespace: "ns".into(), name: "dev".into() };
        let unknown = || vec![Id::Probe.unknown("no right")];
        assert!(Verification::of(key(), unknown(), false).passed);
        assert!(!Verification::of(key(), unknown(), true).passed);
        assert!(!verification(false).passed);
    }
}
