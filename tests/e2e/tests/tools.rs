//! The status as an API: what `kubectl wait`, helm's `--wait` and Argo CD's health script make of a stack in each of
//! its states. Helm judges by kstatus, and so does Flux. No tool may say "done" of a spec that the operator has not
//! seen.

use std::{
    fs,
    process::{Child, Command, Output, Stdio},
};

use mlua::{Function, Lua, LuaOptions, StdLib, Table};
use obstack_e2e::{POD, STACK, TEMPO_SINGLE, World, condition, edited, text};
use obstack_sandbox::HOLD_ANNOTATION;
use serde_json::{Value, json};

/// For what must not come.
const IN_VAIN: &str = "--timeout=3s";
/// For what must come.
const ENOUGH: &str = "--timeout=60s";
/// How the answer of a tool ends that waited for as long as it was told.
const TIMEOUT: &str = "timeout";

/// What is said of a stack by `kubectl wait --for=condition=Ready`, `helm upgrade --install --wait` and Argo CD.
type Answers = [&'static str; 3];

const NOT_YET: Answers = ["timeout", "InProgress, timeout", "Progressing"];
const DONE: Answers = ["met", "Current", "Healthy"];
/// Helm does not wait for a Failed object: it ends at once, and fails.
const BLOCKED: Answers = ["timeout", "Failed", "Degraded"];
/// kstatus has no word for it. A pipeline that waits for a suspended stack runs into its timeout.
const SUSPENDED: Answers = ["timeout", "InProgress, timeout", "Suspended"];
/// Argo CD says so itself and does not run the script for an object that is being deleted.
const DELETING: Answers = ["timeout", "Terminating, timeout", "Progressing"];

#[tokio::test]
async fn no_tool_says_done_of_a_spec_that_the_operator_has_not_seen() {
    World::run("tools", async |world| {
        let version = &world.sandbox.tools.helm.version;
        if !version.trim_start_matches('v').starts_with("4.") {
            println!("not run: helm {version} does not wait for custom resources, helm 4 does");
            return;
        }
        let ready = own(world, "ready", &[]);
        install(world, &ready);
        check(world, &[("fresh", &ready, NOT_YET)]).await;

        let operator = world.operator().await;
        let held = own(world, "held", &[("/spec/traces/patches", json!([hold("held-tempo")]))]);
        let nowhere = ("/spec/objectStorage/credentials/secretRef/name", json!("nowhere"));
        let blocked = own(world, "blocked", &[nowhere]);
        let paused = own(world, "paused", &[]);
        let deleted = own(world, "deleted", &[("/metadata/finalizers", json!(["e2e.obstack.dev/hold"]))]);
        let unapproved = own(world, "unapproved", &[("/spec/changes", json!({"approval": "Manual"}))]);
        install(world, &held);
        install(world, &blocked);
        install(world, &unapproved);
        let waiting = [&paused, &deleted].map(|stack| (stack, helm_waits(world, stack)));
        installed(world, waiting).await;
        let suspended = edited(&paused, &[("/spec/suspend", true.into())]);
        install(world, &suspended);
        world.cluster.delete(STACK, &world.namespace, "deleted").await;
        world.ready(&ready).await;
        world.until(&held, "PlanApplied", "True", "Applied").await;
        world.until(&blocked, "Stalled", "True", "InvalidSpec").await;
        world.until(&suspended, "Ready", "False", "Suspended").await;
        world.until(&unapproved, "PlanApplied", "False", "AwaitingApproval").await;
        world.until(&deleted, "Ready", "False", "Terminating").await;
        let rows = [
            ("progressing", &held, NOT_YET),
            ("blocked", &blocked, BLOCKED),
            ("ready", &ready, DONE),
            ("suspended", &suspended, SUSPENDED),
            ("awaiting approval", &unapproved, SUSPENDED),
            ("deleting", &deleted, DELETING),
        ];
        check(world, &rows).await;

        // Each of these was one thing and shall be another, and nobody is there to see it.
        assert_eq!(operator.stop(), Some(0));
        let cpu = "/spec/traces/components/singleBinary/resources/requests/cpu";
        let changed = edited(&ready, &[(cpu, "11m".into())]);
        let mended = own(world, "blocked", &[]);
        let rows = [
            ("ready, then changed", &changed, NOT_YET),
            ("blocked, then mended", &mended, NOT_YET),
            ("suspended, then resumed", &paused, NOT_YET),
        ];
        for (_, stack, _) in rows {
            install(world, stack);
            assert!(seen(world, stack).await.is_err(), "the status is of an older generation");
        }
        check(world, &rows).await;

        // A wait that began before the operator came ends when the operator has done its work.
        let waiting = rows.map(|(_, stack, _)| (stack, helm_waits(world, stack)));
        let _operator = world.operator().await;
        installed(world, waiting).await;
        let pod = world.cluster.get(POD, &world.namespace, "ready-tempo-0").await;
        assert_eq!(text(&pod, "/spec/containers/0/resources/requests/cpu"), "11m");
    })
    .await;
}

/// A stack with an environment, and so with a bucket, of its own.
fn own(world: &World, name: &str, edits: &[(&str, Value)]) -> Value {
    let stack = world.stack(name, &[TEMPO_SINGLE]);
    edited(&edited(&stack, &[("/spec/environment", name.into())]), edits)
}

/// A patch that keeps the pods of a StatefulSet from becoming ready.
fn hold(name: &str) -> Value {
    let path = format!("/spec/template/metadata/annotations/{}", HOLD_ANNOTATION.replace('/', "~1"));
    json!({
        "target": {"kind": "StatefulSet", "name": name},
        "operations": [{"op": "add", "path": path, "value": "true"}],
    })
}

/// `helm upgrade --install` of a chart that is this stack and nothing else.
fn helm(world: &World, stack: &Value, args: &[&str]) -> Child {
    let name = text(stack, "/metadata/name");
    let chart = world.dir.path().join("charts").join(name);
    let files = [
        ("Chart.yaml", json!({"apiVersion": "v2", "name": name, "version": "1.0.0"})),
        ("templates/stack.yaml", stack.clone()),
    ];
    fs::create_dir_all(chart.join("templates")).expect("a folder for the chart");
    for (file, content) in files {
        fs::write(chart.join(file), content.to_string()).expect("a file of the chart");
    }
    let mut command = Command::new(&world.sandbox.tools.helm.path);
    command.envs(world.sandbox.env());
    for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(home, world.dir.path().join("helm"));
    }
    command.args(["upgrade", "--install", "--namespace", &world.namespace]).args(args);
    start(command.arg(name).arg(chart))
}

