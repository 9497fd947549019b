//! The two halves of admission, and the guards that carry them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::call::CallGuard;
use super::gate::{CallPermit, Counts, Gate, RateStatus, RequestPermit, longest};
use super::refused::{CallRefused, Refused};
use super::reservation::{Amounts, Claim, Estimate, Reservation, take_all};
use super::shares::Asker;
use crate::telemetry::RequestAccount;

/// Most gates that a request shares with others: its upstream's, and the one of all fallback keys.
/// Only a capacity.
const SHARED: usize = 2;

/// The calls that a plan starts at once; a relay is one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FirstWave {
    /// How many; 0 for a request that calls no model.
    pub(crate) calls: u32,
    /// What each of them is expected to use.
    pub(crate) per_call: Estimate,
}

/// The most that a whole plan can need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PlanBound {
    /// Calls in the worst case.
    pub(crate) calls: u32,
    /// Input tokens of all those calls. Output is left out: it is only estimated, and an estimate
    /// never makes a request impossible.
    pub(crate) input_tokens: u64,
}

/// A caller that may do something now. Holds the concurrency permits of its own gates, and of their
/// request rates one cell each.
#[derive(Debug)]
pub(crate) struct Entry {
    gates: Vec<Arc<Gate>>,
    permits: Vec<RequestPermit>,
    cells: Cells,
    who: Option<Asker>,
    /// Whether it takes no place among the requests and calls under way.
    is_aside: bool,
}

/// The cells of one request. Dropped, they are given back, unless the request has used them.
#[derive(Debug, Default)]
struct Cells {
    taken: Vec<Reservation>,
    used: bool,
}

impl Drop for Cells {
    fn drop(&mut self) {
        if self.used {
            let now = Instant::now();
            for cell in &mut self.taken {
                cell.keep_requests(now);
            }
        }
    }
}

/// A request that has been charged. Holds its concurrency permits and what is left of its first
/// wave, and gives both back when it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The caller's own gates first, then the shared ones.
    gates: Vec<Arc<Gate>>,
    own: usize,
    /// How many of the gates have given to the first wave.
    given: usize,
    wave: Arc<Mutex<Wave>>,
    account: RequestAccount,
    who: Option<Asker>,
    is_aside: bool,
    _permits: Arc<Vec<RequestPermit>>,
}

#[derive(Debug)]
struct Wave {
    calls_left: u32,
    reservations: Vec<Reservation>,
}

/// Lets a request in, before its body is read.
///
/// `gates` are the caller's own: its tenant's and, as long as nobody vouches for its key, its
/// address's. Takes one concurrency permit and one request cell of each. Refuses at once if the
/// request rate is used up, or if an earlier refusal still holds and not even the least that was
/// lately asked for would fit.
pub(crate) fn enter(gates: &[Arc<Gate>]) -> Result<Entry, Refused> {
    enter_for(gates, Counts::Tokens, false)
}

/// Like [`enter`], for a path whose token use is not read: token debt does not keep it out.
pub(crate) fn enter_uncounted(gates: &[Arc<Gate>]) -> Result<Entry, Refused> {
    enter_for(gates, Counts::Calls, false)
}

/// Like [`enter_uncounted`], for what clients ask many times at once and costs nothing: it pays by
/// rates alone, and stands in no way of what runs. Its calls wait in a queue of their own.
pub(crate) fn enter_aside(gates: &[Arc<Gate>]) -> Result<Entry, Refused> {
    enter_for(gates, Counts::Calls, true)
}

/// Lets a request go on that has been let in before and whose permits are given back: it takes
/// permits anew, and no cell.
pub(crate) fn enter_again(gates: &[Arc<Gate>]) -> Result<Entry, Refused> {
    let own = gates;
    let mut gates = Vec::with_capacity(own.len() + SHARED);
    add_distinct(&mut gates, own);
    let permits = gates.iter().map(|gate| gate.start_request(None));
    Ok(Entry {
        permits: permits.collect::<Result<_, _>>()?,
        gates,
        cells: Cells::default(),
        who: None,
        is_aside: false,
    })
}

