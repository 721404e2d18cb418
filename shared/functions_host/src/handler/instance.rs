//! Keeps one handler process running by the host's rules of crash and restart.
//!
//! Sources: `WorkerProcess.cs`, `HttpFunctionInvocationDispatcher.cs` of the host.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use azure_functions::wire;
use http::uri::Authority;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::event::{EventSink, HandlerEnd, HostEvent, InvocationFailure, StopReason};
use crate::handler::output::OutputLog;
use crate::handler::process::Process;
use crate::handler::{Launch, readiness};
use crate::identity::guid;
use crate::settings::Settings;

/// The exit code by which a handler asks for a restart.
const INTENTIONAL_RESTART: i32 = 200;
/// The error that stops the host.
const LAST_ERROR: usize = 3;
/// Errors are forgotten when none followed for so long.
const ERROR_WINDOW: SignedDuration = SignedDuration::from_mins(30);
/// An invocation waits this many initialization time-outs for a ready handler.
const WAIT_FACTOR: u32 = 4;
/// The host's client waits this much longer than the function time-out for an answer.
const ANSWER_GRACE: Duration = Duration::from_secs(60);

/// What an instance is made from.
pub(crate) struct InstanceSetup {
    pub(crate) name: Arc<str>,
    pub(crate) launch: Launch,
    /// The handler's environment without the variables of one start.
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) settings: Settings,
    pub(crate) app_root: OsString,
    pub(crate) fixed_port: Option<u16>,
    pub(crate) initialization_timeout: Duration,
    pub(crate) function_timeout: Option<Duration>,
    pub(crate) stderr_for_errors_only: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) stop_host: watch::Sender<Option<StopReason>>,
}

/// One handler process and its successors.
pub(crate) struct Instance {
    authority: Authority,
    port: u16,
    /// Keeps the port for the handler.
    _reservation: TcpSocket,
    pid: Arc<AtomicU32>,
    state: watch::Receiver<State>,
    commands: mpsc::UnboundedSender<Command>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    longest_wait: Duration,
    stop_host: watch::Sender<Option<StopReason>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Starting,
    /// `life` counts the starts.
    Ready {
        life: u64,
    },
    Over,
}

enum Command {
    RestartAfterTimeout { life: u64 },
    Stop,
}

impl Instance {
    /// Takes a port and starts the process in the background.
    pub(crate) fn start(setup: InstanceSetup) -> std::io::Result<Arc<Self>> {
        // As the host does: a taken port is found before the handler is started.
        let reservation = reserve(setup.fixed_port.unwrap_or(0))?;
        let port = reservation.local_addr()?.port();
        let (state, states) = watch::channel(State::Starting);
        let (commands, inbox) = mpsc::unbounded_channel();
        let pid = Arc::new(AtomicU32::new(0));
        let authority = Authority::try_from(format!("{}:{port}", Ipv4Addr::LOCALHOST))
            .map_err(std::io::Error::other)?;
        let (longest_wait, stop_host) = (
            setup.initialization_timeout * WAIT_FACTOR,
            setup.stop_host.clone(),
        );
        let supervisor = Supervisor {
            setup,
            port,
            pid: pid.clone(),
            state,
            inbox,
        };
        Ok(Arc::new(Self {
            authority,
            port,
            _reservation: reservation,
            pid,
            state: states,
            commands,
            supervisor: Mutex::new(Some(tokio::spawn(supervisor.run()))),
            longest_wait,
            stop_host,
        }))
    }

    /// Where the handler listens.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The running process, if any.
    pub(crate) fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    /// Waits for a ready handler and returns the number of its start. When it takes too long, the host stops itself.
    pub(crate) async fn ready(&self) -> Result<u64, InvocationFailure> {
        if let State::Ready { life } = *self.state.borrow() {
            return Ok(life);
        }
        let mut states = self.state.clone();
        let settled = states.wait_for(|state| *state != State::Starting);
        match tokio::time::timeout(self.longest_wait, settled).await {
            Ok(Ok(state)) => match *state {
                State::Ready { life } => Ok(life),
                _ => Err(InvocationFailure::HostNotRunning),
            },
            Ok(Err(_)) => Err(InvocationFailure::HostNotRunning),
            Err(_) => {
                let reason = StopReason::NeverReady {
                    waited: self.longest_wait,
                };
                self.stop_host.send_if_modified(|stop| {
                    stop.is_none() && {
                        *stop = Some(reason);
                        true
                    }
                });
                Err(InvocationFailure::HostNotRunning)
            }
        }
    }

