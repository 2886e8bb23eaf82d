//! One component: how many, how big, with which volume.

use obstack_api::{
    Amounts, Component, CpuLimits, MemoryLimits, Quantity, Reason, ResourcePolicy, VolumeKind,
};

use crate::{
    backends::role::{DataVolume, Role},
    quantity::Amount,
    valid::{ValidComponent, Volume},
    violation::Violation,
};

/// Decides a component from what the spec says of it and what its role needs.
pub(super) fn validate(
    field: &str,
    role: &'static Role,
    spec: Option<&Component>,
    policy: ResourcePolicy,
    faults: &mut Vec<Violation>,
) -> ValidComponent {
    let silent = Component::default();
    let spec = spec.unwrap_or(&silent);
    let replicas = match spec.replicas.map(u32::try_from) {
        None => role.replicas,
        Some(Ok(replicas)) => replicas,
        Some(Err(_)) => {
            faults.push(Violation::new(
                Reason::InvalidSpec,
                format!("{field}.replicas"),
                "is negative; write 0 to leave it out",
            ));
            role.replicas
        }
    };
    let resources = spec.resources.clone().unwrap_or_default();
    let requests = resources.requests.unwrap_or_default();
    let limits = resources.limits.clone().unwrap_or_default();
    let at = format!("{field}.resources");
    let cpu = amount(&format!("{at}.requests.cpu"), requests.cpu.as_ref(), role.cpu, faults);
    let memory = amount(&format!("{at}.requests.memory"), requests.memory.as_ref(), role.memory, faults);
    ValidComponent {
        role,
        replicas,
        cpu_limit: cpu_limit(&at, &limits, &cpu, policy, faults),
        memory_limit: memory_limit(&at, role, spec, &limits, &memory, policy, faults),
        cpu,
        memory,
        volume: volume(&format!("{field}.storage"), role, spec, faults),
        node_selector: spec.node_selector.clone(),
        tolerations: spec.tolerations.clone(),
        priority_class: spec.priority_class_name.clone(),
    }
}

/// The text of a quantity, or the role's default; a fault when it cannot be read or is nothing.
fn amount(field: &str, written: Option<&Quantity>, default: &str, faults: &mut Vec<Violation>) -> String {
    let Some(written) = written else { return default.to_owned() };
    match Amount::parse(written.as_str()) {
        Ok(amount) if amount > Amount::ZERO => {}
        Ok(_) => {
            faults.push(Violation::new(Reason::InvalidQuantity, field, "is 0; write what one replica needs"));
        }
        Err(fault) => faults.push(Violation::new(Reason::InvalidQuantity, field, fault.to_string())),
    }
    written.as_str().to_owned()
}

fn cpu_limit(
    at: &str,
    limits: &Amounts,
    request: &str,
    policy: ResourcePolicy,
    faults: &mut Vec<Violation>,
) -> Option<String> {
    let limit = limits.cpu.as_ref()?;
    let field = format!("{at}.limits.cpu");
    if policy.cpu_limits == CpuLimits::Forbid {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            field,
            "CPU limits are forbidden by resourcePolicy.cpuLimits (they throttle even on an idle node); remove it",
        ));
        return None;
    }
    let limit = amount(&field, Some(limit), "", faults);
    not_below_request(&field, &limit, request, Amount::cpu, faults);
    Some(limit)
}

/// The API server refuses a pod whose limit is less than its request.
fn not_below_request(
    field: &str,
    limit: &str,
    request: &str,
    say: fn(Amount) -> String,
    faults: &mut Vec<Violation>,
) {
    if let (Ok(bound), Ok(request)) = (Amount::parse(limit), Amount::parse(request))
        && Amount::ZERO < bound
        && bound < request
    {
        let message = format!("{limit} is less than the request; raise it to at least {}", say(request));
        faults.push(Violation::new(Reason::InvalidSpec, field, message));
    }
}

fn memory_limit(
    at: &str,
    role: &Role,
    spec: &Component,
    limits: &Amounts,
    request: &str,
    policy: ResourcePolicy,
    faults: &mut Vec<Violation>,
) -> Option<String> {
    let field = format!("{at}.limits.memory");
    let strict = policy.memory_limits == MemoryLimits::IngestersAndStoreGateways;
    let Some(written) = limits.memory.as_ref() else {
        // Whoever may set any limit, and sets resources without one, wants none.
        if !strict && spec.resources.is_some() {
            return None;
        }
        if role.class.bears_memory_limit() && spec.resources.is_some() {
            faults.push(Violation::new(
                Reason::MemoryLimitRequired,
                field,
                format!(
                    "{} needs a memory limit, for example {}: without one its growth takes the node down",
                    role.key,
                    role.memory_limit.unwrap_or("4Gi")
                ),
            ));
        }
        return role.memory_limit.map(str::to_owned);
    };
    if strict && !role.class.bears_memory_limit() {
        let message = "memory limits are only allowed on ingesters and store-gateways; remove it";
        faults.push(Violation::new(Reason::InvalidSpec, field, message));
        return None;
    }
    let limit = amount(&field, Some(written), "", faults);
    not_below_request(&field, &limit, request, Amount::memory, faults);
    Some(limit)
}

fn volume(field: &str, role: &Role, spec: &Component, faults: &mut Vec<Violation>) -> Volume {
    let mut claim = |size: &str, class: Option<String>| {
        let size = amount(&format!("{field}.size"), Some(&Quantity::from(size)), "", faults);
        Volume::Claim { amount: Amount::parse(&size).unwrap_or_default(), size, class }
    };
    match (&spec.storage, role.data) {
        (None, DataVolume::None) => Volume::None,
        (None, DataVolume::EmptyDir) => Volume::EmptyDir,
        (None, DataVolume::Claim(size)) => claim(size, None),
        (Some(_), DataVolume::None) => {
            let message = format!("{} keeps no data; remove storage", role.key);
            faults.push(Violation::new(Reason::InvalidSpec, field, message));
            Volume::None
        }
        (Some(written), _) if written.kind == VolumeKind::EmptyDir => Volume::EmptyDir,
        (Some(written), default) => {
            let fallback = if let DataVolume::Claim(size) = default { size } else { "2Gi" };
            let size = written.size.as_ref().map_or(fallback, Quantity::as_str);
            claim(size, written.class_name.clone())
        }
    }
}
