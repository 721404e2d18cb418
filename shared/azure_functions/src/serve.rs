//! Listening where the host expects it, and stopping in good order.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use crate::wire::{LEGACY_PORT_VARIABLE, LISTEN_ADDRESS, PORT_VARIABLE};
use crate::{App, Error};

/// Connections that may wait to be accepted. A host that starts holds invocations back and then sends them all.
const BACKLOG: u32 = 1024;

/// How long [`serve`] lets running invocations finish.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// The port that the host assigned, from its variables.
///
/// # Errors
/// [`Error::PortMissing`] and [`Error::PortInvalid`]: end the process with a code other than 0 and 200. After 0 the
/// host never starts it again; 200 asks for a restart without end.
pub fn port_from(lookup: impl Fn(&str) -> Option<String>) -> Result<u16, Error> {
    let found = [PORT_VARIABLE, LEGACY_PORT_VARIABLE]
        .into_iter()
        .find_map(|variable| lookup(variable).map(|value| (variable, value)));
    let (variable, value) = found.ok_or(Error::PortMissing)?;
    match value.trim().parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(Error::PortInvalid { variable, value }),
    }
}

/// A bound socket.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on 127.0.0.1. Port 0 takes a free one.
    ///
    /// The host starts a crashed handler again on the same port at once, so the address may be reused while old
    /// connections linger.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub fn bind(port: u16) -> Result<Self, Error> {
        Self::bind_to(LISTEN_ADDRESS, port)
    }

    /// As [`Server::bind`], on another address, for instance 0.0.0.0 in a container.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub fn bind_to(address: Ipv4Addr, port: u16) -> Result<Self, Error> {
        let address = SocketAddr::from((address, port));
        let listen = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        listen().map_err(|source| Error::Bind { address, source })
    }

    /// The address, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then lets running invocations finish, for `drain` at most.
    ///
    /// # Errors
    /// [`Error::Serve`], and [`Error::DrainDeadline`] when invocations were still running at the end.
    pub async fn run(
        self,
        router: Router,
        shutdown: impl Future<Output = ()> + Send + 'static,
        drain: Duration,
    ) -> Result<(), Error> {
        let listener = self.listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!("TCP_NODELAY was refused: {error}");
            }
        });
        let (told, stopping) = oneshot::channel();
        let signal = async move {
            shutdown.await;
            // Nobody listens any more only if the server has ended already.
            let _ = told.send(());
        };
        let deadline = async {
            match stopping.await {
                Ok(()) => tokio::time::sleep(drain).await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = axum::serve(listener, router).with_graceful_shutdown(signal) => {
                outcome.map_err(|source| Error::Serve { source })
            }
            () = deadline => Err(Error::DrainDeadline { after: drain }),
        }
    }
}

/// Serves an app on 127.0.0.1 until `shutdown` completes, then drains for [`DRAIN_DEADLINE`] at most.
///
/// # Errors
/// [`Error::Registration`], [`Error::Bind`], [`Error::Serve`], [`Error::DrainDeadline`].
pub async fn serve(
    app: App,
    port: u16,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let router = app.into_router()?;
    Server::bind(port)?
        .run(router, shutdown, DRAIN_DEADLINE)
        .await
}

/// Completes at SIGTERM or Ctrl-C.
///
/// Do not rely on it: the Functions host stops a handler with SIGKILL. Containers and terminals are kinder.
///
/// # Errors
/// [`Error::Serve`] when the process may not listen for signals.
pub fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static, Error> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|source| Error::Serve { source });
        let (mut terminate, mut interrupt) = (
            listen(SignalKind::terminate())?,
            listen(SignalKind::interrupt())?,
        );
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn port(variables: &[(&str, &str)]) -> Result<u16, Error> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        port_from(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_port_comes_from_either_variable_and_the_newer_wins() {
        assert_eq!(port(&[(PORT_VARIABLE, "7071")]).unwrap(), 7071);
        assert_eq!(port(&[(LEGACY_PORT_VARIABLE, "7072")]).unwrap(), 7072);
        assert_eq!(
            port(&[(LEGACY_PORT_VARIABLE, "7072"), (PORT_VARIABLE, "7071")]).unwrap(),
            7071
        );
    }

    #[test]
    fn a_bad_port_is_named() {
        assert!(matches!(port(&[]), Err(Error::PortMissing)));
        for value in ["", "0", "-1", "65536", "http"] {
            let error = port(&[(PORT_VARIABLE, value)]).unwrap_err().to_string();
            assert!(
                error.contains(PORT_VARIABLE) && error.contains(&format!("{value:?}")),
                "{error}"
            );
        }
    }
}
