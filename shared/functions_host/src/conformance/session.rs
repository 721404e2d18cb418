//! One start of the handler under check, and what it is sent.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use azure_functions::wire;
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpSocket;

use super::app::App;
use crate::client::{self, HandlerClient, Received};
use crate::event::{HostEvent, OutputLevel};
use crate::function::Function;
use crate::handler::{OutputLog, Process, reserve, start_variables, wait_until_ready};
use crate::identity::guid;
use crate::options::EnvelopeFraming;
use crate::wire::HOST_VERSION;

/// A running handler. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Session {
    process: Process,
    pub(super) port: u16,
    /// Keeps the port from being given to anybody else.
    _socket: TcpSocket,
    authority: Authority,
    client: HandlerClient,
    output: Output,
    patience: Duration,
    pub(super) ready_after: Duration,
}

/// The lines that a handler wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct Output(Arc<Mutex<Vec<(OutputLevel, String)>>>);

impl Output {
    pub(super) fn lines(&self) -> Vec<(OutputLevel, String)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn log(&self) -> OutputLog {
        let lines = self.0.clone();
        let keep = move |event| {
            if let HostEvent::HandlerOutput { level, line, .. } = event {
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((level, line));
            }
        };
        OutputLog::new("conformance".into(), Arc::new(keep), true)
    }
}

impl App {
    /// Starts the handler with this text as its port, and waits for nothing.
    pub(super) fn spawn(&self, port: &str) -> Result<(Process, Output), String> {
        let output = Output::default();
        let own = start_variables(port, &guid(), self.app_root.as_os_str());
        let arguments = self.launch.arguments(&self.settings.with(&own));
        let environment: Vec<(OsString, OsString)> =
            self.environment.iter().cloned().chain(own).collect();
        let process = Process::spawn(
            &self.launch.executable,
            &arguments,
            &self.launch.working_directory,
            &environment,
            &output.log(),
        )
        .map_err(|error| format!("it could not be started: {error}"))?;
        Ok((process, output))
    }

    /// Starts the handler and waits until it answers `GET /`.
    pub(super) async fn start(&self) -> Result<Session, String> {
        let socket = reserve(0).map_err(|error| format!("no port is free: {error}"))?;
        let port = socket
            .local_addr()
            .map_err(|error| error.to_string())?
            .port();
        let begun = Instant::now();
        let (mut process, output) = self.spawn(&port.to_string())?;
        let limit = self.config.handler.initialization_timeout;
        let reason = tokio::select! {
            is_ready = wait_until_ready(port, limit, Some(limit)) => (!is_ready).then(|| format!(
                "it runs, but did not answer GET / on 127.0.0.1:{port} within {} s: does it listen on another port, or on IPv6 only?",
                limit.as_secs()
            )),
            end = ended(&mut process, limit * 4) => Some(match end {
                Some(End::Exit(code)) => format!("it ended with exit code {code} before it answered GET /"),
                Some(End::Signal(signal)) => format!("signal {signal} ended it before it answered GET /"),
                None => "it did not answer GET / and could not be watched".to_owned(),
            }),
        };
        if let Some(reason) = reason {
            process.kill().await;
            let last = output.lines().pop().map_or_else(String::new, |(_, line)| {
                format!("; the last line that it wrote: {line}")
            });
            return Err(format!("{reason}{last}"));
        }
        Ok(Session {
            process,
            port,
            _socket: socket,
            authority: Authority::try_from(format!("{}:{port}", wire::LISTEN_ADDRESS))
                .map_err(|error| error.to_string())?,
            client: HandlerClient::new(),
            output,
            patience: self.patience,
            ready_after: begun.elapsed(),
        })
    }
}

impl Session {
    /// `POST /{function}` with an envelope, as the host sends it.
    pub(super) async fn invoke(
        &self,
        function: &str,
        envelope: Bytes,
        framing: EnvelopeFraming,
    ) -> Result<Received, String> {
        let id = guid();
        let answer = client::send_envelope(
            &self.client,
            &self.authority,
            function,
            &id,
            envelope,
            framing,
        );
        self.patiently(async { answer.await.map_err(|reason| reason.to_string()) })
            .await
    }

    /// A request as the host forwards it.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<Received, String> {
        let path = PathAndQuery::try_from(path).map_err(|error| format!("{path}: {error}"))?;
        let uri = client::uri(&self.authority, path).map_err(|reason| reason.to_string())?;
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(wire::INVOCATION_ID, guid())
            .header(wire::HOST_VERSION, HOST_VERSION);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(client::full(body))
            .map_err(|error| error.to_string())?;
        self.patiently(async {
            let response = self.client.plain.request(request).await;
            let response = response.map_err(|error| client::unreachable(error).to_string())?;
            client::receive(response)
                .await
                .map_err(|reason| reason.to_string())
        })
        .await
    }

    /// `GET /` on a connection of its own; says how long the answer took.
    pub(super) async fn probe(&self) -> Duration {
        let begun = Instant::now();
        wait_until_ready(self.port, Duration::ZERO, Some(self.patience)).await;
        begun.elapsed()
    }

    /// SIGKILL, as the host stops a handler.
    pub(super) async fn kill(self) -> Output {
        self.process.kill().await;
        self.output
    }

    /// SIGTERM, which the host never sends.
    pub(super) fn terminate(&self) -> Result<(), String> {
        let pid = i32::try_from(self.process.pid())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or("it has no process id")?;
        kill_process(pid, Signal::TERM).map_err(|error| format!("SIGTERM failed: {error}"))
    }

    /// Waits for the process to end by itself.
    pub(super) async fn ended(&mut self, within: Duration) -> Option<End> {
        ended(&mut self.process, within).await
    }

    async fn patiently(
        &self,
        answer: impl Future<Output = Result<Received, String>>,
    ) -> Result<Received, String> {
        tokio::time::timeout(self.patience, answer)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", self.patience.as_secs())))
    }
}

/// How a process ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exit(i32),
    Signal(i32),
}

/// Waits for a process to end by itself.
pub(super) async fn ended(process: &mut Process, within: Duration) -> Option<End> {
    let status = tokio::time::timeout(within, process.wait())
        .await
        .ok()?
        .ok()?;
    Some(match status.code() {
        Some(code) => End::Exit(code),
        None => End::Signal(status.signal().unwrap_or_default()),
    })
}

/// What the host makes of an answer to an envelope; an error is what the handler must mend.
///
/// A deliberate failure status is no fault: the host takes the invocation for failed, as it is meant.
pub(super) fn judge(function: &Function, answer: &Received) -> Result<(), String> {
    let outcome = crate::outcome::read(
        answer.status,
        &answer.headers,
        &answer.body,
        &function.outputs,
    );
    if let Some(fault) = outcome.faults.first() {
        return Err(fault.to_string());
    }
    match outcome.result {
        Ok(_) if answer.status != http::StatusCode::OK => Err(format!(
            "a success must have the status 200, not {}",
            answer.status.as_u16()
        )),
        Err(reason) if answer.status.is_success() => Err(reason.to_string()),
        _ => Ok(()),
    }
}
