//! What is there at the end: pods with their images, conditions, an answer, and what is in the buckets.

use std::time::{Duration, Instant};

use obstack_core::reach::Door;
use obstack_sandbox::Sandbox;
use serde_json::Value;

use crate::command;
use crate::demo::contents::Stack;
use crate::demo::place::Place;
use crate::demo::table;
use crate::error::Error;
use crate::install;
use crate::interrupt;

use super::objects::{self, Object};

/// The canary's own series and traces, as queries.
const METRIC: &str = "query=obstack_canary_unix_seconds%7Bjob%3D%22obstack-canary%22%7D";
const TRACES: &str = "q=%7Bresource.service.name%3D%22obstack-canary%22%7D&limit=1";
/// Backends, the component that holds what is not in the bucket yet, and the way to make it write that.
const FLUSHES: [(&str, &str, &str); 2] = [
    ("mimir", "metrics.ingester", ":8080/proxy/ingester/flush"),
    ("tempo", "traces.singleBinary", ":3200/proxy/flush"),
];
const ANSWER_LIMIT: Duration = Duration::from_mins(1);
const BLOCKS_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_secs(2);
/// Objects of a bucket that are shown.
const SHOWN: usize = 12;

/// Prints it. Queries and buckets only of a stack that is as it should be; whether it still is.
pub fn print(place: &Place, sandbox: &Sandbox, stack: &Stack, good: bool) -> Result<bool, Error> {
    let found = place.list(&["observabilitystacks.obstack.dev", "--namespace", &stack.namespace])?;
    let Some(found) = found.iter().find(|found| text(found, "/metadata/name") == stack.name) else {
        return Ok(false);
    };
    pods(place, &stack.namespace)?;
    conditions(found);
    if !good {
        return Ok(false);
    }
    answers(place, sandbox, found)?;
    flush(place, sandbox, &stack.namespace)?;
    buckets(sandbox, found)
}

fn pods(place: &Place, namespace: &str) -> Result<(), Error> {
    println!("\nPods; containers run on {}, and on no other node:", obstack_sandbox::REAL_NODE);
    let titles = ["POD", "READY", "RESTARTS", "NODE", "IMAGE"].map(str::to_owned);
    let mut rows = vec![titles];
    for namespace in [install::SYSTEM, namespace] {
        for pod in place.list(&["pods", "--namespace", namespace])? {
            let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
            let containers: Vec<&Value> = containers.into_iter().flatten().collect();
            let ready = containers.iter().filter(|one| one.get("ready") == Some(&Value::Bool(true))).count();
            let restarts: i64 = containers.iter().filter_map(|one| one.get("restartCount")?.as_i64()).sum();
            let images = pod.pointer("/spec/containers").and_then(Value::as_array);
            let images = images.into_iter().flatten().map(|one| text(one, "/image")).collect::<Vec<_>>();
            rows.push([
                text(&pod, "/metadata/name").to_owned(),
                format!("{ready}/{}", images.len()),
                restarts.to_string(),
                text(&pod, "/spec/nodeName").to_owned(),
                images.join(","),
            ]);
        }
    }
    println!("{}", table::align(&rows).join("\n"));
    Ok(())
}

fn conditions(stack: &Value) {
    let conditions = stack.pointer("/status/conditions").and_then(Value::as_array);
    let titles = ["CONDITION", "STATUS", "REASON", "MESSAGE"].map(str::to_owned);
    let row =
        |one: &Value| ["/type", "/status", "/reason", "/message"].map(|path| text(one, path).to_owned());
    let rows: Vec<[String; 4]> =
        std::iter::once(titles).chain(conditions.into_iter().flatten().map(row)).collect();
    println!("\n{}", table::align(&rows).join("\n"));
}

/// What the query path says of what the canary wrote. Tempo finds a trace by its attributes some seconds after it has it
/// by its id.
fn answers(place: &Place, sandbox: &Sandbox, stack: &Value) -> Result<(), Error> {
    let queries = [
        ("mimir", "metricsQuery", format!("/api/v1/query?{METRIC}"), "/data/result/0"),
        ("tempo", "tracesQuery", format!("/api/search?{TRACES}"), "/traces/0"),
    ];
    for (backend, endpoint, query, first) in queries {
        let door = Door::of_url(text(stack, &format!("/status/endpoints/{endpoint}")));
        let Some((door, before)) = door.filter(|_| sandbox.is_real(backend)) else { continue };
        let Door { service, namespace, port } = door;
        let page = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{before}{query}");
        let end = Instant::now() + ANSWER_LIMIT;
        let answer = loop {
            let answer = command::json("query", &mut place.kubectl(&["get", "--raw", &page]))?;
            if answer.pointer(first).is_some() || Instant::now() >= end {
                break answer;
            }
            interrupt::sleep(POLL)?;
        };
        println!("\n$ kubectl get --raw '{page}'\n{answer}");
    }
    Ok(())
}

