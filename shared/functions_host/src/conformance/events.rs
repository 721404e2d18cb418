//! Invocations that come in envelopes: timers, blobs and the like (lines 33 to 39).

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::Finding;
use super::app::App;
use super::check::Check;
use super::sample::Samples;
use super::session::{Session, judge};
use crate::client::Received;
use crate::function::{Function, Trigger};
use crate::options::EnvelopeFraming;

/// A probe that takes longer than this while a function works was held up by it.
const HELD_UP: Duration = Duration::from_secs(5);
/// A kill comes so long after an invocation was sent.
const KILL_AFTER: [Duration; 3] = [
    Duration::from_millis(1),
    Duration::from_millis(20),
    Duration::from_millis(150),
];

const RULES: [(u8, &str); 7] = [
    (
        33,
        "takes envelopes chunked or with a length, single- or double-encoded, with unknown members, and large ones",
    ),
    (
        34,
        "a success is status 200, application/json and an object, its outputs declared",
    ),
    (
        35,
        "input that can never be right is a success with a record, so that it is not sent again",
    ),
    (36, "the same event twice is answered the same way"),
    (
        37,
        "killed in the middle of an invocation and started again, it answers the same event",
    ),
    (38, "an invocation ends before functionTimeout"),
    (39, "GET / is answered while a function works"),
];

/// What a function said to its sample.
struct Reference {
    function: Arc<Function>,
    envelope: Bytes,
    answer: Received,
}

/// Lines 33 to 39.
///
/// The names of functions that the handler does not know go to `unserved`.
pub(super) async fn check(
    app: &App,
    samples: &Samples,
    session: &Session,
    unserved: &mut Vec<String>,
) -> Vec<Finding> {
    if app.events().next().is_none() {
        let skip = |(line, rule)| Check::skipped(line, rule, "every function answers HTTP");
        return RULES.into_iter().map(skip).collect();
    }
    let [
        mut framing,
        success,
        permanent,
        twice,
        killed,
        bounded,
        probed,
    ] = RULES.map(|(line, rule)| Check::new(line, rule));
    let (mut references, mut refused) = (Vec::new(), Vec::new());
    let (mut success, mut bounded, mut probed) = (success, bounded, probed);
    for function in app.events() {
        let envelope = samples.envelope(function);
        let begun = Instant::now();
        let answer = invoke_and_probe(session, function, &envelope, &mut probed).await;
        is_in_time(&mut bounded, app, function, begun.elapsed(), answer.is_ok());
        match answer {
            Err(reason) => refused.push(format!("{}: {reason}", function.name)),
            Ok(answer) if answer.status.is_success() => {
                success.expect(&function.name, judge(function, &answer));
                references.push(Reference {
                    function: function.clone(),
                    envelope,
                    answer,
                });
            }
            Ok(answer) => {
                // A server that knows no chunks sees an empty body.
                let sized = EnvelopeFraming::ContentLength;
                if let Ok(sized) = session
                    .invoke(&function.name, envelope.clone(), sized)
                    .await
                    && sized.status.is_success()
                {
                    framing.problem(format!(
                        "{}: with a Content-Length the sample is taken, in chunks it is refused with {}: Azure's host sends chunks",
                        function.name,
                        answer.status.as_u16()
                    ));
                    references.push(Reference {
                        function: function.clone(),
                        envelope,
                        answer: sized,
                    });
                    continue;
                }
                if answer.status == StatusCode::NOT_FOUND {
                    unserved.push(function.name.to_string());
                }
                refused.push(format!(
                    "{} refused the sample with {}: give one that it takes (--samples)",
                    function.name,
                    answer.status.as_u16()
                ));
            }
        }
    }
    let permanent = permanent_faults(permanent, app, samples, session).await;
    if references.is_empty() {
        // Nothing can be said of successes when there is none.
        let untried = |at: usize| Finding {
            notes: refused.clone(),
            ..Check::skipped(RULES[at].0, RULES[at].1, "")
        };
        return vec![
            untried(0),
            untried(1),
            permanent,
            untried(3),
            untried(4),
            bounded.done(),
            probed.done(),
        ];
    }
    for reason in refused {
        success.remark(reason);
    }
    vec![
        framings(framing, app, session, &references).await,
        success.done(),
        permanent,
        repeated(twice, session, &references).await,
        kills(killed, app, &references).await,
        bounded.done(),
        probed.done(),
    ]
}

