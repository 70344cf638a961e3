//! The virtual users' HTTP client.
//!
//! One client is one browser: a jar of cookies and a few connections of its own, nothing shared
//! with other users but what they trust. Every hop of a request is a sample; the last one is held
//! back until the plugin let go of the answer, so that it can still turn it into a failure.
//!
//! # Layout
//!
//! * `request` checks what a plugin asks for, `route` where it goes, `redirect` where an answer leads.
//! * `exchange` carries out one hop on a connection from the `pool`: `http1` or `http2`.
//! * `policy` says how connections are made, `dial` opens them, over a `wire`.
//! * `body` puts bodies together and unpacks them, `cookies` keeps the jar.
//! * `failure` names what can go wrong.

mod body;
mod cookies;
mod dial;
mod exchange;
mod failure;
mod http1;
mod http2;
mod policy;
mod pool;
mod redirect;
mod request;
mod route;
mod wire;

use std::{
    future::ready,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use assay_bindings::{Headers, Response, imports::http as wit};
use futures::{StreamExt, future::BoxFuture, stream};
use http::HeaderValue;
use url::{Position, Url};

use crate::{
    capability::{ports::Browser, unmet},
    config::ConnectionReuse,
    observe::{Alarm, Clock, ErrorClass, Nanos, nanos},
};

use super::{
    recorder::{Flight, Landing, Recorder, Sample},
    scope::Scope,
};
use cookies::Cookies;
use exchange::{Answer, Message, Meter, Terms};
use failure::Failure;
use pool::Pool;
use request::Checked;
use route::Route;

pub use policy::Policy;
pub use route::Routes;

/// Most requests of one `send-all`, and most connections that it may use.
const MOST_AT_ONCE: usize = 64;
const MOST_CONNECTIONS: u32 = 16;

/// Who decides where requests may go; a refusal says what grant is missing.
pub type Granted = Arc<dyn Fn(&Url) -> Result<(), String> + Send + Sync>;

/// What all clients of one plugin have in common.
#[derive(Clone)]
pub struct ClientOptions {
    pub clock: Clock,
    /// Scheme, host and port of the target.
    pub base_url: Url,
    /// Asked for every hop.
    pub granted: Granted,
    pub policy: Policy,
    /// What is known of the URLs that were granted.
    pub routes: Routes,
    /// Most bytes of an answer's body, unpacked.
    pub body_limit: u64,
}

/// One browser.
pub struct Client {
    options: Arc<ClientOptions>,
    /// The target without a trailing slash, to put paths behind.
    base: String,
    /// Where samples go; a client without one records nothing.
    scope: Option<Arc<Scope>>,
    pool: Pool,
    /// Behind a lock because requests sent at once share it; never held across a wait.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cookies: Cookies,
    /// Samples that the plugin may still turn into failures, by handle.
    held: Vec<(u64, Sample)>,
    next_handle: u64,
    /// At rest: one for each request that was ever under way at the same time.
    alarms: Vec<Alarm>,
}

/// The answer at the end of a journey.
struct Arrival {
    answer: Answer,
    /// It is what the request expects.
    expected: bool,
    service_time: Nanos,
    sample: Option<Sample>,
}

impl Client {
    /// A client whose requests count as what `scope` says.
    pub fn recorded(options: Arc<ClientOptions>, scope: Arc<Scope>) -> Self {
        Self::new(options, Some(scope))
    }

    /// A client that records nothing.
    pub fn silent(options: Arc<ClientOptions>) -> Self {
        Self::new(options, None)
    }

    fn new(options: Arc<ClientOptions>, scope: Option<Arc<Scope>>) -> Self {
        let base = options.base_url[..Position::BeforePath].to_owned();
        Self { options, base, scope, pool: Pool::default(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recorder(&self) -> Option<&Recorder> {
        self.scope.as_deref().map(|scope| &**scope.recorder())
    }

    /// A request with all its redirects. Afterwards it is what was sent last.
    async fn journey(&self, request: &mut Checked, deadline: Nanos) -> Result<Arrival, wit::Error> {
        let clock = self.options.clock;
        let mut begun = clock.now();
        let deadline = deadline.min(begun.saturating_add(nanos(request.timeout)));
        let mut hop = 0;
        loop {
            let flight = self.scope.as_deref().map(|scope| {
                let endpoint = scope.endpoint(&request.sample_name(hop));
                scope.recorder().begin(endpoint, begun, scope.take_intended(), deadline)
            });
            let mut meter = Meter::default();
            let until = clock.instant(deadline);
            let mut alarm = self.state().alarms.pop().unwrap_or_default();
            let exchanged = alarm.bound(until, pin!(self.exchange(request, &mut meter))).await;
            self.state().alarms.push(alarm);
            let (sent, received) = meter.count();
            let landing = Landing { bytes_sent: sent, bytes_received: received, ..Landing::default() };
            let answer = match exchanged {
                Some(Ok(answer)) => answer,
                Some(Err(failure)) => return Err(self.failed(flight, landing, failure)),
                None => {
                    let waited = Duration::from_nanos(clock.now().saturating_sub(begun));
                    let because =
                        format!("{}: no whole answer after {waited:.1?}", request.route.origin.place());
                    return Err(self.failed(flight, landing, Failure::new(ErrorClass::Timeout, because)));
                }
            };
            self.keep_cookies(&answer.headers, &request.route.url);
            let landing = Landing { status: Some(answer.status.as_u16()), ..landing };

            let next =
                redirect::redirect(answer.status, &answer.headers, &request.method, &request.route.url);
            if let Some(next) = next.filter(|_| hop < request.redirects) {
                if let (Some(flight), Some(recorder)) = (flight, self.recorder()) {
                    recorder.record(flight.land(landing));
                }
                (self.options.granted)(&next.url).map_err(wit::Error::Denied)?;
                let route = Route::new(next.url, &next.method).map_err(wit::Error::Protocol)?;
                if route.origin != request.route.origin {
                    request.drop_secrets();
                }
                if next.method != request.method {
                    request.drop_body();
                }
                (request.route, request.method) = (Arc::new(route), next.method);
                hop += 1;
                begun = clock.now();
                continue;
            }

            let unmet = unmet(&request.expect, answer.status.as_u16(), &answer.body);
            let failure = unmet.is_some().then_some(ErrorClass::Expectation);
            let sample = flight.map(|flight| flight.land(Landing { failure, ..landing }));
            if let (Some(sample), Some(because), Some(recorder)) = (sample, unmet, self.recorder()) {
                recorder.explain(sample.endpoint, ErrorClass::Expectation, &because);
            }
            let service_time =
                sample.map_or_else(|| clock.now().saturating_sub(begun), |sample| sample.service());
            return Ok(Arrival { answer, expected: failure.is_none(), service_time, sample });
        }
    }

    /// The answer to a request, as the plugin gets to see it. Its sample is held.
    fn response(&self, request: &Checked, arrival: Arrival) -> Response {
        let Arrival { answer, service_time, sample, .. } = arrival;
        Response {
            status: answer.status.as_u16(),
            url: request.route.url.as_str().to_owned(),
            headers: answer.headers,
            body: answer.body,
            service_time,
            sample: sample.map(|sample| self.hold(sample)),
        }
    }

    /// A request that may be sent, ready to be.
    fn check(&self, request: wit::Request) -> Result<Checked, wit::Error> {
        let route = self.route(&request)?;
        Checked::new(request, route).map_err(wit::Error::Invalid)
    }

    /// Where a request goes, if it may.
    fn route(&self, request: &wit::Request) -> Result<Arc<Route>, wit::Error> {
        self.options.routes.find(&request.url, || {
            let url = request::resolve(&request.url, &self.base).map_err(wit::Error::Invalid)?;
            (self.options.granted)(&url).map_err(wit::Error::Denied)?;
            Route::new(url, &request::method(request.method)).map_err(wit::Error::Invalid)
        })
    }

    /// One hop.
    async fn exchange(&self, request: &Checked, meter: &mut Meter) -> Result<Answer, Failure> {
        let message = Message {
            method: &request.method,
            route: &request.route,
            own: &request.headers,
            cookies: self.cookies(&request.route.url),
            body: &request.body,
        };
        let terms = Terms {
            policy: &self.options.policy,
            connect_timeout: request.connect_timeout,
            body_limit: self.options.body_limit,
            idempotent: request.method.is_idempotent(),
        };
        exchange::exchange(&self.pool, &message, &terms, meter).await
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        let cookies = self.state().cookies.header(url)?;
        HeaderValue::from_maybe_shared(bytes::Bytes::from(cookies)).ok()
    }

    fn keep_cookies(&self, headers: &Headers, url: &Url) {
        for cookie in headers.all("set-cookie") {
            self.state().cookies.obey(cookie, url);
        }
    }

    /// Records a request that got no answer.
    fn failed(&self, flight: Option<Flight<'_>>, landing: Landing, failure: Failure) -> wit::Error {
        if let (Some(flight), Some(recorder)) = (flight, self.recorder()) {
            let sample = flight.land(Landing { failure: Some(failure.class), ..landing });
            recorder.record(sample);
            recorder.explain(sample.endpoint, failure.class, &failure.because);
            if let Some(own) = failure.own {
                recorder.short(own);
            }
        }
        failure.into_error()
    }

    fn hold(&self, sample: Sample) -> u64 {
        let mut state = self.state();
        let handle = state.next_handle;
        state.next_handle += 1;
        state.held.push((handle, sample));
        handle
    }
}

impl Browser for Client {
    fn send<'a>(
        &'a mut self,
        request: wit::Request,
        deadline: Nanos,
    ) -> BoxFuture<'a, Result<Response, wit::Error>> {
        match self.check(request) {
            Ok(mut request) => Box::pin(async move {
                let arrival = self.pool.drive(pin!(self.journey(&mut request, deadline))).await?;
                Ok(self.response(&request, arrival))
            }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn visit<'a>(
        &'a mut self,
        request: wit::Request,
        deadline: Nanos,
    ) -> BoxFuture<'a, Result<wit::Visited, wit::Error>> {
        match self.check(request) {
            Ok(mut request) => Box::pin(async move {
                let arrival = self.pool.drive(pin!(self.journey(&mut request, deadline))).await?;
                if let (Some(sample), Some(recorder)) = (arrival.sample, self.recorder()) {
                    recorder.record(sample);
                }
                Ok(wit::Visited { status: arrival.answer.status.as_u16(), expected: arrival.expected })
            }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn send_all<'a>(
        &'a mut self,
        requests: Vec<wit::Request>,
        connections: u32,
        deadline: Nanos,
    ) -> BoxFuture<'a, Vec<Result<Response, wit::Error>>> {
        if requests.len() > MOST_AT_ONCE || !(1..=MOST_CONNECTIONS).contains(&connections) {
            let because = format!(
                "{} requests over {connections} connections; allowed are at most {MOST_AT_ONCE} over 1 to \
                 {MOST_CONNECTIONS}",
                requests.len()
            );
            let answers = requests.iter().map(|_| Err(wit::Error::Invalid(because.clone()))).collect();
            return Box::pin(ready(answers));
        }
        let client = &*self;
        let journeys: Vec<BoxFuture<'a, _>> = requests
            .into_iter()
            .map(|request| match client.check(request) {
                Ok(mut request) => Box::pin(async move {
                    let arrival = client.journey(&mut request, deadline).await?;
                    Ok(client.response(&request, arrival))
                }) as BoxFuture<'a, _>,
                Err(error) => Box::pin(ready(Err(error))),
            })
            .collect();
        // Over HTTP/2 all share one connection, and so many requests are under way on it at a time.
        let answers = stream::iter(journeys).buffered(connections as usize).collect();
        Box::pin(async move { client.pool.drive(pin!(answers)).await })
    }

    fn fail(&mut self, sample: u64, reason: &str) {
        let mut state = self.state();
        let Some((_, held)) = state.held.iter_mut().find(|(handle, _)| *handle == sample) else { return };
        if held.failure == Some(ErrorClass::Check) {
            return;
        }
        held.failure = Some(ErrorClass::Check);
        let endpoint = held.endpoint;
        drop(state);
        if let Some(recorder) = self.recorder() {
            recorder.explain(endpoint, ErrorClass::Check, reason);
        }
    }

    fn commit(&mut self, sample: u64) {
        let mut state = self.state();
        let Some(place) = state.held.iter().position(|(handle, _)| *handle == sample) else { return };
        let (_, sample) = state.held.swap_remove(place);
        drop(state);
        if let Some(recorder) = self.recorder() {
            recorder.record(sample);
        }
    }

    fn commit_all(&mut self) {
        // Emptied and not replaced: the next sample needs the room again.
        for (_, sample) in self.state().held.drain(..) {
            if let Some(recorder) = self.recorder() {
                recorder.record(sample);
            }
        }
        if self.options.policy.reuse == ConnectionReuse::WithinTask {
            self.pool.clear();
        }
    }

    fn cookie(&self, name: &str) -> Option<String> {
        self.state().cookies.get(name, &self.options.base_url)
    }

    fn set_cookie(&mut self, name: &str, value: &str) {
        self.state().cookies.set(name, value, &self.options.base_url);
    }

    fn reset(&mut self) {
        self.state().cookies = Cookies::default();
        self.pool.clear();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A store that is lost takes its client along; what was answered still counts.
        self.commit_all();
    }
}

#[cfg(test)]
mod tests;
