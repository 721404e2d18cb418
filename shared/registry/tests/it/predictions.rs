//! The prediction log and the feedback log.

use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sluice_registry::{
    FeedbackRecord, InstanceId, PredictionRecord, Registry, RequestId, RequestIds, paths,
};
use sluice_storage::Container;

use crate::fixtures::{any_dataset, card, memory, now, prediction, registry};

async fn window(registry: &Registry, from: Timestamp, to: Timestamp) -> Vec<String> {
    let records: Vec<PredictionRecord> = registry
        .predictions()
        .window(from, to)
        .try_collect()
        .await
        .unwrap();
    records.into_iter().map(|record| record.id).collect()
}

#[tokio::test]
async fn a_prediction_is_found_by_its_id_alone() {
    let registry = registry(&memory(), "w");
    let model = card(1, any_dataset());
    let ids = RequestIds::new(InstanceId::from_bits(7));
    // Requests fill more than one segment.
    let requests: Vec<RequestId> = (0..5_000).map(|_| ids.next(now())).collect();
    let records: Vec<_> = requests
        .iter()
        .map(|request| prediction(request.input(0), now(), &model, 1))
        .collect();
    registry.predictions().append(&records).await.unwrap();
    assert_eq!(
        registry
            .predictions()
            .find(&requests[4_999].input(0))
            .await
            .unwrap()
            .as_ref(),
        Some(&records[4_999])
    );
    assert_eq!(
        registry
            .predictions()
            .find(&requests[3].input(0))
            .await
            .unwrap()
            .as_ref(),
        Some(&records[3])
    );
    assert_eq!(
        registry
            .predictions()
            .find(&requests[3].input(1))
            .await
            .unwrap(),
        None
    );
    let elsewhere = RequestId::new(now(), InstanceId::from_bits(8), 3).input(0);
    assert_eq!(registry.predictions().find(&elsewhere).await.unwrap(), None);
}