/// It waits until the stack is ready, and has the time for it.
fn helm_waits(world: &World, stack: &Value) -> Child {
    helm(world, stack, &["--wait", ENOUGH])
}

/// Stores the stack and waits for nothing.
fn install(world: &World, stack: &Value) {
    let output = end(helm(world, stack, &[]));
    assert!(output.status.success(), "{}", words(&output));
}

/// Sees that each helm ends well, and that its stack is ready by then.
async fn installed<const N: usize>(world: &World, waiting: [(&Value, Child); N]) {
    for (stack, helm) in waiting {
        let output = end(helm);
        assert!(output.status.success(), "{}", words(&output));
        let now = seen(world, stack).await.expect("helm came back, so the operator has seen the spec");
        assert_eq!(condition(&now, "Ready").expect("current")["status"], "True");
    }
}

/// The stack, if its status is of its present spec.
async fn seen(world: &World, stack: &Value) -> Result<Value, Value> {
    let now = world.cluster.get(STACK, &world.namespace, text(stack, "/metadata/name")).await;
    if now["status"]["observedGeneration"] == now["metadata"]["generation"] { Ok(now) } else { Err(now) }
}

/// Asks all tools about all stacks at the same time, and compares.
async fn check(world: &World, rows: &[(&str, &Value, Answers)]) {
    // What must come has all the time it needs.
    let timeout = |answer: &str| if answer.ends_with(TIMEOUT) { IN_VAIN } else { ENOUGH };
    let asked: Vec<_> = rows
        .iter()
        .map(|(_, stack, [kubectl, kstatus, _])| {
            let name = format!("obstack/{}", text(stack, "/metadata/name"));
            let args = ["wait", "--for=condition=Ready", &name, "-n", &world.namespace, timeout(kubectl)];
            (start(&mut world.sandbox.kubectl(args)), helm(world, stack, &["--wait", timeout(kstatus)]))
        })
        .collect();
    let argo = Argo::new();
    let mut wrong = Vec::new();
    for ((state, stack, expect), (kubectl, helm)) in rows.iter().zip(asked) {
        let said = [kubectl_says(&end(kubectl)), helm_says(&end(helm))];
        let now = world.cluster.get(STACK, &world.namespace, text(stack, "/metadata/name")).await;
        let answers = said.into_iter().chain([argo.says(&now).0]).collect::<Vec<_>>();
        println!("{state}: {}", answers.join(" | "));
        if answers != expect {
            wrong.push(format!("{state}: {answers:?} instead of {expect:?}\n{now:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("the tool ends")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn kubectl_says(output: &Output) -> String {
    let words = words(output);
    match output.status.code() {
        Some(0) => "met".to_owned(),
        Some(1) if words.contains("timed out waiting for the condition") => TIMEOUT.to_owned(),
        code => format!("{code:?} {words}"),
    }
}

/// Exit code 0 is kstatus' Current. Otherwise the error says what the object is instead.
fn helm_says(output: &Output) -> String {
    let words = words(output);
    let status = words.split_once("not ready. status: ").and_then(|(_, rest)| rest.split_once(','));
    match (output.status.code(), status) {
        (Some(0), _) => "Current".to_owned(),
        (Some(1), Some((status, rest))) if rest.contains("context deadline exceeded") => {
            format!("{status}, {TIMEOUT}")
        }
        (Some(1), Some((status, _))) => status.to_owned(),
        (code, _) => format!("{code:?} {words}"),
    }
}

/// The health script, in a Lua with what Argo CD gives to a script of its ConfigMap: the base library and tables.
struct Argo {
    lua: Lua,
    script: Function,
}

impl Argo {
    fn new() -> Self {
        let config: Value = serde_saphyr::from_str(include_str!("../../../deploy/argocd/health.yaml"))
            .expect("the ConfigMap is YAML");
        let key = format!("resource.customizations.health.{}_{}", STACK.group, STACK.name);
        let source = config["data"][key].as_str().expect("the script of our kind");
        let lua = Lua::new_with(StdLib::TABLE, LuaOptions::default()).expect("a Lua");
        let script = lua.load(source).into_function().expect("the script is Lua");
        Self { lua, script }
    }

    /// Health and message of an object.
    fn says(&self, object: &Value) -> (String, String) {
        let object = to_lua(&self.lua, object).expect("an object is a table");
        self.lua.globals().set("obj", object).expect("a global");
        let health: Table = self.script.call(()).expect("the script ends well");
        (health.get("status").expect("a status"), health.get("message").expect("a message"))
    }
}

/// As Argo CD hands objects over: numbers are floats, and null is nothing.
fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<mlua::Value> {
    Ok(match value {
        Value::Null => mlua::Value::Nil,
        Value::Bool(value) => mlua::Value::Boolean(*value),
        Value::Number(value) => mlua::Value::Number(value.as_f64().expect("a JSON number")),
        Value::String(value) => mlua::Value::String(lua.create_string(value)?),
        Value::Array(list) => {
            let table = lua.create_table()?;
            for item in list {
                table.push(to_lua(lua, item)?)?;
            }
            mlua::Value::Table(table)
        }
        Value::Object(map) => {
            let table = lua.create_table()?;
            for (key, item) in map {
                table.set(key.as_str(), to_lua(lua, item)?)?;
            }
            mlua::Value::Table(table)
        }
    })
}

/// A stack of generation 2 whose status is of `observed`. Conditions are type, status and reason.
fn told(suspend: bool, observed: Option<u32>, conditions: &[(&str, &str, &str)]) -> Value {
    let conditions: Vec<_> = conditions
        .iter()
        .map(|(type_, status, reason)| {
            json!({"type": type_, "status": status, "reason": reason, "message": format!("{type_} says so")})
        })
        .collect();
    json!({
        "metadata": {"generation": 2},
        "spec": {"suspend": suspend},
        "status": {"observedGeneration": observed, "conditions": conditions},
    })
}

#[test]
fn the_health_script_names_the_first_cause() {
    let argo = Argo::new();
    let check = |object: &Value, health: &str, message: &str| {
        assert_eq!(argo.says(object), (health.to_owned(), message.to_owned()), "{object:#}");
    };
    let current = |conditions: &[(&str, &str, &str)]| told(false, Some(2), conditions);
    let (ready, idle) = (("Ready", "True", "AllReady"), ("Reconciling", "False", "Idle"));
    let (unready, busy) = (("Ready", "False", "RolloutInProgress"), ("Reconciling", "True", "Progressing"));
    let (stalled, free) = (("Stalled", "True", "InvalidSpec"), ("Stalled", "False", "Progressing"));
    let (up, down) = (("Available", "True", "Serving"), ("Available", "False", "NoReadyReplicas"));
    let unapproved = ("PlanApplied", "False", "AwaitingApproval");

    let nobody = "Waiting for the controller";
    check(&json!({"metadata": {"generation": 1}, "spec": {}}), "Progressing", nobody);
    check(&json!({"metadata": {"generation": 1}, "spec": {}, "status": {}}), "Progressing", nobody);
    check(&told(false, None, &[ready, idle, free, up]), "Progressing", nobody);
    check(&told(false, Some(1), &[ready, idle, free, up]), "Progressing", nobody);
    check(&told(false, Some(1), &[unready, idle, stalled, up]), "Progressing", nobody);
    check(&told(false, Some(1), &[unready, idle, free, up, unapproved]), "Progressing", nobody);
    check(&current(&[]), "Progressing", nobody);

    check(&current(&[ready, idle, free, up]), "Healthy", "Ready says so");
    check(&current(&[unready, busy, free, up]), "Progressing", "Progressing: Reconciling says so");
    check(&current(&[unready, busy, free, down]), "Progressing", "Progressing: Reconciling says so");
    check(&current(&[unready, idle, free, up]), "Progressing", "RolloutInProgress: Ready says so");
    check(&current(&[unready, idle, free, down]), "Degraded", "NoReadyReplicas: Available says so");
    check(&current(&[unready, idle, stalled, up]), "Degraded", "InvalidSpec: Stalled says so");

    let approve = "AwaitingApproval: PlanApplied says so";
    check(&current(&[unready, idle, free, up, unapproved]), "Suspended", approve);
    check(&current(&[unready, busy, free, up, unapproved]), "Suspended", approve);
    check(&current(&[unready, idle, stalled, up, unapproved]), "Degraded", "InvalidSpec: Stalled says so");

    let paused = "spec.suspend is true: nothing is reconciled";
    check(&told(true, Some(2), &[unready, idle, stalled, down]), "Suspended", paused);
    check(&told(true, None, &[]), "Suspended", paused);
}

/// Every status that the conditions can make together, whether it makes sense or not.
#[test]
fn the_health_script_says_healthy_of_a_present_spec_that_is_ready_and_of_nothing_else() {
    let argo = Argo::new();
    let statuses = [None, Some("True"), Some("False"), Some("Unknown")];
    let plans =
        [None, Some(("True", "Applied")), Some(("False", "Applying")), Some(("False", "AwaitingApproval"))];
    let generations = [None, Some(1), Some(2), Some(3)];
    for number in 0..2 * 4_usize.pow(6) {
        let digit = |place: u32| number / 4_usize.pow(place) % 4;
        let types = ["Ready", "Reconciling", "Stalled", "Available"];
        let [ready, reconciling, stalled, available] = [0, 1, 2, 3].map(|place| statuses[digit(place)]);
        let plan = plans[digit(4)];
        let observed = generations[digit(5)];
        let suspend = digit(6) == 1;
        let conditions: Vec<_> = types
            .into_iter()
            .zip([ready, reconciling, stalled, available])
            .filter_map(|(type_, status)| Some((type_, status?, "Any")))
            .chain(plan.map(|(status, reason)| ("PlanApplied", status, reason)))
            .collect();
        let object = told(suspend, observed, &conditions);
        let (health, message) = argo.says(&object);
        let followed = !suspend && observed == Some(2);
        let is = |status: Option<&str>| status == Some("True");
        let unapproved = plan == Some(("False", "AwaitingApproval"));
        let done = followed && is(ready) && !is(reconciling) && !is(stalled) && !unapproved;
        assert_eq!(health == "Healthy", done, "{health} {object:#}");
        assert!(followed || health != "Degraded", "no fault is told of an older spec: {object:#}");
        let stopped = suspend || (followed && unapproved && !is(stalled));
        assert_eq!(health == "Suspended", stopped, "{health} {object:#}");
        assert!(!message.is_empty(), "{object:#}");
    }
}
