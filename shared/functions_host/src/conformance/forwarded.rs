//! HTTP functions: forwarded requests, and the same in an envelope (lines 41 and 42).

use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::Finding;
use super::app::App;
use super::check::Check;
use super::sample::{HttpSample, Samples, enveloped};
use super::session::{Session, judge};
use crate::client::Received;
use crate::function::{Function, HttpTrigger};
use crate::options::EnvelopeFraming;

const FORWARDED: (u8, &str) = (
    41,
    "forwarded requests: statuses and Content-Type of its own, 4xx for a caller's mistake, whatever the Host header and `code`",
);
const ENVELOPED: (u8, &str) = (
    42,
    "the same request in an envelope, as after a change of host.json, is answered correctly or with a clear error",
);

/// Lines 41 and 42.
pub(super) async fn check(app: &App, samples: &Samples, session: &Session) -> [Finding; 2] {
    if app.https().next().is_none() {
        return [FORWARDED, ENVELOPED]
            .map(|(line, rule)| Check::skipped(line, rule, "no function answers HTTP"));
    }
    let [mut raw, mut packed] = [FORWARDED, ENVELOPED].map(|(line, rule)| Check::new(line, rule));
    let mut any_forwarded = false;
    for function in app.https() {
        let Some(http) = function.http() else {
            continue;
        };
        let sample = samples.request(app, function, http);
        let mut status = None;
        let is_forwarded = app.is_forwarded(function);
        if is_forwarded {
            any_forwarded = true;
            let bad = samples.bad_request(app, function, http);
            status = forward(&mut raw, session, function, &sample, &bad).await;
        } else {
            raw.remark(format!("{} is not forwarded", function.name));
        }
        let mut answered = envelop(session, function, http, &sample, status).await;
        if let (Ok(Some(refusal)), false) = (&answered, is_forwarded) {
            answered = Err(format!(
                "the answer is {refusal}, and this app gets HTTP in envelopes only: serve POST /{}, or set enableForwardingHttpRequest and enableProxyingHttpRequest in host.json",
                function.name
            ));
        }
        let answered = answered.map(drop);
        packed.expect(&function.name, answered);
    }
    let raw = if any_forwarded {
        raw.done()
    } else {
        Check::skipped(FORWARDED.0, FORWARDED.1, "no function is forwarded")
    };
    [raw, packed.done()]
}

/// Sends a sample in three guises and a caller's mistake; gives the status of the plain sample.
async fn forward(
    check: &mut Check,
    session: &Session,
    function: &Function,
    sample: &HttpSample,
    bad: &HttpSample,
) -> Option<u16> {
    let name = &function.name;
    let plain = match send(session, sample, &[]).await {
        Ok(answer) => answer,
        Err(reason) => {
            check.problem(format!("{name}: {reason}"));
            return None;
        }
    };
    let status = plain.status.as_u16();
    if status == 404 {
        check.problem(format!(
            "{name}: {} {} is 404: the handler must serve the path with its prefix; if it does, give a sample that it finds (--samples)",
            sample.method, sample.path
        ));
        return None;
    }
    check.remark(format!(
        "{name}: {} {} is {status}",
        sample.method, sample.path
    ));
    check.expect(&format!("{name}, its {status}"), is_described(&plain));

    let public = [("host".to_owned(), "example.azurewebsites.net".to_owned())];
    let with_code = HttpSample {
        path: with_query(&sample.path, "code=abc"),
        ..sample.clone()
    };
    for (what, answer) in [
        (
            "with the Host of the public site",
            send(session, sample, &public).await,
        ),
        ("with ?code=…", send(session, &with_code, &[]).await),
    ] {
        let same = answer.and_then(|answer| match answer.status.as_u16() {
            got if got == status => Ok(()),
            got => Err(format!("the answer is {got} instead of {status}")),
        });
        check.expect(&format!("{name}, {what}"), same);
    }

    let refused = send(session, bad, &[]).await.and_then(|answer| {
        if answer.status.is_server_error() {
            return Err(format!(
                "the answer is {}: a caller's mistake must be 4xx",
                answer.status.as_u16()
            ));
        }
        is_described(&answer)
    });
    check.expect(&format!("{name}, a request that makes no sense"), refused);
    Some(status)
}

async fn send(
    session: &Session,
    sample: &HttpSample,
    more: &[(String, String)],
) -> Result<Received, String> {
    let headers = [sample.headers.as_slice(), more].concat();
    session
        .request(
            sample.method.clone(),
            &sample.path,
            &headers,
            sample.body.clone(),
        )
        .await
}

fn is_described(answer: &Received) -> Result<(), String> {
    if answer.body.is_empty() || answer.headers.contains_key(CONTENT_TYPE) {
        Ok(())
    } else {
        Err("the answer has a body and no Content-Type".to_owned())
    }
}

fn with_query(path: &str, query: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{query}")
}

/// Line 42 for one function; gives the status of a refusal that says why.
async fn envelop(
    session: &Session,
    function: &Function,
    http: &HttpTrigger,
    sample: &HttpSample,
    forwarded: Option<u16>,
) -> Result<Option<u16>, String> {
    let envelope: Bytes = enveloped(http, function, sample);
    let answer = session
        .invoke(&function.name, envelope, EnvelopeFraming::Chunked)
        .await?;
    if !answer.status.is_success() {
        return if answer.body.is_empty() {
            Err(format!(
                "the answer is {} without a word",
                answer.status.as_u16()
            ))
        } else {
            Ok(Some(answer.status.as_u16()))
        };
    }
    judge(function, &answer)?;
    let outcome = crate::outcome::read(
        answer.status,
        &answer.headers,
        &answer.body,
        &function.outputs,
    );
    let packed = outcome.result.map_err(|reason| reason.to_string())?.http;
    match forwarded {
        Some(status) if packed.status.as_u16() != status => Err(format!(
            "its http output says {}; forwarded it was {status}",
            packed.status.as_u16()
        )),
        _ => Ok(None),
    }
}
