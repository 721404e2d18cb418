//! How the handler starts, answers the probe and ends (lines 31, 32, 45).

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use http::{Method, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::app::App;
use super::check::Check;
use super::session::{End, Session, ended};
use super::{Finding, Verdict};
use crate::event::OutputLevel;

/// How long a handler may take to end by itself.
const END: Duration = Duration::from_secs(30);
/// Not a text: some servers take one for the path of a socket.
const NO_PORT: &str = "65536";
/// The host takes this exit code for the wish to be started again.
const RESTART: i32 = 200;

/// The rule of line 31.
pub(super) const LISTENS: &str = "listens on 127.0.0.1 at FUNCTIONS_CUSTOMHANDLER_PORT, or ends with an error and a line that says why";

/// Line 31, for a handler that does answer on its port.
pub(super) async fn listens_where_told(app: &App) -> Finding {
    let mut check = Check::new(31, LISTENS);
    let no_port = refuses(app, NO_PORT).await;
    check.expect(&format!("with the port {NO_PORT}, which is none"), no_port);
    match TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|taken| Ok((taken.local_addr()?.port(), taken)))
    {
        Ok((port, _taken)) => {
            let refused = refuses(app, &port.to_string()).await;
            check.expect("with a port that somebody else has", refused);
        }
        Err(error) => check.remark(format!("no port could be taken: {error}")),
    }
    check.done()
}

/// The handler must end by itself, with a code that the host takes for an error, and say why.
async fn refuses(app: &App, port: &str) -> Result<(), String> {
    let (mut process, output) = app.spawn(port)?;
    let end = ended(
        &mut process,
        app.config.handler.initialization_timeout.min(END),
    )
    .await;
    process.kill().await;
    match end {
        None => return Err("it keeps running: end with an exit code other than 0 and 200".into()),
        Some(End::Exit(0)) => {
            return Err(
                "it ends with exit code 0, after which the host never starts it again".into(),
            );
        }
        Some(End::Exit(RESTART)) => {
            return Err("it ends with exit code 200, which asks for a restart without end".into());
        }
        Some(_) => {}
    }
    let is_error = |(level, _): &(OutputLevel, String)| *level != OutputLevel::Information;
    if !output.lines().iter().any(is_error) {
        return Err("it ends without a line on standard error that says why".into());
    }
    Ok(())
}

/// Line 32. What else runs meanwhile is line 39.
pub(super) async fn answers_the_probe(session: &Session) -> Finding {
    let mut check = Check::new(32, "answers GET / from its start, always the same way");
    check.remark(format!(
        "first answer {} ms after the start",
        session.ready_after.as_millis()
    ));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        match session
            .request(Method::GET, "/", &[], bytes::Bytes::new())
            .await
        {
            Ok(answer) => statuses.push(answer.status.as_u16()),
            Err(reason) => check.problem(reason),
        }
    }
    statuses.dedup();
    if statuses.len() > 1 {
        check.problem(format!("the statuses differ: {statuses:?}"));
    }
    check.done()
}

/// Line 45: a request whose body is half sent is in flight when SIGTERM comes.
pub(super) async fn drains(app: &App) -> Finding {
    const RULE: &str = "SIGTERM, which other hosts send: it finishes what it has begun and ends";
    let mut session = match app.start().await {
        Ok(session) => session,
        Err(reason) => {
            return Finding {
                line: 45,
                rule: RULE,
                verdict: Verdict::Failed,
                notes: vec![reason],
            };
        }
    };
    let mut check = Check::advice(45, RULE);
    let drained = drain(app, &session).await;
    check.expect("a request in flight", drained);
    if session.ended(END).await.is_none() {
        check.problem(format!("it still runs {} s after SIGTERM", END.as_secs()));
    }
    session.kill().await;
    check.done()
}

async fn drain(app: &App, session: &Session) -> Result<(), String> {
    let function = &app.functions[0].name;
    let broken = |error: std::io::Error| format!("the connection broke: {error}");
    let body = b"{\"Data\":{},\"Metadata\":{}}";
    let head = format!(
        "POST /{function} HTTP/1.1\r\n{}: 127.0.0.1\r\n{}: application/json\r\n{}: {}\r\n\r\n",
        header::HOST,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        body.len()
    );
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, session.port))
        .await
        .map_err(broken)?;
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    stream.write_all(&body[..5]).await.map_err(broken)?;
    // There is no sign that a server has read the head; this is plenty.
    tokio::time::sleep(Duration::from_millis(300)).await;
    session.terminate()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream.write_all(&body[5..]).await.map_err(broken)?;
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(app.patience, stream.read_exact(&mut answer)).await;
    match read {
        Err(_) => Err("no answer".to_owned()),
        Ok(Err(_)) => Err("the connection was broken before the answer".to_owned()),
        Ok(Ok(_)) if answer.starts_with(b"HTTP/1.1 ") => Ok(()),
        Ok(Ok(_)) => Err("the answer is no HTTP".to_owned()),
    }
}