    /// Kills the process after a function time-out and starts it again. Later calls for the same start do nothing.
    pub(crate) fn restart_after_timeout(&self, life: u64) {
        // Without a receiver the instance is over anyway.
        let _ = self.commands.send(Command::RestartAfterTimeout { life });
    }

    /// Kills the process and waits until it is gone.
    pub(crate) async fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
        let supervisor = self
            .supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(supervisor) = supervisor
            && let Err(error) = supervisor.await
        {
            tracing::error!(%error, "the handler's supervisor broke");
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("port", &self.port)
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

/// Takes a port, a free one for 0. The same is used at every restart, so the handler must be able to bind it again at once.
///
/// The real host lets go of the port before the handler has it, and so two hosts that start together can take the same one:
/// the second then speaks to the first one's handler. Here the port stays bound, without listening, so that nobody else is
/// given it. The handler binds it all the same, with `SO_REUSEADDR`, which it needs for its restarts anyway.
pub(crate) fn reserve(port: u16) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

/// The variables that the host sets for one start. Source: `HttpWorkerProcess.cs`.
pub(crate) fn start_variables(
    port: &str,
    worker_id: &str,
    app_root: &OsStr,
) -> [(OsString, OsString); 5] {
    let variables: [(&str, &OsStr); 5] = [
        (wire::PORT_VARIABLE, port.as_ref()),
        (wire::LEGACY_PORT_VARIABLE, port.as_ref()),
        (wire::WORKER_ID_VARIABLE, worker_id.as_ref()),
        (wire::LEGACY_WORKER_ID_VARIABLE, worker_id.as_ref()),
        (wire::APP_ROOT_VARIABLE, app_root),
    ];
    variables.map(|(name, value)| (name.into(), value.into()))
}

struct Supervisor {
    setup: InstanceSetup,
    port: u16,
    pid: Arc<AtomicU32>,
    state: watch::Sender<State>,
    inbox: mpsc::UnboundedReceiver<Command>,
}

/// How one start of the process ended, as far as the next step goes.
enum LifeEnd {
    Stop,
    RestartUncounted,
    Failed {
        end: HandlerEnd,
        error_lines: Vec<String>,
    },
}

impl Supervisor {
    async fn run(mut self) {
        let mut errors: VecDeque<Timestamp> = VecDeque::new();
        let mut life = 0;
        loop {
            life += 1;
            self.state.send_replace(State::Starting);
            let counted = match self.live(life).await {
                LifeEnd::Stop => break,
                LifeEnd::RestartUncounted => false,
                LifeEnd::Failed { end, error_lines } => {
                    let now = self.setup.clock.now();
                    if errors
                        .back()
                        .is_some_and(|last| now.duration_since(*last) > ERROR_WINDOW)
                    {
                        errors.clear();
                    }
                    errors.push_back(now);
                    if errors.len() >= LAST_ERROR {
                        let reason = StopReason::HandlerFailed {
                            errors: errors.len(),
                            last: end,
                            error_lines,
                        };
                        self.setup.stop_host.send_if_modified(|stop| {
                            stop.is_none() && {
                                *stop = Some(reason);
                                true
                            }
                        });
                        break;
                    }
                    true
                }
            };
            self.emit(HostEvent::HandlerRestarting {
                instance: self.setup.name.clone(),
                counted,
            });
        }
        self.state.send_replace(State::Over);
    }

    /// One start of the process, from its birth to its end.
    async fn live(&mut self, life: u64) -> LifeEnd {
        let worker_id = guid();
        let log = OutputLog::new(
            self.setup.name.clone(),
            self.setup.sink.clone(),
            self.setup.stderr_for_errors_only,
        );
        let started = Instant::now();
        let mut process = match self.spawn(&worker_id, &log) {
            Ok(process) => process,
            Err(error) => {
                let end = HandlerEnd::NotStarted {
                    reason: error.to_string(),
                };
                return LifeEnd::Failed {
                    end,
                    error_lines: Vec::new(),
                };
            }
        };
        let pid = process.pid();
        self.pid.store(pid, Ordering::Relaxed);
        self.emit(HostEvent::HandlerStarted {
            instance: self.setup.name.clone(),
            pid,
            port: self.port,
            worker_id,
        });

        let limit = self.setup.initialization_timeout;
        let answer_limit = self
            .setup
            .function_timeout
            .map(|timeout| timeout + ANSWER_GRACE);
        let ready = readiness::wait(self.port, limit, answer_limit);
        tokio::pin!(ready);
        let (mut is_ready, mut has_exited) = (false, false);
        let (end, next) = loop {
            tokio::select! {
                status = process.wait(), if !has_exited => match end_of(status) {
                    // The host takes note of a clean exit and does nothing: later invocations fail.
                    end @ HandlerEnd::Exited { code: 0 } => {
                        has_exited = true;
                        self.ended(pid, end);
                    }
                    end @ HandlerEnd::Exited { code: INTENTIONAL_RESTART } => break (Some(end), LifeEnd::RestartUncounted),
                    end => break (Some(end.clone()), LifeEnd::Failed { end, error_lines: Vec::new() }),
                },
                answered = &mut ready, if !is_ready => if answered {
                    is_ready = true;
                    self.emit(HostEvent::HandlerReady { instance: self.setup.name.clone(), pid, after: started.elapsed() });
                    self.state.send_replace(State::Ready { life });
                } else {
                    let end = HandlerEnd::NotReady { within: limit };
                    break (Some(end.clone()), LifeEnd::Failed { end, error_lines: Vec::new() });
                },
                command = self.inbox.recv() => match command {
                    Some(Command::RestartAfterTimeout { life: of }) if of == life => {
                        break (Some(HandlerEnd::TimedOut), LifeEnd::RestartUncounted);
                    }
                    // Asked for by an invocation of an earlier start.
                    Some(Command::RestartAfterTimeout { .. }) => {}
                    Some(Command::Stop) | None => break (Some(HandlerEnd::HostStopped), LifeEnd::Stop),
                },
            }
        };
        self.state.send_replace(State::Starting);
        process.kill().await;
        if let Some(end) = end.filter(|_| !has_exited) {
            self.ended(pid, end);
        }
        match next {
            LifeEnd::Failed { end, .. } => LifeEnd::Failed {
                end,
                error_lines: log.last_errors(),
            },
            next => next,
        }
    }

    fn spawn(&self, worker_id: &str, log: &OutputLog) -> std::io::Result<Process> {
        let own = start_variables(&self.port.to_string(), worker_id, &self.setup.app_root);
        let arguments = self.setup.launch.arguments(&self.setup.settings.with(&own));
        let environment: Vec<_> = self.setup.environment.iter().cloned().chain(own).collect();
        Process::spawn(
            &self.setup.launch.executable,
            &arguments,
            &self.setup.launch.working_directory,
            &environment,
            log,
        )
    }

    fn ended(&self, pid: u32, end: HandlerEnd) {
        self.pid.store(0, Ordering::Relaxed);
        self.emit(HostEvent::HandlerEnded {
            instance: self.setup.name.clone(),
            pid,
            end,
        });
    }

    fn emit(&self, event: HostEvent) {
        self.setup.sink.event(event);
    }
}

fn end_of(status: std::io::Result<ExitStatus>) -> HandlerEnd {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => HandlerEnd::Exited { code },
            (None, signal) => HandlerEnd::Signalled {
                signal: signal.unwrap_or_default(),
            },
        },
        Err(error) => HandlerEnd::NotStarted {
            reason: error.to_string(),
        },
    }
}