fn enter_for(gates: &[Arc<Gate>], counts: Counts, is_aside: bool) -> Result<Entry, Refused> {
    let own = gates;
    let mut gates = Vec::with_capacity(own.len() + SHARED);
    add_distinct(&mut gates, own);
    let mut cells = Cells::default();
    let mut refused: Option<Refused> = None;
    for gate in &gates {
        match gate.pass_the_door(counts) {
            Ok(cell) => cells.taken.extend(cell),
            Err(other) => refused = Some(longest(refused, other)),
        }
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let mut permits = Vec::with_capacity(gates.capacity());
    for gate in gates.iter().filter(|_| !is_aside) {
        permits.push(gate.start_request(None)?);
    }
    Ok(Entry {
        gates,
        permits,
        cells,
        who: None,
        is_aside,
    })
}

impl Entry {
    /// The same on behalf of `who`, which has its part of the limits that tenants share.
    #[must_use]
    pub(crate) fn of(self, who: Asker) -> Self {
        Self {
            who: Some(who),
            ..self
        }
    }

    /// The request's body is being read: from here on the request counts whatever becomes of it,
    /// unless a limit refuses it.
    pub(crate) fn use_cells(&mut self, used: bool) {
        self.cells.used = used;
    }

    /// Charges the request itself, and the calls and tokens of its first wave: own gates before
    /// `shared` ones (upstream, fallback).
    ///
    /// On refusal everything taken is given back, and the refusal reported is the one that takes
    /// longest. The whole plan's calls and input must fit the burst of every limit, or it is
    /// refused for good (`retry_after` is `None`) before anything is spent.
    pub(crate) fn reserve(
        self,
        first_wave: FirstWave,
        whole: PlanBound,
        shared: &[Arc<Gate>],
    ) -> Result<Admitted, Refused> {
        let now = Instant::now();
        let (admitted, cells) = self.take(first_wave, whole, shared, now)?;
        admitted.keep_request(cells, now);
        Ok(admitted)
    }

    /// What [`Self::reserve`] gives, and the request's cells. Dropped before the request is kept,
    /// both have cost nothing.
    fn take(
        self,
        first_wave: FirstWave,
        whole: PlanBound,
        shared: &[Arc<Gate>],
        now: Instant,
    ) -> Result<(Admitted, Cells), Refused> {
        let Self {
            mut gates,
            mut permits,
            mut cells,
            who,
            is_aside,
        } = self;
        cells.used = false;
        let own = gates.len();
        add_distinct(&mut gates, shared);
        for gate in gates.iter().skip(own).filter(|_| !is_aside) {
            permits.push(gate.start_request(who.as_ref())?);
        }
        // Of a wave that is larger than a burst the rest reserves call by call.
        let mut calls = first_wave.calls;
        if calls > 1 {
            for gate in &gates {
                calls = gate.calls_that_fit(calls, first_wave.per_call);
            }
        }
        let mut work = Claim::calls(calls, first_wave.per_call);
        work.whole_calls = work.whole_calls.max(whole.calls.into());
        work.whole_input = work.whole_input.max(whole.input_tokens);
        let (mine, others) = gates.split_at(own);
        let remember = || mine.iter().for_each(|gate| gate.remember(&work, now));
        remember();
        let with_request = Claim {
            requests: 1,
            ..work
        };
        let asker = who.as_ref();
        let taken = take_all(mine, &work, asker, now).and_then(|mut taken| {
            taken.extend(take_all(others, &with_request, asker, now)?);
            Ok(taken)
        });
        let reservations = taken.map_err(|refused| {
            // Another request may have come in between.
            remember();
            let refused = longest_of(refused, mine, &work, None, now);
            longest_of(refused, others, &with_request, asker, now)
        })?;
        let wave = Arc::new(Mutex::new(Wave {
            calls_left: calls,
            reservations,
        }));
        let admitted = Admitted {
            given: gates.len(),
            gates,
            own,
            wave,
            account: RequestAccount::default(),
            who,
            is_aside,
            _permits: Arc::new(permits),
        };
        Ok((admitted, cells))
    }

    /// Charges a request whose calls go to several upstreams: like [`Self::reserve`], with the
    /// limits shared at each of `targets`. Calls to each then start from the element of the same
    /// number.
    ///
    /// The first wave is reserved from the caller alone, since which of its calls go where is the
    /// plan's business; what is shared at an upstream is taken call by call.
    pub(crate) fn reserve_targets(
        self,
        first_wave: FirstWave,
        whole: PlanBound,
        targets: &[Vec<Arc<Gate>>],
    ) -> Result<Vec<Admitted>, Refused> {
        let mut shared: Vec<Arc<Gate>> = Vec::new();
        for gate in distinct(&targets.concat()) {
            if !self.gates.iter().any(|own| Arc::ptr_eq(own, &gate)) {
                shared.push(gate);
            }
        }
        let now = Instant::now();
        let (admitted, own_cells) = self.take(first_wave, whole, &[], now)?;
        let who = admitted.who.as_ref();
        let permits = shared
            .iter()
            .map(|gate| gate.start_request(who))
            .collect::<Result<Vec<_>, _>>()?;
        let mut cells = take_all(&shared, &Claim::REQUEST, who, now)?;
        for cell in &mut cells {
            cell.keep_requests(now);
        }
        admitted.keep_request(own_cells, now);
        Ok(admitted.split(targets, permits))
    }
}

impl Admitted {
    /// Lets one upstream call start: waits for its concurrency permits, then draws its share of the
    /// first wave or, when that is used up, reserves `estimate` anew.
    ///
    /// A refusal means that this and later calls must not be made; the request goes on with what it
    /// has. Cancel safe: dropped while it waits, it has taken nothing.
    pub(crate) async fn call(&self, estimate: Estimate) -> Result<CallGuard, CallRefused> {
        let mut permits: Vec<CallPermit> = Vec::with_capacity(self.gates.len());
        let uses = if estimate.total() > 0 {
            Counts::Tokens
        } else {
            Counts::Calls
        };
        for gate in self.gates.iter().filter(|_| !self.is_aside) {
            permits.push(gate.start_call(uses, self.who.as_ref()).await?);
        }
        let reservations = match self.draw() {
            Some(mut shares) => {
                // Its own prompt, or its own maximum, may be larger than was foreseen.
                let now = Instant::now();
                for share in &mut shares {
                    share.enlarge(estimate, now)?;
                }
                let others = self.gates.get(self.given..).unwrap_or_default();
                shares.extend(self.reserve_call(others, estimate)?);
                shares
            }
            None => self.reserve_call(&self.gates, estimate)?,
        };
        Ok(CallGuard::new(
            reservations,
            permits,
            estimate,
            self.account.clone(),
        ))
    }

    /// Lets a call that failed be made once more: charges what was reserved for the try that
    /// failed, and reserves anew.
    ///
    /// # Errors
    ///
    /// When a limit refuses another call; then nothing has changed.
    pub(crate) fn again(&self, guard: &mut CallGuard) -> Result<(), Refused> {
        let fresh = self.reserve_call(&self.gates, guard.estimate())?;
        guard.renew(fresh);
        Ok(())
    }

    /// Like [`Self::again`], for a try that cost no tokens: those reserved for it serve the next
    /// one. A limit with room for one try has room for two of which the first was refused.
    ///
    /// # Errors
    ///
    /// When a limit refuses another call; then nothing has changed.
    pub(crate) fn again_unbilled(&self) -> Result<(), Refused> {
        let now = Instant::now();
        for call in self.reserve_call(&self.gates, Estimate::default())? {
            let actual = Amounts {
                requests: 0,
                calls: 1,
                tokens: 0,
            };
            call.settle(actual, now);
        }
        Ok(())
    }

    /// Calls of the first wave that have not started: they are reserved, and no longer in
    /// [`Self::status`].
    pub(crate) fn calls_in_hand(&self) -> u32 {
        self.wave().calls_left
    }

    /// Whether its calls wait in a queue of their own.
    pub(crate) fn is_aside(&self) -> bool {
        self.is_aside
    }

    /// What the request is charged for its calls.
    pub(crate) fn account(&self) -> &RequestAccount {
        &self.account
    }

    /// Where the caller's own rates stand: of each rate the gate that has least left.
    pub(crate) fn status(&self) -> Vec<RateStatus> {
        tightest(self.gates.iter().take(self.own))
    }

    /// One for each of `targets`, with its gates, all drawing from the same first wave.
    fn split(self, targets: &[Vec<Arc<Gate>>], permits: Vec<RequestPermit>) -> Vec<Self> {
        let Self {
            gates,
            own,
            given,
            wave,
            account,
            who,
            is_aside,
            _permits: earlier,
        } = self;
        let permits = Arc::new(
            Arc::into_inner(earlier)
                .into_iter()
                .flatten()
                .chain(permits)
                .collect::<Vec<_>>(),
        );
        let target = |shared: &Vec<Arc<Gate>>| {
            let all: Vec<_> = gates.iter().chain(shared).map(Arc::clone).collect();
            Self {
                gates: distinct(&all),
                own,
                given,
                wave: Arc::clone(&wave),
                account: account.clone(),
                who: who.clone(),
                is_aside,
                _permits: Arc::clone(&permits),
            }
        };
        targets.iter().map(target).collect()
    }

    /// Charges the request itself: from here on it is not given back.
    fn keep_request(&self, mut cells: Cells, now: Instant) {
        cells.used = true;
        for reservation in &mut self.wave().reservations {
            reservation.keep_requests(now);
        }
    }

    fn reserve_call(
        &self,
        gates: &[Arc<Gate>],
        estimate: Estimate,
    ) -> Result<Vec<Reservation>, Refused> {
        if gates.is_empty() {
            return Ok(Vec::new());
        }
        let (ask, who, now) = (Claim::calls(1, estimate), self.who.as_ref(), Instant::now());
        take_all(gates, &ask, who, now)
            .map_err(|refused| longest_of(refused, gates, &ask, who, now))
    }

    fn wave(&self) -> MutexGuard<'_, Wave> {
        self.wave.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> Option<Vec<Reservation>> {
        let mut wave = self.wave();
        let calls = wave.calls_left;
        wave.calls_left = calls.checked_sub(1)?;
        Some(
            wave.reservations
                .iter_mut()
                .map(|reservation| reservation.split_call(calls))
                .collect(),
        )
    }
}

/// The longest refusal that `ask` would meet now, so that nobody waits for one limit only to be
/// refused by the next.
fn longest_of(
    refused: Refused,
    gates: &[Arc<Gate>],
    ask: &Claim,
    who: Option<&Asker>,
    now: Instant,
) -> Refused {
    gates
        .iter()
        .filter_map(|gate| gate.refusal(ask, who, now))
        .fold(refused, Refused::longer)
}

fn tightest<'a>(gates: impl Iterator<Item = &'a Arc<Gate>>) -> Vec<RateStatus> {
    let mut tightest: Vec<RateStatus> = Vec::new();
    for status in gates.flat_map(|gate| gate.status()) {
        match tightest
            .iter_mut()
            .find(|other| other.dimension == status.dimension)
        {
            Some(other) if status.remaining < other.remaining => *other = status,
            Some(_) => {}
            None => tightest.push(status),
        }
    }
    tightest
}

/// Each gate once: a caller that is served from its address's entry must not be charged twice.
fn distinct(gates: &[Arc<Gate>]) -> Vec<Arc<Gate>> {
    let mut distinct = Vec::with_capacity(gates.len());
    add_distinct(&mut distinct, gates);
    distinct
}

fn add_distinct(gates: &mut Vec<Arc<Gate>>, more: &[Arc<Gate>]) {
    for gate in more {
        if !gates.iter().any(|other| Arc::ptr_eq(other, gate)) {
            gates.push(Arc::clone(gate));
        }
    }
}

#[cfg(test)]
mod tests;
