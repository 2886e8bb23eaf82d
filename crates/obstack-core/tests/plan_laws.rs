//! Laws of validate, design and assemble that hold for every spec and every render.

#![cfg(test)]

mod common;

use common::hand::Hand;
use obstack_api::ObservabilityStack;
use obstack_core::{design::design, validate::validate};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn quantity() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..2000_u32).prop_map(|n| format!("{n}m")),
        (1..64_u32).prop_map(|n| format!("{n}Gi")),
        (1..9000_u32).prop_map(|n| format!("{n}Mi")),
        Just("1".into()),
        Just("0.5".into()),
    ]
}

/// A component as a user could write it, faults and all.
fn component() -> impl Strategy<Value = Value> {
    let storage = prop_oneof![
        4 => Just(Value::Null),
        1 => Just(json!({"type": "EmptyDir"})),
        1 => quantity().prop_map(|size| json!({"size": size, "className": "fast"})),
    ];
    let requests = prop_oneof![2 => Just(Value::Null), 1 => (quantity(), quantity()).prop_map(|(cpu, memory)| json!({"cpu": cpu, "memory": memory}))];
    let limits =
        prop_oneof![2 => Just(Value::Null), 1 => quantity().prop_map(|memory| json!({"memory": memory}))];
    (prop::option::of(0..5_u32), requests, limits, storage).prop_map(
        |(replicas, requests, limits, storage)| {
            let mut component = Map::new();
            component.extend(replicas.map(|replicas| ("replicas".to_owned(), replicas.into())));
            if !requests.is_null() || !limits.is_null() {
                component.insert("resources".into(), json!({"requests": requests, "limits": limits}));
            }
            if !storage.is_null() {
                component.insert("storage".into(), storage);
            }
            component.into()
        },
    )
}

fn components(roles: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(roles), component(), 0..4).prop_map(|map| json!(map))
}

const TEMPO: &[&str] =
    &["singleBinary", "distributor", "ingester", "querier", "queryFrontend", "compactor", "storeGateway"];
const MIMIR: &[&str] = &[
    "distributor",
    "ingester",
    "querier",
    "queryScheduler",
    "compactor",
    "storeGateway",
    "ruler",
    "gateway",
    "alertmanager",
];

/// A spec as a user could write it; most are valid.
fn stack() -> impl Strategy<Value = ObservabilityStack> {
    let traces = (any::<bool>(), components(TEMPO)).prop_map(|(monolithic, components)| {
        json!({"mode": if monolithic { "Monolithic" } else { "Distributed" }, "components": components})
    });
    let chart = prop::sample::select(&["6.1.0", "6.0.6", "5.8.0", "6.9.9"][..]);
    let metrics = (components(MIMIR), chart, prop::option::of(1..4_u32))
        .prop_map(|(components, version, rf)| json!({"components": components, "chart": {"version": version}, "replicationFactor": rf}));
    let policy = prop::sample::select(&["IngestersAndStoreGateways", "Any"][..]);
    let platform = prop::sample::select(&["Auto", "OpenShift", "Kubernetes"][..]);
    (prop::option::of(traces), prop::option::of(metrics), policy, platform, "[a-z]{1,40}").prop_map(
        |(traces, metrics, memory, platform, name)| {
            let mut stack = common::yaml(common::SMALL);
            stack["metadata"]["name"] = name.into();
            stack["spec"]["platform"] = platform.into();
            stack["spec"]["resourcePolicy"] = json!({"memoryLimits": memory});
            stack["spec"]["traces"] = json!(traces);
            stack["spec"]["metrics"] = json!(metrics);
            serde_json::from_value(stack).unwrap()
        },
    )
}

/// Resources as a chart could render them.
fn resources() -> impl Strategy<Value = Value> {
    let amount =
        || prop_oneof![Just(Value::Null), quantity().prop_map(Value::from), (1..9_u32).prop_map(Value::from)];
    let amounts = || (amount(), amount()).prop_map(|(cpu, memory)| json!({"cpu": cpu, "memory": memory}));
    let list = || prop_oneof![Just(Value::Null), amounts()];
    prop_oneof![
        Just(Value::Null),
        (list(), list()).prop_map(|(requests, limits)| json!({"requests": requests, "limits": limits}))
    ]
}

