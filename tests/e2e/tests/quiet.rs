//! I2: a converged stack causes no write, whoever looks and however often the operator starts.

use std::time::Duration;

use obstack_e2e::{Flags, MIMIR, Operator, TEMPO, World, edited};
use serde_json::json;

#[tokio::test]
async fn i2_a_converged_stack_causes_no_write() {
    World::run("quiet", async |world| {
        // Probes in between must not write either.
        let flags = Flags { more: vec!["--probe-interval".into(), "3".into()], ..Flags::default() };
        let operator = world.spawn(&flags);
        operator.working().await;
        let datasources = json!({"provider": "SidecarConfigMap", "namespace": world.tools});
        let stack =
            edited(&world.stack("quiet", &[TEMPO, MIMIR]), &[("/spec/grafana/datasources", datasources)]);
        world.make(&stack).await;
        world.ready(&stack).await;
        world.settled().await;
        let audit = world.audit.again();
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(audit.writes(), []);
        assert!(
            operator.metric("obstack_bucket_probe_total", "ok") >= 3.0,
            "the buckets were probed meanwhile"
        );
        let leases = audit
            .requests()
            .iter()
            .filter(|request| request.resource == "leases" && request.verb != "get")
            .count();
        assert!(leases > 0, "the audit log is the right one: the Lease is renewed");

        let cache = operator.cache.clone();
        assert_eq!(operator.stop(), Some(0));
        let audit = world.audit.again();
        for cache in [Some(cache), None] {
            let operator = world.spawn(&Flags { cache, ..Flags::default() });
            operator.working().await;
            looked(&operator).await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            assert!(
                operator.metric("obstack_renders_total", "result=\"rendered\"") < 0.5,
                "no render after a restart"
            );
            assert!(
                operator.metric("obstack_reconcile_total", "result=\"error\"") < 0.5,
                "no failed reconcile"
            );
            assert_eq!(operator.stop(), Some(0));
        }
        assert_eq!(audit.writes(), [], "a restart writes nothing but its Lease");
    })
    .await;
}

/// Waits until the operator has looked at the stack and its buckets.
async fn looked(operator: &Operator) {
    obstack_e2e::eventually("the stack was looked at", async || {
        let (looks, probes) = (
            operator.metric("obstack_reconcile_total", ""),
            operator.metric("obstack_bucket_probe_total", ""),
        );
        if looks >= 1.0 && probes >= 1.0 {
            Ok(())
        } else {
            Err(format!("{looks} reconciles, {probes} probes"))
        }
    })
    .await;
}
