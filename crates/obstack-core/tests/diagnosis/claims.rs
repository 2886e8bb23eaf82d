//! Volume claims: stuck ones told from those that only wait.

use obstack_api::Reason;

use super::world::{Change, POD, ROLLS, World, check, check_pod};

const UNBOUND: &str = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes \
                       are available: 3 Preemption is not helpful for scheduling.";
const NO_CPU: &str = "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are \
                      available: 3 No preemption victims found for incoming pod.";
const NO_VOLUME: &str =
    "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.";
const CLAIM: &str = "volume claim storage-s-mimir-ingester-1: ";

/// The claim of the second ingester is pending, of a class; the pod has waited for so many seconds.
fn pending(class: &str, seconds: i64, said: Option<(&str, &str)>, unscheduled: &str) -> impl Fn(&mut World) {
    move |world| {
        world.unready(1, seconds).unplaced(unscheduled);
        let claim = world.claim(1);
        (claim.phase, claim.class) = ("Pending".into(), class.into());
        claim.said = said.map(|(reason, words)| (reason.into(), words.into()));
    }
}

#[test]
fn a_claim_that_no_waiting_binds_is_told_at_once() {
    let stuck = |class: &str, said: Option<(&str, &str)>, unscheduled: &str, why: &str| {
        let change = pending(class, 1, said, unscheduled);
        check(why, change, Reason::PVCPending, &format!("{POD}{CLAIM}{why}"));
    };
    stuck("fast", None, UNBOUND, "its StorageClass fast does not exist");
    stuck("fast", None, "", "its StorageClass fast does not exist");
    stuck("", None, UNBOUND, "it names no StorageClass, and the cluster has no default one");
    let nothing = "no persistent volumes available for this claim and no storage class is set";
    stuck("csi", Some(("FailedBinding", nothing)), UNBOUND, nothing);
    stuck("csi", Some(("ProvisioningFailed", "out of space")), UNBOUND, "out of space");
    let by_hand = "StorageClass manual makes no volumes; one of 10Gi has to be made by hand";
    stuck("manual", None, UNBOUND, by_hand);
    let none_fits =
        format!("no volume of 10Gi of its StorageClass late fits: {}", NO_VOLUME.trim_end_matches('.'));
    stuck("late", None, NO_VOLUME, &none_fits);
}

#[test]
fn a_claim_that_waits_is_no_fault_before_its_time() {
    let rolls =
        |case: &str, change: &dyn Fn(&mut World)| check(case, change, Reason::RolloutInProgress, ROLLS);
    rolls("a volume is being made", &pending("csi", 60, None, UNBOUND));
    rolls("it waits for its pod, and nobody says more", &pending("late", 600, None, ""));
    let for_pod = Some(("WaitForFirstConsumer", "waiting for first consumer to be created before binding"));
    rolls("so does one of a class that may not be read", &|world| {
        world.live.classes = None;
        pending("late", 600, for_pod, "")(world);
    });
    let late =
        format!("{POD}{CLAIM}provisioner csi.example of its StorageClass csi has made no volume of 10Gi");
    check("none was made", pending("csi", 61, None, UNBOUND), Reason::PVCPending, &late);
    let of_pod = |world: &mut World| {
        world.components[0].need.claims[0].ephemeral = true;
        pending("csi", 61, None, UNBOUND)(world);
        world.claim(1).name = "s-mimir-ingester-1-storage".into();
    };
    let own = late.replace("storage-s-mimir-ingester-1", "s-mimir-ingester-1-storage");
    check("a claim of the pod's own", of_pod, Reason::PVCPending, &own);
    let placed = |world: &mut World| {
        pending("late", 61, None, "")(world);
        world.claim(1).selected_node = Some("n1".into());
    };
    check("a node was chosen", placed, Reason::PVCPending, &late.replace(" csi has", " late has"));
    let no_cpu = format!("{POD}0/3 nodes are available: 3 Insufficient cpu");
    check("the pod cannot be placed", pending("late", 600, for_pod, NO_CPU), Reason::Unschedulable, &no_cpu);
}

#[test]
fn a_claim_that_is_lost_or_gone_is_told() {
    let lost = format!("{CLAIM}its volume is gone, and the data with it");
    check_pod("lost", |world, _| world.claim(1).phase = "Lost".into(), Reason::PVCPending, &lost);
    let gone = |world: &mut World, pod: &mut obstack_core::live::PodFacts| {
        world.live.claims = Some(Vec::new());
        pod.unplaced(
            "0/3 nodes are available: persistentvolumeclaim \"storage-s-mimir-ingester-1\" not found.",
        );
    };
    check_pod("gone", gone, Reason::PVCPending, &format!("{CLAIM}it does not exist"));
}

#[test]
fn where_claims_may_not_be_read_the_scheduler_is_asked() {
    let told = |seconds: i64| {
        let mut world = World::ingesters(3);
        world.live.claims = None;
        world.unready(1, seconds).unplaced(UNBOUND);
        world.said("metrics.ingester")
    };
    assert_eq!(told(60), (Reason::RolloutInProgress, ROLLS.into()));
    let message = format!("{POD}0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims");
    assert_eq!(told(61), (Reason::PVCPending, message));
}
