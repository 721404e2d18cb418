//! Bodies of `POST /api/feedback`, through the real function: refused with a reason, or taken.

#![no_main]

use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::answer::{Answer, post, post_in_pieces};
use sluice_fuzz::product::{known_prediction, router, runtime};

fuzz_target!(|body: &[u8]| {
    runtime().block_on(async {
        let router = router().await;
        let answer = Answer::of(&router, post("/api/feedback", body)).await;
        match answer.status {
            StatusCode::OK => check_accepted(&answer),
            StatusCode::NOT_FOUND => assert_eq!(answer.code(), "unknown_prediction"),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {}
            status => panic!("{status}: {}", answer.body),
        }
        let in_pieces = post_in_pieces("/api/feedback", body, body.len() % 7 + 1);
        assert_eq!(answer, Answer::of(&router, in_pieces).await);
    });
});

fn check_accepted(answer: &Answer) {
    let taken = answer.body["feedback"].as_array().expect("a list");
    assert_eq!(answer.body["accepted"], taken.len());
    let id = known_prediction().to_string();
    for item in taken {
        assert_eq!(item["id"], *id);
        assert!(item["label"] == "other" || item["label"] == "disaster");
    }
}
