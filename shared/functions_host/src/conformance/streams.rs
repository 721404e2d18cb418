//! Requests that should not come, and the lines that the handler writes (lines 43 and 40).

use bytes::Bytes;
use http::Method;

use super::Finding;
use super::app::App;
use super::check::Check;
use super::sample::{HttpSample, Samples};
use super::session::Session;
use crate::event::OutputLevel;
use crate::identity::guid;
use crate::options::EnvelopeFraming;

/// Line 43.
pub(super) async fn strays(app: &App, session: &Session) -> Finding {
    let mut check = Check::advice(
        43,
        "an unknown function is 404, a wrong method 405, a malformed envelope 400",
    );
    let stray = format!("nobody-{}", guid());
    let envelope = Bytes::from_static(b"{\"Data\":{},\"Metadata\":{}}");
    let unknown = session
        .invoke(&stray, envelope, EnvelopeFraming::Chunked)
        .await;
    let is_stuck = unknown.is_err();
    check.expect("an unknown function", status_is(unknown, 404));
    if is_stuck {
        return check.done();
    }
    for function in app.events() {
        let path = format!("/{}", function.name);
        let got = session.request(Method::GET, &path, &[], Bytes::new()).await;
        check.expect(&format!("GET {path}"), status_is(got, 405));
        for body in ["", "{", "[]", "\"text\"", "{\"Data\":7}"] {
            let answer = session
                .invoke(
                    &function.name,
                    Bytes::from_static(body.as_bytes()),
                    EnvelopeFraming::ContentLength,
                )
                .await;
            check.expect(
                &format!("POST {path} with the body {body:?}"),
                status_is(answer, 400),
            );
        }
    }
    check.done()
}

fn status_is(answer: Result<crate::client::Received, String>, wanted: u16) -> Result<(), String> {
    match answer?.status.as_u16() {
        got if got == wanted => Ok(()),
        got => Err(format!("the answer is {got} instead of {wanted}")),
    }
}

/// Line 40: looks at everything written in the session, after requests whose secrets can be told apart.
pub(super) async fn lines(app: &App, samples: &Samples, session: Session) -> Finding {
    let mut check = Check::new(
        40,
        "logs on standard output; standard error is for errors; no keys, cookies or bodies in either",
    );
    let (key, code, cookie, body) = (guid(), guid(), guid(), guid());
    let secrets = [
        ("the header x-functions-key", &key),
        ("the query's code", &code),
        ("a cookie", &cookie),
        ("a body", &body),
    ];
    for function in app.https() {
        let Some(http) = function.http() else {
            continue;
        };
        let sample = samples.request(app, function, http);
        let mark = if sample.path.contains('?') { '&' } else { '?' };
        let mut headers = sample.headers.clone();
        headers.push(("x-functions-key".into(), key.clone()));
        headers.push(("cookie".into(), format!("session={cookie}")));
        let marked = HttpSample {
            path: format!("{}{mark}code={code}", sample.path),
            headers,
            body: format!("{{\"unknown\":\"{body}\"}}").into(),
            ..sample
        };
        // Whatever the answer is: what matters is what is written.
        let _ = session
            .request(marked.method, &marked.path, &marked.headers, marked.body)
            .await;
    }
    let output = session.kill().await;
    for (level, line) in output.lines() {
        for (what, secret) in &secrets {
            if line.contains(secret.as_str()) {
                check.problem(format!("{what} is in the line: {}", shortened(&line)));
            }
        }
        if matches!(level, OutputLevel::Warning | OutputLevel::Error) {
            check.problem(format!(
                "a line on standard error, which becomes {level:?} in the log: {}",
                shortened(&line)
            ));
        }
    }
    check.done()
}

fn shortened(line: &str) -> String {
    const LONGEST: usize = 160;
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}