/// Blocks reach the bucket every two hours; asked to, at once.
fn flush(place: &Place, sandbox: &Sandbox, namespace: &str) -> Result<(), Error> {
    println!("\nWhat is in memory would be written to the buckets later on. It is flushed now:");
    for (backend, component, page) in FLUSHES {
        let label = format!("obstack.dev/component={component}");
        for pod in place.list(&["pods", "--namespace", namespace, "--selector", &label])? {
            if !sandbox.is_real(backend) {
                continue;
            }
            let page = format!("/api/v1/namespaces/{namespace}/pods/{}{page}", text(&pod, "/metadata/name"));
            println!("$ kubectl create --raw '{page}' -f /dev/null");
            command::text("flush", &mut place.kubectl(&["create", "--raw", &page, "-f", "/dev/null"]))?;
        }
    }
    Ok(())
}

/// The buckets' objects, once there are blocks of every real backend. Whether there are.
fn buckets(sandbox: &Sandbox, stack: &Value) -> Result<bool, Error> {
    let names = stack.pointer("/status/buckets").and_then(Value::as_array);
    let names: Vec<&str> = names.into_iter().flatten().map(|bucket| text(bucket, "/name")).collect();
    let end = Instant::now() + BLOCKS_LIMIT;
    let (lists, missing) = loop {
        let lists: Vec<(&str, Vec<Object>)> = names
            .iter()
            .map(|name| Ok((*name, objects::list(&sandbox.s3, name)?)))
            .collect::<Result<_, Error>>()?;
        let has_block =
            |part: &str| lists.iter().any(|(name, list)| name.contains(part) && list.iter().any(is_block));
        let wanted = [("mimir", "-metrics-"), ("tempo", "-traces-")];
        let missing = wanted.iter().find(|(backend, part)| sandbox.is_real(backend) && !has_block(part));
        if missing.is_none() || Instant::now() >= end {
            break (lists, missing.map(|(backend, _)| *backend));
        }
        interrupt::sleep(POLL)?;
    };
    println!("\nIn the buckets, bytes and keys:");
    for (name, list) in lists {
        println!("{name}: {} objects", list.len());
        for Object { key, size } in list.iter().take(SHOWN) {
            println!("{size:>12}  {key}");
        }
        if list.len() > SHOWN {
            println!("{:>12}  and {} more", "", list.len() - SHOWN);
        }
    }
    if let Some(backend) = missing {
        println!("\nNo block of {backend} came within {} s of the flush.", BLOCKS_LIMIT.as_secs());
    }
    Ok(missing.is_none())
}

/// The file that a block of Mimir or Tempo is complete with.
fn is_block(object: &Object) -> bool {
    object.key.ends_with("/meta.json")
}

/// What to try next.
pub fn next(sandbox: &Sandbox, keep: bool) -> String {
    if !keep {
        return "To look around, run it again with --keep.".into();
    }
    let shell = crate::demo::summary::environment(sandbox);
    format!(
        "What to try next, as root:\n{shell}  kubectl get obstack -n ca7f8f-dev -o wide\n\
         # A killed ingester comes back with all that it acknowledged\n  \
         pkill -KILL -f -- -target=ingester; kubectl get pods -n ca7f8f-dev -w\n\
         # Without the object store pods stay ready; StorageReady falls, and rises again with it\n  \
         cargo xtask sandbox stop-s3; kubectl wait --for=condition=StorageReady=false obstack/dts-dev -n ca7f8f-dev --timeout=3m\n  \
         cargo xtask sandbox start-s3; kubectl wait --for=condition=StorageReady obstack/dts-dev -n ca7f8f-dev --timeout=3m\n\
         # An ingester that is too small ends in OOMKilled, and the status names it\n  \
         kubectl patch obstack dts-dev -n ca7f8f-dev --type merge -p '{{\"spec\":{{\"metrics\":{{\"components\":{{\"ingester\":{{\"resources\":{{\"requests\":{{\"memory\":\"8Mi\"}},\"limits\":{{\"memory\":\"12Mi\"}}}}}}}}}}}}}}'\n  \
         kubectl get obstack -n ca7f8f-dev -o wide -w"
    )
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
