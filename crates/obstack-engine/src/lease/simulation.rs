//! Random elections over a record in memory: skewed clocks, pauses, lost and late answers, crashes and releases.
//!
//! The law: at no moment may two processes start a write, nor may a write that was started in time still be running when
//! another leader begins; and epochs only grow.

use std::time::Duration;

use super::state::{Decision, Machine, Record, Timing};

const TIMING: Timing = Timing {
    duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry: Duration::from_secs(2),
};
/// As `Leadership::begin` sets it: four fifths of what is left of the lease.
const GRACE: Duration = Duration::from_secs(4);
const REQUEST_DEADLINE: u64 = 4_000;
/// One step of the simulation, in milliseconds.
const TICK: u64 = 50;
const HOUR: u64 = 3_600_000;

/// A small linear congruential generator: the tests need repeatable dice, not good ones.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

/// The API server: one record, a version that grows, writes with a precondition.
#[derive(Default)]
struct Server {
    record: Option<Record>,
    version: u64,
}

enum Answer {
    Seen(Option<Record>),
    Wrote(Record),
    Conflict,
}

impl Server {
    fn handle(&mut self, request: &Decision, holder: &str, wall: u64) -> Answer {
        let mut next = match (request, &self.record) {
            (Decision::Observe, record) => return Answer::Seen(record.clone()),
            (Decision::Create, None) => Record {
                holder: holder.into(),
                renewed: String::new(),
                transitions: 1,
                duration: TIMING.duration,
                resource_version: String::new(),
            },
            (Decision::Acquire { resource_version, transitions }, Some(old))
                if old.resource_version == *resource_version =>
            {
                Record { holder: holder.into(), transitions: *transitions, ..old.clone() }
            }
            (Decision::Renew { resource_version }, Some(old))
                if old.resource_version == *resource_version =>
            {
                // A release is sent as a renewal in the name of nobody.
                Record { holder: holder.into(), ..old.clone() }
            }
            _ => return Answer::Conflict,
        };
        self.version += 1;
        next.renewed = wall.to_string();
        next.resource_version = self.version.to_string();
        self.record = Some(next.clone());
        Answer::Wrote(next)
    }
}

struct Flight {
    request: Decision,
    holder: String,
    sent: u64,
    /// When the server handles it; never, when it is lost on the way there.
    arrives: Option<u64>,
    /// When the answer is back; never, when it is lost on the way back.
    returns: Option<u64>,
    answer: Option<Answer>,
}

struct Process {
    machine: Machine,
    holder: String,
    /// Its monotonic clock runs at this many thousandths of true time.
    rate: u64,
    /// Its wall clock is this far off, in milliseconds.
    skew: u64,
    paused_until: u64,
    flight: Option<Flight>,
    /// Requests it no longer waits for; they may still reach the server.
    abandoned: Vec<Flight>,
    released: bool,
    /// Its requests may be late or lost.
    faults: bool,
}

impl Process {
    fn start(dice: &mut Dice, holder: String, now: u64, faults: bool) -> Self {
        Self {
            machine: Machine::new(holder.clone(), TIMING, dice.roll(1 << 30)),
            holder,
            rate: 985 + dice.roll(31),
            skew: dice.roll(48) * HOUR,
            paused_until: now,
            flight: None,
            abandoned: Vec::new(),
            released: false,
            faults,
        }
    }

    fn clock(&self, now: u64) -> Duration {
        Duration::from_millis(now * self.rate / 1000)
    }

    /// What a `WriteGuard` of this process would say: until when writes may start, and until when they may last.
    fn window(&self) -> Option<(Duration, Duration, i64)> {
        let leading = self.machine.leading().filter(|_| !self.released)?;
        let until = leading.renewed_at + TIMING.renew_deadline;
        Some((until, until + GRACE, leading.epoch))
    }

    fn may_write(&self, now: u64) -> Option<i64> {
        self.window().filter(|(until, ..)| self.clock(now) < *until).map(|(.., epoch)| epoch)
    }

    /// A write that was started in time may still be running. One that gave leadership back has waited for its own.
    fn may_be_writing(&self, now: u64) -> bool {
        self.window().is_some_and(|(_, last, _)| self.clock(now) < last)
    }

    fn send(&mut self, dice: &mut Dice, now: u64, request: Decision, holder: String) {
        // With faults mostly quick, now and then as late as a proxy can hold it, now and then lost on either way.
        let faults = self.faults;
        let late = |dice: &mut Dice| {
            let most = if faults && dice.one_in(12) { 30_000 } else { 120 };
            dice.roll(most)
        };
        let lost = |dice: &mut Dice| faults && dice.one_in(15);
        let arrives = (!lost(dice)).then(|| now + late(dice));
        let returns = arrives.filter(|_| !lost(dice)).map(|at| at + late(dice));
        let flight = Flight { request, holder, sent: now, arrives, returns, answer: None };
        self.abandoned.extend(self.flight.replace(flight));
    }