/// Line 38.
fn is_in_time(
    check: &mut Check,
    app: &App,
    function: &Function,
    took: Duration,
    is_answered: bool,
) {
    let name = &function.name;
    match app.config.function_timeout {
        Some(limit) if took > limit => check.problem(format!(
            "{name} took {} ms, longer than functionTimeout, {} ms: the host kills the handler and all that is in flight",
            took.as_millis(),
            limit.as_millis()
        )),
        _ if !is_answered => check.remark(format!(
            "{name} was not answered within {} s; functionTimeout is longer (--patience)",
            took.as_secs()
        )),
        _ => {}
    }
}

/// Invokes, and asks `GET /` all the while.
async fn invoke_and_probe(
    session: &Session,
    function: &Function,
    envelope: &Bytes,
    probed: &mut Check,
) -> Result<Received, String> {
    let begun = Instant::now();
    let invocation = session.invoke(&function.name, envelope.clone(), EnvelopeFraming::Chunked);
    // The last probe is waited for: a connection that is dropped half-way would look like a fault of the handler's.
    let is_over = Cell::new(false);
    let invocation = async {
        let answer = invocation.await;
        is_over.set(true);
        answer
    };
    let probes = async {
        let mut longest = Duration::ZERO;
        while !is_over.get() && longest <= HELD_UP {
            longest = longest.max(session.probe().await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest
    };
    let (answer, longest) = tokio::join!(invocation, probes);
    if longest > HELD_UP {
        probed.problem(format!(
            "{}: GET / took {} ms while it worked: keep long work off the threads that serve",
            function.name,
            longest.as_millis()
        ));
    }
    probed.remark(format!(
        "{} worked {} ms",
        function.name,
        begun.elapsed().as_millis()
    ));
    answer
}

/// Line 33.
async fn framings(
    mut check: Check,
    app: &App,
    session: &Session,
    references: &[Reference],
) -> Finding {
    for reference in references {
        let name = &reference.function.name;
        let variants = [
            (
                "with a Content-Length",
                EnvelopeFraming::ContentLength,
                Some(reference.envelope.clone()),
            ),
            (
                "single-encoded",
                EnvelopeFraming::Chunked,
                single_encoded(&reference.envelope),
            ),
            (
                "with unknown members",
                EnvelopeFraming::Chunked,
                with_unknown_members(&reference.envelope),
            ),
        ];
        for (what, framing, envelope) in variants {
            let Some(envelope) = envelope else { continue };
            let answer = session.invoke(name, envelope, framing).await;
            let same = answer.and_then(|answer| same_status(reference, &answer));
            check.expect(&format!("{name}, {what}"), same);
        }
        if let Trigger::Blob(blob) = &reference.function.trigger
            && let Some(envelope) =
                inflated(&reference.envelope, &blob.binding, app.largest_envelope)
        {
            for framing in [EnvelopeFraming::Chunked, EnvelopeFraming::ContentLength] {
                let answer = session.invoke(name, envelope.clone(), framing).await;
                let taken = answer.and_then(|answer| match answer.status.as_u16() {
                    413 => {
                        Err("it is refused with 413: raise the limit of request bodies".to_owned())
                    }
                    _ => judge(&reference.function, &answer),
                });
                check.expect(
                    &format!("{name}, an envelope of {} bytes", envelope.len()),
                    taken,
                );
            }
        }
    }
    check.done()
}

fn same_status(reference: &Reference, answer: &Received) -> Result<(), String> {
    let (wanted, got) = (reference.answer.status.as_u16(), answer.status.as_u16());
    if wanted != got {
        return Err(format!(
            "the answer is {got}; to the plain sample it was {wanted}"
        ));
    }
    judge(&reference.function, answer)
}

/// The metadata without the second encoding, as Microsoft's documentation shows it.
fn single_encoded(envelope: &Bytes) -> Option<Bytes> {
    let mut root: Value = serde_json::from_slice(envelope).ok()?;
    for value in root["Metadata"].as_object_mut()?.values_mut() {
        if let Value::String(text) = value
            && let Ok(inner) = serde_json::from_str::<Value>(text)
        {
            *value = inner;
        }
    }
    Some(root.to_string().into())
}

fn with_unknown_members(envelope: &Bytes) -> Option<Bytes> {
    let mut root: Value = serde_json::from_slice(envelope).ok()?;
    root["New"] = json!({ "a": [1, null] });
    root["Metadata"]["NewToo"] = json!("\"b\"");
    Some(root.to_string().into())
}

/// The envelope with a content that fills it up.
fn inflated(envelope: &Bytes, binding: &str, size: usize) -> Option<Bytes> {
    let mut root: Value = serde_json::from_slice(envelope).ok()?;
    root["Data"][binding] = Value::String(String::new());
    let frame = root.to_string();
    let marker = format!("{}:\"", json!(binding));
    let at = frame.find(&marker)? + marker.len();
    let mut body = String::with_capacity(size.max(frame.len()));
    body.push_str(&frame[..at]);
    body.extend(std::iter::repeat_n(
        "QUJD",
        size.saturating_sub(frame.len()) / 4,
    ));
    body.push_str(&frame[at..]);
    Some(body.into())
}

/// Line 35.
async fn permanent_faults(
    mut check: Check,
    app: &App,
    samples: &Samples,
    session: &Session,
) -> Finding {
    let bad: Vec<_> = app
        .events()
        .filter_map(|function| Some((function, samples.bad_envelope(function)?)))
        .collect();
    if bad.is_empty() {
        let (line, rule) = RULES[2];
        return Check::skipped(
            line,
            rule,
            "only you know what is wrong for good: give {function}.bad.json (--samples)",
        );
    }
    for (function, envelope) in bad {
        let answer = session
            .invoke(&function.name, envelope, EnvelopeFraming::Chunked)
            .await;
        let accepted = answer.and_then(|answer| {
            if answer.status.is_success() {
                judge(function, &answer)
            } else {
                Err(format!(
                    "the answer is {}: the host would send it again, for nothing",
                    answer.status.as_u16()
                ))
            }
        });
        check.expect(&function.name, accepted);
    }
    check.done()
}

/// Line 36.
async fn repeated(mut check: Check, session: &Session, references: &[Reference]) -> Finding {
    for reference in references {
        let name = &reference.function.name;
        let (one, other) = tokio::join!(
            session.invoke(name, reference.envelope.clone(), EnvelopeFraming::Chunked),
            session.invoke(name, reference.envelope.clone(), EnvelopeFraming::Chunked),
        );
        for answer in [one, other] {
            let same = answer.and_then(|answer| same_status(reference, &answer));
            check.expect(&format!("{name}, again and twice at once"), same);
        }
    }
    check.done()
}

/// Line 37.
async fn kills(mut check: Check, app: &App, references: &[Reference]) -> Finding {
    for reference in references {
        for after in KILL_AFTER {
            let recovered = kill_once(app, reference, after).await;
            check.expect(
                &format!(
                    "{}, killed after {} ms",
                    reference.function.name,
                    after.as_millis()
                ),
                recovered,
            );
        }
    }
    check.done()
}

async fn kill_once(app: &App, reference: &Reference, after: Duration) -> Result<(), String> {
    let (name, envelope) = (&reference.function.name, &reference.envelope);
    let session = app.start().await?;
    let invocation = session.invoke(name, envelope.clone(), EnvelopeFraming::Chunked);
    // Answered in time or not: both are right.
    let _ = tokio::time::timeout(after, invocation).await;
    session.kill().await;
    let session = app.start().await?;
    let answer = session
        .invoke(name, envelope.clone(), EnvelopeFraming::Chunked)
        .await;
    session.kill().await;
    same_status(reference, &answer?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_can_be_single_encoded_and_inflated() {
        let envelope = Bytes::from(
            r#"{"Data":{"blob":"QQ=="},"Metadata":{"name":"\"a\"","n":"1","o":{"x":1}}}"#,
        );
        let single: Value = serde_json::from_slice(&single_encoded(&envelope).unwrap()).unwrap();
        assert_eq!(
            single["Metadata"],
            json!({ "name": "a", "n": 1, "o": { "x": 1 } })
        );
        let large = inflated(&envelope, "blob", 1_000).unwrap();
        assert!(large.len() > 1_000 - 8 && large.len() <= 1_000);
        let large: Value = serde_json::from_slice(&large).unwrap();
        assert!(
            large["Data"]["blob"]
                .as_str()
                .unwrap()
                .starts_with("QUJDQUJD")
        );
        assert_eq!(large["Metadata"]["o"], json!({ "x": 1 }));
    }
}