#[tokio::test]
async fn many_predictions_are_found_in_the_order_of_asking() {
    let registry = registry(&memory(), "w");
    let model = card(1, any_dataset());
    let ids = RequestIds::new(InstanceId::from_bits(7));
    let requests: Vec<RequestId> = (0..5_000).map(|_| ids.next(now())).collect();
    let records: Vec<_> = requests
        .iter()
        .map(|request| prediction(request.input(0), now(), &model, 1))
        .collect();
    registry.predictions().append(&records).await.unwrap();
    let asked = [4_999, 3, 3].map(|n: usize| requests[n].input(0));
    let unknown = requests[0].input(9);
    let found = registry
        .predictions()
        .find_many(&[asked[0], unknown, asked[1], asked[2]])
        .await
        .unwrap();
    let expected = [
        Some(&records[4_999]),
        None,
        Some(&records[3]),
        Some(&records[3]),
    ];
    assert_eq!(
        found.iter().map(Option::as_ref).collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn a_shadow_has_a_record_of_its_own_and_never_hides_the_answer() {
    let registry = registry(&memory(), "w");
    let model = card(1, any_dataset());
    let id = RequestIds::new(InstanceId::from_bits(7))
        .next(now())
        .input(0);
    let answer = prediction(id, now(), &model, 1);
    let mut shadow = answer.clone();
    shadow.variant = "shadow".into();
    registry
        .predictions()
        .append(std::slice::from_ref(&shadow))
        .await
        .unwrap();
    assert_eq!(
        registry.predictions().find(&id).await.unwrap(),
        Some(shadow)
    );
    registry
        .predictions()
        .append(std::slice::from_ref(&answer))
        .await
        .unwrap();
    assert_eq!(
        registry.predictions().find(&id).await.unwrap(),
        Some(answer)
    );
    let hour = SignedDuration::from_hours(1);
    assert_eq!(window(&registry, now() - hour, now() + hour).await.len(), 2);
}

#[tokio::test]
async fn a_window_holds_what_was_answered_in_it() {
    let registry = registry(&memory(), "w");
    let model = card(1, any_dataset());
    let ids = RequestIds::new(InstanceId::from_bits(7));
    let minute = |n: i64| now() + SignedDuration::from_mins(n);
    let mut expected = Vec::new();
    for n in 0..180 {
        // Answered five minutes after the request: some in the next hour.
        let id = ids.next(minute(n)).input(0);
        registry
            .predictions()
            .append(&[prediction(id, minute(n + 5), &model, 1)])
            .await
            .unwrap();
        if (60..=120).contains(&(n + 5)) {
            expected.push(id.to_string());
        }
    }
    let next = minute(120) + SignedDuration::from_secs(1);
    assert_eq!(window(&registry, minute(60), next).await, expected);
    assert_eq!(
        window(&registry, minute(60), minute(60)).await,
        Vec::<String>::new()
    );
    // Long windows list by day, very long ones everything: the same records.
    let days = |n: i64| SignedDuration::from_hours(24 * n);
    assert_eq!(
        window(&registry, now() - days(3), now() + days(3))
            .await
            .len(),
        180
    );
    assert_eq!(
        window(&registry, now() - days(800), now() + days(800))
            .await
            .len(),
        180
    );
    assert_eq!(
        window(&registry, minute(60), minute(60) + days(30))
            .await
            .len(),
        125
    );
}

#[tokio::test]
async fn torn_foreign_and_repeated_lines_are_left_out() {
    let store = memory();
    let registry = registry(&store, "w");
    let model = card(1, any_dataset());
    let ids = RequestIds::new(InstanceId::from_bits(7));
    let (one, two) = (ids.next(now()).input(0), ids.next(now()).input(0));
    let records = [
        prediction(one, now(), &model, 1),
        prediction(two, now(), &model, 1),
    ];
    registry.predictions().append(&records).await.unwrap();
    // An append whose answer was lost is repeated by its caller.
    registry.predictions().append(&records).await.unwrap();
    let path = paths::prediction_log(&one);
    let torn = format!("not a record\n{{\"id\":\"{one}\",\"at\"");
    store
        .append(Container::Predictions, &path, torn.into(), None)
        .await
        .unwrap();
    let hour = SignedDuration::from_hours(1);
    assert_eq!(
        window(&registry, now() - hour, now() + hour).await,
        [one.to_string(), two.to_string()]
    );
    assert_eq!(
        registry.predictions().find(&one).await.unwrap().as_ref(),
        Some(&records[0])
    );
}

#[tokio::test]
async fn a_record_needs_a_real_id() {
    let registry = registry(&memory(), "w");
    let id = RequestIds::new(InstanceId::from_bits(7))
        .next(now())
        .input(0);
    let mut record = prediction(id, now(), &card(1, any_dataset()), 1);
    record.id = "../../releases/current".into();
    let error = registry.predictions().append(&[record]).await.unwrap_err();
    assert!(
        error.to_string().contains("is not a prediction's id"),
        "{error}"
    );
}

#[tokio::test]
async fn feedback_is_read_by_the_time_it_came() {
    let registry = registry(&memory(), "w");
    let instance = InstanceId::from_bits(7);
    let minute = |n: i64| now() + SignedDuration::from_mins(n);
    for n in 0..90 {
        let record = FeedbackRecord {
            id: format!("{n}"),
            label: "disaster".into(),
            at: minute(n),
        };
        registry
            .predictions()
            .append_feedback(instance, &[record])
            .await
            .unwrap();
    }
    let read: Vec<_> = registry
        .predictions()
        .feedback(minute(30), minute(70))
        .try_collect()
        .await
        .unwrap();
    let ids: Vec<_> = read
        .iter()
        .map(|record: &FeedbackRecord| record.id.parse::<i64>().unwrap())
        .collect();
    assert_eq!(ids, (30..70).collect::<Vec<_>>());
}