    fn receive(&mut self, now: u64) {
        let Some(flight) = self.flight.take() else { return };
        let (sent, local) = (self.clock(flight.sent), self.clock(now));
        match flight {
            Flight { returns: Some(at), answer: Some(answer), .. } if at <= now => match answer {
                Answer::Seen(record) => self.machine.observed(local, record),
                Answer::Wrote(record) => self.machine.wrote(sent, local, record),
                Answer::Conflict => self.machine.conflict(local),
            },
            flight if now >= flight.sent + REQUEST_DEADLINE => {
                self.machine.failed(local);
                self.abandoned.push(flight);
            }
            flight => self.flight = Some(flight),
        }
    }

    fn step(&mut self, dice: &mut Dice, now: u64) {
        self.receive(now);
        if self.flight.is_some() || self.released {
            return;
        }
        match self.machine.decide(self.clock(now)) {
            Decision::Wait { .. } | Decision::Lost => {}
            request => self.send(dice, now, request, self.holder.clone()),
        }
    }

    /// Forbids its own writes, and only then gives the record back.
    fn release(&mut self, dice: &mut Dice, now: u64) {
        let Some(version) = self.machine.record().map(|record| record.resource_version.clone()) else {
            return;
        };
        self.released = true;
        self.send(dice, now, Decision::Renew { resource_version: version }, String::new());
    }

    fn is_over(&self, now: u64) -> bool {
        self.released || self.machine.decide(self.clock(now)) == Decision::Lost
    }
}

struct Outcome {
    leaderships: usize,
    led: u64,
}

/// Runs one election of `minutes`; `faults` adds pauses, crashes, releases and a bad network.
fn run(seed: u64, processes: usize, minutes: u64, faults: bool) -> Outcome {
    let mut dice = Dice(seed);
    let mut server = Server::default();
    let mut names = 0;
    let mut fresh = |dice: &mut Dice, now| {
        names += 1;
        Process::start(dice, format!("p{names}"), now, faults)
    };
    let mut all: Vec<Process> = (0..processes).map(|_| fresh(&mut dice, 0)).collect();
    // Requests of processes that are gone: the network still delivers them.
    let mut orphans: Vec<Flight> = Vec::new();
    let (mut epoch, mut leaderships, mut led) = (0, 0, 0);

    for now in (0..minutes * 60_000).step_by(usize::try_from(TICK).unwrap()) {
        for process in &mut all {
            let wall = now + process.skew;
            for flight in process.flight.iter_mut().chain(&mut process.abandoned) {
                deliver(&mut server, flight, now, wall);
            }
        }
        for flight in &mut orphans {
            deliver(&mut server, flight, now, now);
        }

        for process in &mut all {
            if faults && dice.one_in(2_000) {
                process.paused_until = now + dice.roll(40_000);
            }
            if now < process.paused_until {
                continue;
            }
            process.step(&mut dice, now);
            let leads = process.may_write(now).is_some();
            if faults && leads && dice.one_in(1_500) {
                process.release(&mut dice, now);
            }
            if process.is_over(now) || (faults && dice.one_in(6_000)) {
                // The process ends, by itself or by a crash, and another one is started in its place.
                orphans.extend(process.flight.take());
                orphans.append(&mut process.abandoned);
                *process = fresh(&mut dice, now);
            }
        }

        let writers: Vec<i64> = all.iter().filter_map(|process| process.may_write(now)).collect();
        assert!(writers.len() <= 1, "seed {seed}: at {now} ms {writers:?} may all write");
        let writing = all.iter().filter(|process| process.may_be_writing(now)).count();
        assert!(writing <= 1, "seed {seed}: at {now} ms an old write may still run under a new leader");
        if let [current] = writers.as_slice() {
            led += TICK;
            assert!(*current >= epoch, "seed {seed}: at {now} ms epoch {current} after {epoch}");
            leaderships += usize::from(*current > epoch);
            epoch = *current;
        }
    }
    Outcome { leaderships, led }
}

fn deliver(server: &mut Server, flight: &mut Flight, now: u64, wall: u64) {
    if flight.answer.is_none() && flight.arrives.is_some_and(|at| at <= now) {
        flight.answer = Some(server.handle(&flight.request, &flight.holder, wall));
    }
}

#[test]
fn at_no_time_may_two_processes_write() {
    let mut leaderships = 0;
    for seed in 0..120 {
        leaderships += run(seed, 2 + usize::try_from(seed % 2).unwrap(), 20, true).leaderships;
    }
    assert!(leaderships > 600, "the dice made only {leaderships} leaderships");
}

#[test]
fn without_faults_one_process_leads_and_keeps_leading() {
    for seed in 0..20 {
        let outcome = run(seed, 3, 30, false);
        assert_eq!(outcome.leaderships, 1, "seed {seed}");
        assert!(outcome.led > 30 * 60_000 - 1_000, "seed {seed}: led for {} ms only", outcome.led);
    }
}
