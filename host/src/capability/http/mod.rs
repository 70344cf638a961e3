//! HTTP for plugins: checks the grant and the request, and lets a [`Browser`] carry it out.

mod capture;
mod control;
mod expectation;
mod gate;

use assay_bindings::{
    Response,
    imports::{
        http::{self, Error, Request, Visited},
        types::Nanos,
    },
};
use futures::future::BoxFuture;
use http::{Host, HostResponse};
use wasmtime::component::Resource;

pub(crate) use control::ControlBrowser;
pub(crate) use expectation::{EXPECTED, unmet};
pub(crate) use gate::Gate;

use super::{ports::Browser, view::With};
use crate::{observe::Severity, plugin::cut};

/// Answers that one instance may hold at a time, and their bodies together as a multiple of the limit
/// on one: the host keeps them, so the guest's own memory does not bound them.
const HELD_ANSWERS: usize = 128;
const HELD_BODIES: u64 = 4;
const REQUESTS_AT_ONCE: usize = 64;
const CONNECTIONS: std::ops::RangeInclusive<u32> = 1..=16;

/// One instance's HTTP.
pub(crate) struct Http {
    gate: Gate,
    /// Absent while it is on an errand.
    browser: Option<Box<dyn Browser>>,
    held_answers: usize,
    held_bytes: u64,
}

impl Http {
    pub(crate) fn new(gate: Gate, browser: Box<dyn Browser>) -> Self {
        Self { gate, browser: Some(browser), held_answers: 0, held_bytes: 0 }
    }

    /// An export returned, or was broken off: its samples are what they are.
    pub(crate) fn commit_all(&mut self) {
        self.commit();
    }

    fn commit(&mut self) {
        if let Some(browser) = &mut self.browser {
            browser.commit_all();
        }
    }

    fn browser(&mut self) -> wasmtime::Result<&mut Box<dyn Browser>> {
        self.browser.as_mut().ok_or_else(away)
    }
}

fn away() -> wasmtime::Error {
    wasmtime::Error::msg("a request is under way")
}

impl Drop for Http {
    fn drop(&mut self) {
        // A call whose future was dropped has not returned, but its requests were sent.
        self.commit();
    }
}

type Answer = Result<Resource<Response>, Error>;

impl With<'_, Http> {
    fn response(&self, answer: &Resource<Response>) -> wasmtime::Result<&Response> {
        Ok(self.sandbox.table.get(answer)?)
    }

    /// Checks a request and bounds it by the export's deadline.
    fn admit(&mut self, request: &mut Request) -> Result<(), Error> {
        gate::check(request)?;
        gate::bound(request);
        Ok(())
    }

    /// Sends the browser off the fiber with one request.
    ///
    /// No async function, because what those are given is part of what is waited for, and a request is
    /// not small: it shall lie in one place, and not on the fiber.
    fn dispatch<T: Send + 'static>(
        &mut self,
        mut request: Request,
        act: impl for<'a> FnOnce(&'a mut dyn Browser, Request, Nanos) -> BoxFuture<'a, Result<T, Error>>
        + Send
        + 'static,
    ) -> impl Future<Output = wasmtime::Result<Result<T, Error>>> {
        let errand = self.admit(&mut request).map(|()| {
            let deadline = self.sandbox.host_deadline();
            let gate = (!self.own.gate.is_open_to(&request.url)).then(|| self.own.gate.clone());
            self.errand(move |browser| match gate {
                None => act(browser, request, deadline),
                Some(gate) => Box::pin(async move {
                    gate.check_url(&request.url).await?;
                    act(browser, request, deadline).await
                }),
            })
        });
        async move {
            match errand {
                Ok(errand) => errand.await,
                Err(error) => Ok(Err(error)),
            }
        }
    }

    /// Sends the browser off the fiber with work, and waits until it is back.
    fn errand<T: Send + 'static>(
        &mut self,
        work: impl for<'a> FnOnce(&'a mut dyn Browser) -> BoxFuture<'a, T> + Send + 'static,
    ) -> impl Future<Output = wasmtime::Result<T>> {
        let (errands, home) = (self.sandbox.errands(), &mut self.own.browser);
        let errand = home.take().map(|mut browser| {
            errands.run(Box::pin(async move {
                let answer = work(&mut *browser).await;
                (browser, answer)
            }))
        });
        async move {
            let (browser, answer) = errand.ok_or_else(away)?.await;
            *home = Some(browser);
            Ok(answer)
        }
    }

    /// Is there room to hold one more answer?
    fn has_room(&self, more: usize) -> Result<(), Error> {
        let own = &self.own;
        if own.held_answers + more > HELD_ANSWERS
            || own.held_bytes > self.sandbox.tenant().limits().body.saturating_mul(HELD_BODIES)
        {
            let (answers, bytes) = (own.held_answers, bytesize::ByteSize(own.held_bytes));
            return Err(Error::Invalid(format!("{answers} answers with {bytes} are held; drop some first")));
        }
        Ok(())
    }

    fn hold(&mut self, answer: Result<Response, Error>) -> wasmtime::Result<Answer> {
        Ok(match answer {
            Ok(response) => {
                self.own.held_answers += 1;
                self.own.held_bytes += response.body.len() as u64;
                Ok(self.sandbox.table.push(response)?)
            }
            Err(error) => Err(error),
        })
    }
}