fn containers(object: &Value) -> impl Iterator<Item = (usize, &Value)> {
    ["containers", "initContainers"]
        .into_iter()
        .filter_map(move |list| {
            object.pointer(&format!("/spec/template/spec/{list}")).and_then(Value::as_array)
        })
        .flat_map(|list| list.iter().enumerate())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn i1_a_spec_always_gives_the_same_faults_or_the_same_design(stack in stack()) {
        let facts = common::facts(&stack);
        match (validate(&stack, &facts), validate(&stack, &facts)) {
            (Ok(first), Ok(second)) => {
                prop_assert_eq!(design(&first).design.fingerprint(), design(&second).design.fingerprint());
            }
            (Err(first), Err(second)) => prop_assert_eq!(first, second),
            _ => prop_assert!(false, "once valid, once not"),
        }
    }

    #[test]
    fn i1_the_order_of_what_is_rendered_changes_nothing(stack in stack(), seed in any::<u64>()) {
        let facts = common::facts(&stack);
        prop_assume!(validate(&stack, &facts).is_ok());
        let mut hand = Hand::of(&stack);
        let plan = serde_json::to_string(&hand.plan()).unwrap();
        for objects in &mut hand.rendered {
            let turn = usize::try_from(seed % 7).unwrap() % objects.len();
            objects.rotate_left(turn);
            objects.swap(0, turn);
        }
        prop_assert_eq!(serde_json::to_string(&hand.plan()).unwrap(), plan);
    }

    #[test]
    fn i7_no_render_brings_a_cpu_limit_or_a_container_without_requests(
        stack in stack(),
        rendered in prop::collection::vec(resources(), 90),
    ) {
        let facts = common::facts(&stack);
        prop_assume!(validate(&stack, &facts).is_ok());
        let mut hand = Hand::of(&stack);
        let mut rendered = rendered.iter().cycle();
        for object in hand.rendered.iter_mut().flatten() {
            for list in ["containers", "initContainers"] {
                let list = object.pointer_mut(&format!("/spec/template/spec/{list}")).and_then(Value::as_array_mut);
                for container in list.into_iter().flatten() {
                    container["resources"] = rendered.next().unwrap().clone();
                }
            }
        }
        let strict = stack.spec.resource_policy.memory_limits == obstack_api::MemoryLimits::default();
        let plan = hand.plan();
        for object in &plan.objects {
            let wanted = hand.design.releases.iter().flat_map(|r| &r.workloads).find(|w| w.name == object.id.name);
            for (index, container) in containers(&object.body) {
                let resources = &container["resources"];
                prop_assert_eq!(resources.pointer("/limits/cpu"), None);
                for resource in ["cpu", "memory"] {
                    prop_assert!(resources["requests"][resource].is_string(), "{} {}", object.id, container);
                }
                let limited = resources.pointer("/limits/memory").is_some();
                let bears = container["name"] == "main" && wanted.is_some_and(|w| w.class.bears_memory_limit());
                prop_assert!(!strict || limited == bears, "{} {index}: {resources}", object.id);
            }
        }
        let pods: u32 = plan.components.iter().map(|component| component.desired).sum();
        prop_assert_eq!(plan.sums.pods, pods);
    }

    #[test]
    fn every_object_is_in_a_namespace_and_fits_the_limits_of_names(stack in stack()) {
        let facts = common::facts(&stack);
        prop_assume!(validate(&stack, &facts).is_ok());
        for object in &Hand::of(&stack).plan().objects {
            prop_assert!(object.id.name.len() <= 63 && !object.id.namespace.is_empty(), "{}", object.id);
            prop_assert_eq!(&object.id.to_string().parse::<obstack_core::objects::ObjectId>().unwrap(), &object.id);
        }
    }
}
