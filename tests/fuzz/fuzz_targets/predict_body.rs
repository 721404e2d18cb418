//! Bodies of `POST /api/predict`, through the real function: refused with a reason, or understood. Nothing was released,
//! so what is understood is answered with `no_champion`.

#![no_main]

use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::answer::{Answer, post, post_in_pieces};
use sluice_fuzz::product::{router, runtime};

fuzz_target!(|body: &[u8]| {
    runtime().block_on(async {
        let router = router().await;
        let answer = Answer::of(&router, post("/api/predict", body)).await;
        match answer.status {
            StatusCode::BAD_REQUEST => {}
            StatusCode::SERVICE_UNAVAILABLE => assert_eq!(answer.code(), "no_champion"),
            status => panic!("{status}: {}", answer.body),
        }
        let in_pieces = post_in_pieces("/api/predict", body, body.len() % 7 + 1);
        assert_eq!(answer, Answer::of(&router, in_pieces).await);
    });
});