impl Host for With<'_, Http> {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Answer> {
        if let Err(error) = self.has_room(1) {
            return Ok(Err(error));
        }
        let sent = self.dispatch(request, |browser, request, deadline| browser.send(request, deadline));
        let answer = sent.await?;
        self.hold(answer)
    }

    fn visit(
        &mut self,
        request: Request,
    ) -> impl Future<Output = wasmtime::Result<Result<Visited, Error>>> + Send {
        self.dispatch(request, |browser, request, deadline| browser.visit(request, deadline))
    }

    async fn send_all(&mut self, requests: Vec<Request>, connections: u32) -> wasmtime::Result<Vec<Answer>> {
        let refused = match self.has_room(requests.len()) {
            Err(error) => Some(error),
            Ok(()) if requests.len() > REQUESTS_AT_ONCE => Some(Error::Invalid(format!(
                "{} requests at once; at most {REQUESTS_AT_ONCE} are allowed",
                requests.len()
            ))),
            Ok(()) if !CONNECTIONS.contains(&connections) => {
                Some(Error::Invalid(format!("{connections} connections; allowed are 1 to 16")))
            }
            Ok(()) => None,
        };
        if let Some(error) = refused {
            return Ok(requests.iter().map(|_| Err(error.clone())).collect());
        }
        // What is refused is answered in its place; the rest goes out together.
        let mut refusals = Vec::with_capacity(requests.len());
        let mut admitted = Vec::with_capacity(requests.len());
        for mut request in requests {
            let admitted_here = match self.admit(&mut request) {
                Ok(()) => self.own.gate.check_url(&request.url).await,
                Err(error) => Err(error),
            };
            match admitted_here {
                Ok(()) => {
                    admitted.push(request);
                    refusals.push(None);
                }
                Err(error) => refusals.push(Some(error)),
            }
        }
        let deadline = self.sandbox.host_deadline();
        let answers = self.errand(move |browser| browser.send_all(admitted, connections, deadline)).await?;
        let mut answers = answers.into_iter();
        refusals
            .into_iter()
            .map(|refusal| {
                let answer = refusal.map(Err).or_else(|| answers.next());
                let missing = || Err(Error::Protocol("the request was not carried out".to_owned()));
                self.hold(answer.unwrap_or_else(missing))
            })
            .collect()
    }

    fn cookie(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.own.browser()?.cookie(&name))
    }

    fn set_cookie(&mut self, name: String, value: String) -> wasmtime::Result<()> {
        match gate::is_cookie(&name, &value) {
            true => self.own.browser()?.set_cookie(&name, &value),
            false => {
                let message = format!("cookie '{}' cannot be set: it holds forbidden characters", cut(name));
                self.sandbox.tenant().voice().finding(Severity::Note, message);
            }
        }
        Ok(())
    }

    fn reset(&mut self) -> wasmtime::Result<()> {
        self.own.browser()?.reset();
        Ok(())
    }
}

impl HostResponse for With<'_, Http> {
    fn status(&mut self, answer: Resource<Response>) -> wasmtime::Result<u16> {
        Ok(self.response(&answer)?.status)
    }

    fn url(&mut self, answer: Resource<Response>) -> wasmtime::Result<String> {
        Ok(self.response(&answer)?.url.clone())
    }

    fn header(&mut self, answer: Resource<Response>, name: String) -> wasmtime::Result<Option<String>> {
        let found = self.response(&answer)?.headers.get(&name.to_ascii_lowercase());
        Ok(found.map(|value| String::from_utf8_lossy(value).into_owned()))
    }

    fn body(&mut self, answer: Resource<Response>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.response(&answer)?.body.clone())
    }

    fn text(&mut self, answer: Resource<Response>) -> wasmtime::Result<String> {
        Ok(String::from_utf8_lossy(&self.response(&answer)?.body).into_owned())
    }

    fn capture(&mut self, answer: Resource<Response>, pattern: String) -> wasmtime::Result<Option<String>> {
        Ok(match capture::first(&pattern, &self.response(&answer)?.body) {
            Ok(found) => found,
            Err(because) => {
                self.sandbox.tenant().voice().finding(Severity::Warning, because);
                None
            }
        })
    }

    fn fail(&mut self, answer: Resource<Response>, reason: String) -> wasmtime::Result<()> {
        if let Some(sample) = self.response(&answer)?.sample {
            self.own.browser()?.fail(sample, &cut(reason));
        }
        Ok(())
    }

    fn service_time(&mut self, answer: Resource<Response>) -> wasmtime::Result<Nanos> {
        Ok(self.response(&answer)?.service_time)
    }

    fn drop(&mut self, answer: Resource<Response>) -> wasmtime::Result<()> {
        let response = self.sandbox.table.delete(answer)?;
        self.own.held_answers = self.own.held_answers.saturating_sub(1);
        self.own.held_bytes = self.own.held_bytes.saturating_sub(response.body.len() as u64);
        if let Some(sample) = response.sample {
            self.own.browser()?.commit(sample);
        }
        Ok(())
    }
}
