//! Sample messages for a machine without data. They are synthetic, made by a few templates, and good for one thing:
//! to see the loop turn. A model that does well on them has learned the templates.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// The columns of the sample file, as the shipped `sluice.toml` names them.
pub(crate) const COLUMNS: [&str; 5] = ["created_at", "tweet_id", "event", "label", "text"];

const EVENTS: [(&str, &str, &str); 3] = [
    ("synthetic_flood", "flood", "Riverton"),
    ("synthetic_wildfire", "wildfire", "Pine Valley"),
    ("synthetic_storm", "storm", "Port Haven"),
];

const ABOUT: [&str; 14] = [
    "{hazard} in {place}: {street} is closed, {number} homes without power",
    "Evacuation order for {place} because of the {hazard}, shelter at the {building}",
    "Our thoughts are with everyone in {place} after the {hazard}",
    "Volunteers needed at the {building} in {place}, bring {item} for {hazard} victims",
    "{number} people rescued in {place} as the {hazard} gets worse",
    "Red Cross collects {item} for {place}. Please share #{tag}",
    "The {hazard} took our roof on {street}, we are safe #{tag}",
    "Mayor of {place} declares a state of emergency, {number} families displaced",
    "Does anyone know if {street} is open? The {hazard} cut us off",
    "Photos of the {hazard} damage near the {building} http://URL",
    "RT @user: {hazard} warning for {place} until {hour} tonight",
    "Water is still rising behind the {building}, stay away from {street}",
    "Praying for {place} tonight #{tag}",
    "Schools in {place} stay closed on Monday, {hazard} crews at work",
];

const OTHER: [&str; 16] = [
    "My exam was a total disaster, need {item} and sleep",
    "Best {item} ever at the {building} in {place} tonight",
    "A flood of emails on Monday, as always",
    "@user are you coming to the game at {hour}?",
    "This song is fire, listening on repeat since {hour}",
    "{number} days until the holidays, cannot wait",
    "Storming through my homework, {number} pages left",
    "Missing {place} so much, back to work tomorrow",
    "Who wants to get {item} with me on {street}?",
    "New video is up, {number} likes already http://URL",
    "I am so tired today, going to bed at {hour}",
    "RT @user: if you are reading this, have a great day",
    "Traffic on {street} is the worst, every single morning",
    "Just watched the match, {number} goals, unbelievable",
    "The power of a good book and a cup of tea",
    "Happy birthday @user, see you at the {building}!",
];

const STREETS: [&str; 6] = [
    "Main Street",
    "Route 9",
    "Mill Road",
    "Harbour Lane",
    "5th Avenue",
    "the bridge",
];
const BUILDINGS: [&str; 6] = [
    "library",
    "high school",
    "town hall",
    "stadium",
    "church",
    "community centre",
];
const ITEMS: [&str; 8] = [
    "blankets",
    "coffee",
    "water",
    "pizza",
    "batteries",
    "ice cream",
    "food",
    "clothes",
];

/// What people put in front of a message and behind it: they make two messages of one template differ.
const OPENINGS: [&str; 14] = [
    "",
    "",
    "",
    "OK so ",
    "Update: ",
    "Just heard: ",
    "Hey @user ",
    "Wow. ",
    "Again: ",
    "Seriously, ",
    "My cousin says: ",
    "FYI ",
    "Good morning! ",
    "Right now: ",
];
const CLOSINGS: [&str; 14] = [
    "",
    "",
    "",
    " http://URL",
    " @user @user",
    " ...",
    " What a day.",
    " Thanks!",
    " Anyone else?",
    " Take care",
    " I cannot believe it",
    " More at {hour}",
    " (heard it at the {building})",
    " See you on {street}",
];

/// How many labels in a thousand are wrong, as people's labels are: confidence has something to be honest about.
const WRONG_LABELS_PER_1000: u32 = 30;

/// `rows` sample messages as CSV with a header, spread evenly over the four weeks before `until`, the same for the same `seed`.
#[must_use]
pub(crate) fn messages_csv(seed: u64, rows: usize, until: Timestamp) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let step =
        SignedDuration::from_hours(4 * 7 * 24) / i32::try_from(rows.max(1)).unwrap_or(i32::MAX);
    let mut csv = COLUMNS.join(",");
    csv.push('\n');
    let mut at = until - SignedDuration::from_hours(4 * 7 * 24);
    for row in 0..rows {
        at += step;
        let (event, hazard, place) = EVENTS[row * EVENTS.len() / rows];
        let about = random.random_ratio(9, 20);
        let text = fill(
            if about { &ABOUT } else { &OTHER },
            hazard,
            place,
            &mut random,
        );
        let label = about != random.random_ratio(WRONG_LABELS_PER_1000, 1000);
        // Writing to a String cannot fail.
        let _ = writeln!(
            csv,
            "{at:.3},synthetic-{seed}-{row},{event},{},\"{text}\"",
            u8::from(label)
        );
    }
    csv
}

fn fill(templates: &[&str], hazard: &str, place: &str, random: &mut StdRng) -> String {
    let pick = |list: &[&'static str], random: &mut StdRng| {
        list.choose(random).copied().unwrap_or_default()
    };
    let template = templates.choose(random).copied().unwrap_or_default();
    let message = format!(
        "{}{template}{}",
        pick(&OPENINGS, random),
        pick(&CLOSINGS, random)
    );
    message
        .replace("{hazard}", hazard)
        .replace("{place}", place)
        .replace("{street}", pick(&STREETS, random))
        .replace("{building}", pick(&BUILDINGS, random))
        .replace("{item}", pick(&ITEMS, random))
        .replace("{number}", &random.random_range(2..9_000).to_string())
        .replace(
            "{hour}",
            &format!(
                "{}:{:02}",
                random.random_range(1..12),
                random.random_range(0..60)
            ),
        )
        .replace("{tag}", &format!("{}{hazard}", place.replace(' ', "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_file() {
        let until = "2026-01-05T00:00:00Z".parse().unwrap();
        let csv = messages_csv(7, 300, until);
        assert_eq!(csv, messages_csv(7, 300, until));
        assert_ne!(csv, messages_csv(8, 300, until));
        assert_eq!(csv.lines().count(), 301);
        assert!(
            csv.lines().skip(1).all(|line| line.contains(",synthetic_")),
            "every row says that it is synthetic"
        );
    }
}
