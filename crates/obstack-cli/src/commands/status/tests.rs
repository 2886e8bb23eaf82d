use std::collections::BTreeMap;

use obstack_engine::cluster::snapshot::MissingRight;

use super::{List, Row, lines, one, table, view};
use crate::{
    commands::docs::schemas,
    fixtures,
    output::{self, Format},
    sight::Sight,
    terminal::{Colour, Terminal},
};

fn terminal(width: usize) -> Terminal {
    let mut terminal = Terminal::new(Colour::Never);
    terminal.width = width;
    terminal
}

fn tree(fixture: &str) -> String {
    view::text(&fixtures::sight(fixture), &terminal(120))
}

#[test]
fn a_ready_stack_shows_what_it_has() {
    insta::assert_snapshot!(tree("ready"));
}

#[test]
fn a_stack_that_is_not_ready_shows_the_cause_and_its_fix_first() {
    insta::assert_snapshot!(tree("crash-loop"));
}

#[test]
fn a_fault_of_the_buckets_is_no_fault_of_the_pods() {
    insta::assert_snapshot!(tree("signature-rejected"));
}

#[test]
fn a_quota_shows_what_is_missing() {
    insta::assert_snapshot!(tree("quota-exceeded"));
}

#[test]
fn a_change_that_waits_shows_how_to_approve_it() {
    insta::assert_snapshot!(tree("awaiting-approval"));
}

#[test]
fn what_is_drawn_again_and_again_is_what_moves() {
    insta::assert_snapshot!(view::moving(&fixtures::sight("crash-loop"), &terminal(100)));
}

#[test]
fn a_narrow_terminal_gets_narrow_lines() {
    let text = view::text(&fixtures::sight("crash-loop"), &terminal(60));
    insta::assert_snapshot!(text);
}

#[test]
fn colours_say_what_matters() {
    let mut terminal = Terminal::new(Colour::Always);
    terminal.width = 120;
    let text = view::text(&fixtures::sight("crash-loop"), &terminal);
    assert!(text.contains("\u{1b}[31mReady False"), "{text}");
    let plain: String = tree("crash-loop");
    let bare = text
        .split('\u{1b}')
        .map(|part| part.split_once('m').filter(|_| part.starts_with('[')).map_or(part, |(_, rest)| rest));
    assert_eq!(bare.collect::<String>(), plain, "colours take no room");
}

#[test]
fn an_old_status_and_none_at_all_are_told_first() {
    let mut seen = fixtures::sight("ready");
    seen.stack.metadata.generation = Some(5);
    let text = view::text(&seen, &terminal(120));
    assert!(text.contains("the operator has not seen the newest spec (generation 5, seen 4)"), "{text}");
    seen.stack.status = None;
    let text = view::text(&seen, &terminal(120));
    assert!(text.contains("no operator has looked at it yet"), "{text}");
    assert!(!text.contains("Conditions"), "{text}");
}

#[test]
fn without_rights_the_status_stands_and_the_gap_is_named() {
    let stack = fixtures::stack("crash-loop");
    let (components, mut live) = fixtures::around(&stack);
    live.pods.clear();
    let missing = MissingRight {
        verb: "list",
        resource: "pods".to_owned(),
        namespace: Some("ca7f8f-dev".to_owned()),
        unknown: "which pods there are, and what ails them",
    };
    let seen = Sight::stored(stack, fixtures::NOW).with(&components, live, &[missing]);
    let text = view::text(&seen, &terminal(120));
    assert!(text.contains("8/9 ready, as the status has it"), "{text}");
    assert!(text.contains("no right to list pods in namespace ca7f8f-dev: which pods there are"), "{text}");
}

#[test]
fn what_heals_is_seen_before_the_status_says_so() {
    let stack = fixtures::stack("crash-loop");
    let (components, live) = fixtures::around(&fixtures::stack("ready"));
    let seen = Sight::stored(stack, fixtures::NOW).with(&components, live, &[]);
    let text = view::text(&seen, &terminal(120));
    assert!(
        text.contains("newer than the status: WorkloadsReady was CrashLoop, now it would be AllReady"),
        "{text}"
    );
}

#[test]
fn stacks_are_rows_of_a_table() {
    let names = ["ready", "crash-loop", "quota-exceeded", "awaiting-approval", "suspended"];
    let mut stacks: Vec<_> = names.map(fixtures::stack).into();
    let mut old = fixtures::stack("ready");
    old.metadata.generation = Some(5);
    stacks.push(old);
    insta::assert_snapshot!(table::table(&stacks, fixtures::NOW, false, &terminal(120)));
    insta::assert_snapshot!(table::table(&stacks, fixtures::NOW, true, &terminal(200)));
}

#[test]
fn programs_get_row_cause_pods_and_status() {
    let text = output::for_programs(Format::Json, "StackStatus", &one(&fixtures::sight("crash-loop")));
    insta::assert_snapshot!(text.expect("JSON").expect("for programs"));
}

#[test]
fn programs_get_what_the_schema_says() {
    for fixture in fixtures::STACKS {
        let mut seen = fixtures::sight(fixture);
        schemas::hold("StackStatus", &one(&seen));
        schemas::hold("StackList", &List { items: vec![Row::of(&seen.stack, fixtures::NOW)] });
        seen.stack.status = None;
        schemas::hold("StackStatus", &one(&seen));
    }
}

#[test]
fn only_news_is_told_after_the_beginning() {
    let none = BTreeMap::new();
    let ready = lines::of(&fixtures::stack("ready"), &none);
    let broken = fixtures::sight("crash-loop");
    let pods =
        broken.live.iter().flat_map(|live| &live.pods).map(|pod| (pod.name.clone(), pod.clone())).collect();
    let broken = lines::of(&broken.stack, &pods);
    let told = |before: Option<&[lines::Line]>, now: &[lines::Line]| {
        let news = lines::news(before, now);
        let lines: Vec<_> = news.iter().map(|line| format!("{}  {}", line.about, line.says)).collect();
        lines.join("\n")
    };
    assert_eq!(told(Some(&ready), &ready), "");
    insta::assert_snapshot!(format!(
        "at the beginning\n{}\nthen\n{}",
        told(None, &ready),
        told(Some(&ready), &broken)
    ));
}
