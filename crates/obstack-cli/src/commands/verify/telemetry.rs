//! One round of the canary: a span and a sample written through the doors that applications use, and read back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{
    Api, Client,
    api::{GetParams, PostParams, Request},
    client::Body,
};
use obstack_api::{ConditionType, Signal};
use obstack_core::{
    backends::Backend,
    canary::{self, Mark, Outcome, Probe},
    valid::{Canary, ValidStack},
};
use obstack_engine::{
    canary::Prober,
    cluster::{ClusterError, bounded},
};

use super::{
    check::{Check, Id},
    pods::holds,
    scene::{Scene, refused},
    services::way,
};

/// From here on a clock is called wrong. The API server tells whole seconds.
const SKEW: Duration = Duration::from_secs(3);

/// Whether telemetry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Where it may be, and where the stack has a canary of its own.
    IfAllowed,
    /// In any case.
    Asked,
}

/// The check of each wanted signal.
pub async fn all(scene: &Scene, wish: Wish, wanted: impl Fn(Id) -> bool) -> Vec<Check> {
    let ids: Vec<Id> = [Id::Traces, Id::Metrics].into_iter().filter(|id| wanted(*id)).collect();
    let each = |check: &dyn Fn(Id) -> Check| ids.iter().map(|id| check(*id)).collect::<Vec<_>>();
    let Ok((valid, blueprint)) = scene.valid.as_ref() else {
        return each(&|id| id.unknown("not looked at, because the spec is not known to be valid"));
    };
    let Some(valid) = with_canary(valid, wish) else {
        return each(&|id| {
            id.unknown("spec.canary is off, so nothing is written; --telemetry writes all the same")
        });
    };
    match missing_right(&scene.cluster.client, &scene.key.namespace).await {
        Err(error) => return each(&|id| id.unknown(refused(&error))),
        Ok(Some(verb)) => {
            let namespace = &scene.key.namespace;
            return each(&|id| {
                id.unknown(format!("no right to {verb} services/proxy in namespace {namespace}"))
            });
        }
        Ok(None) => {}
    }
    let Some(prober) = Prober::new(way(scene)) else { return Vec::new() };
    let at = time(&scene.cluster.client).await;
    let mark = Mark::of(&valid.uid, &scene.key.to_string(), at);
    let reaches = holds(scene, ConditionType::DataPathVerified);
    let word = reaches.then(|| scene.last_word(ConditionType::DataPathVerified));
    let rounds = canary::of(&valid, &blueprint.report.endpoints);
    let rounds = rounds.into_iter().filter(|probe| wanted(id_of(probe.signal))).map(async |mut probe| {
        // The buckets have a check of their own, and may not be reachable from here.
        probe.blocks = None;
        let none = Err("not looked at".to_owned());
        let outcome = prober.round(&probe, &mark, &none, Duration::ZERO).await;
        judge(&probe, &outcome, word.as_deref())
    });
    join_all(rounds).await
}

fn id_of(signal: Signal) -> Id {
    match signal {
        Signal::Traces => Id::Traces,
        Signal::Metrics => Id::Metrics,
    }
}

/// The stack with every signal that it keeps; `None` when its author wants no canary and nobody asked for one.
fn with_canary(valid: &ValidStack, wish: Wish) -> Option<ValidStack> {
    if valid.canary.is_none() && wish == Wish::IfAllowed {
        return None;
    }
    let signal = |backend: Backend| match backend {
        Backend::Tempo => Signal::Traces,
        Backend::Mimir => Signal::Metrics,
    };
    let signals = valid.backends.iter().map(|backend| signal(backend.backend)).collect();
    let canary = Canary { interval: Duration::ZERO, signals, verify_object_storage: false };
    Some(ValidStack { canary: Some(canary), ..valid.clone() })
}

fn judge(probe: &Probe, outcome: &Outcome, reaches: Option<&str>) -> Check {
    let id = id_of(probe.signal);
    let what = match probe.signal {
        Signal::Traces => "one span",
        Signal::Metrics => "one sample of one series",
    };
    match (outcome, reaches) {
        (Outcome::Passed { latency, .. }, _) => id.passed(format!(
            "{what} written to Service {} came back from {} in {:.1} s",
            probe.write.service,
            probe.read.service,
            latency.as_secs_f64()
        )),
        (Outcome::Missed(miss), Some(word)) if !miss.reached => {
            id.unknown(format!("{} (through the API server); {word}", miss.message.trim_end_matches('.')))
        }
        (Outcome::Missed(miss), _) => id.failed(miss.message.clone()).because(miss.reason),
    }
}

/// The first right that is missing to write and to read through the API server.
async fn missing_right(client: &Client, namespace: &str) -> Result<Option<&'static str>, ClusterError> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    for verb in ["create", "get"] {
        let attributes = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            verb: Some(verb.to_owned()),
            resource: Some("services".to_owned()),
            subresource: Some("proxy".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let what = || "create selfsubjectaccessreviews.authorization.k8s.io".to_owned();
        let answer = bounded(what, api.create(&PostParams::default(), &review)).await?;
        if !answer.status.is_some_and(|status| status.allowed) {
            return Ok(Some(verb));
        }
    }
    Ok(None)
}

/// The time of what is written. The operator's canary writes the same series, and Mimir refuses what is older than
/// the last sample: with the clock of a laptop that is ahead, the operator's own samples would be refused after it.
async fn time(client: &Client) -> Duration {
    let own = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match server_time(client).await {
        Some(server) if own.abs_diff(server) > SKEW => server,
        _ => own,
    }
}

/// The clock of the API server, by the head of an answer.
async fn server_time(client: &Client) -> Option<Duration> {
    let request = Request::new("/").get("version", &GetParams::default()).ok()?.map(Body::from);
    let answer = tokio::time::timeout(SKEW, client.send(request)).await.ok()?.ok()?;
    since_epoch(answer.headers().get("date")?.to_str().ok()?)
}

fn since_epoch(date: &str) -> Option<Duration> {
    let seconds = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use obstack_api::Reason;
    use obstack_core::{
        canary::{Miss, Objects},
        reach::Door,
    };

    use super::*;
    use crate::commands::verify::check::Outcome as Ended;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(since_epoch("Thu, 01 Jan 1970 00:01:40 GMT"), Some(Duration::from_secs(100)));
        assert_eq!(since_epoch("soon"), None);
    }

    #[test]
    fn a_door_that_is_not_reached_is_no_failure_where_the_operator_reaches_it() {
        let door = |service: &str| Door { service: service.into(), namespace: "ns".into(), port: 80 };
        let probe = Probe {
            signal: Signal::Traces,
            write: door("a-distributor"),
            write_path: "/v1/traces".into(),
            read: door("a-query-frontend"),
            read_path: String::new(),
            blocks: None,
        };
        let passed = Outcome::Passed { latency: Duration::from_millis(420), objects: Objects::Unasked };
        let check = judge(&probe, &passed, None);
        assert_eq!(
            (check.result, check.message.as_str()),
            (
                Ended::Passed,
                "one span written to Service a-distributor came back from a-query-frontend in 0.4 s"
            )
        );
        let miss = |reached| {
            Outcome::Missed(Miss {
                reason: Reason::WriteFailed,
                reached,
                message: "POST was refused.".into(),
            })
        };
        let result = |outcome, word| judge(&probe, &outcome, word).result;
        assert_eq!(result(miss(false), Some("it passed")), Ended::Unknown);
        assert_eq!(result(miss(false), None), Ended::Failed);
        assert_eq!(result(miss(true), Some("it passed")), Ended::Failed);
    }
}
