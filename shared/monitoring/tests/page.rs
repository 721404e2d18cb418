//! The report page and the plots, read as text.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use jiff::Timestamp;
use sluice_monitoring::page::Page;
use sluice_monitoring::plot::{Canvas, LineChart, Series};
use sluice_monitoring::{
    Baseline, JoinedOutcome, MonitorConfig, MonitoringError, Observation, Window, evaluate,
};

const HOSTILE: &str = "<script>alert('1')</script> & \"quotes\"";

fn window(rows: u32, labels: &[String], shift: f64) -> Window {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let mut window = Window::new(
        at("2013-04-15T00:00:00Z"),
        at("2013-04-16T00:00:00Z"),
        labels,
    );
    for row in 0..rows {
        let score = ((f64::from(row) * 0.618_033_988_75).fract() * (1.0 - shift)).clamp(0.0, 1.0);
        let predicted = &labels[usize::from(score >= 0.5)];
        let scores = [1.0 - score, score];
        let features = [("words".to_owned(), f64::from(row % 30))];
        window.profile.observe(&Observation {
            at: None,
            features: &features,
            label: predicted,
            scores: &scores,
            slice: None,
        });
        let truth = &labels[usize::from((f64::from(row) * 0.754_877_666).fract() < score)];
        window.outcomes.add(&JoinedOutcome {
            predicted,
            truth,
            scores: &scores,
            slice: Some(HOSTILE),
        });
        window.latency_ms.add(2.0);
        window.requests += 1;
    }
    window
}

fn html(labels: &[String], rows: u32) -> String {
    let test_rows = window(600, labels, 0.0);
    let baseline = Baseline {
        profile: test_rows.profile,
        outcomes: test_rows.outcomes,
    };
    let window = window(rows, labels, 0.6);
    let report = evaluate(&MonitorConfig::default(), &baseline, &window);
    let history = vec![report.clone(); 3];
    let page = Page {
        subject: HOSTILE,
        report: &report,
        baseline: &baseline,
        window: &window,
        history: &history,
    };
    page.to_html().unwrap()
}

fn plain() -> Vec<String> {
    vec!["other".to_owned(), "disaster".to_owned()]
}

#[test]
fn the_verdict_comes_first_and_every_plot_is_described() {
    let html = html(&plain(), 500);
    let (verdict, signals) = (
        html.find("class=\"verdict alert\"").unwrap(),
        html.find("<h2").unwrap(),
    );
    assert!(verdict < signals);
    assert!(html.contains("an early retrain is asked for"));
    assert_eq!(html.matches("<svg role=\"img\" aria-label=").count(), 4);
    assert_eq!(html.matches("<svg").count(), html.matches("<desc>").count());
    for heading in [
        "Score distribution",
        "Predicted labels",
        "Reliability of the confidence",
        "Macro F1 over time",
        "History",
    ] {
        assert!(html.contains(heading), "{heading}");
    }
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    let html = html(&plain(), 500);
    for reference in ["src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(reference), "{reference}");
    }
    let addresses = html.matches("http").count();
    // The one address is the name of the SVG language, and http-equiv is no address.
    assert_eq!(
        addresses,
        html.matches("http://www.w3.org/2000/svg").count() + html.matches("http-equiv").count()
    );
}

#[test]
fn names_from_outside_are_escaped_everywhere() {
    let html = html(&["other".to_owned(), HOSTILE.to_owned()], 500);
    assert!(!html.contains("<script") && !html.contains("alert('1')"));
    assert!(html.contains("&lt;script&gt;") || html.contains("&#60;script&#62;"));
}

#[test]
fn an_empty_window_is_a_page_too() {
    let html = html(&plain(), 0);
    assert!(html.contains("Too little has happened to judge: 0 predictions."));
    assert!(html.contains("not enough data"));
}

fn chart(series: Vec<Series>) -> LineChart {
    LineChart {
        title: "F1 by week".to_owned(),
        y_label: "F1".to_owned(),
        y_range: Some((0.0, 1.0)),
        steps: ["W04", "W05", "W16"].map(str::to_owned).to_vec(),
        series,
    }
}

#[test]
fn a_line_chart_names_its_lines_and_tells_them_apart_without_colour() {
    let line = |name: &str, values: [f64; 3]| Series {
        name: name.to_owned(),
        values: values.map(Some).to_vec(),
    };
    let lines = vec![
        line("stale", [0.4, 0.3, 0.2]),
        line("weekly", [0.4, 0.9, 0.1]),
        line("early <&>", [0.7, 0.9, 0.6]),
    ];
    let svg = chart(lines).to_svg(Canvas::File).unwrap();
    for text in [
        "stale",
        "weekly",
        "early &lt;&amp;&gt;",
        "W16",
        "F1 by week",
        "stale: from 0.4 at W04 to 0.2 at W16",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(!svg.contains("early <"));
    assert!(
        svg.matches("<circle").count() >= 4
            && svg.matches("<polygon").count() >= 4
            && svg.matches("<rect").count() >= 4
    );
    assert_eq!(
        svg,
        chart(vec![
            line("stale", [0.4, 0.3, 0.2]),
            line("weekly", [0.4, 0.9, 0.1]),
            line("early <&>", [0.7, 0.9, 0.6])
        ])
        .to_svg(Canvas::File)
        .unwrap()
    );
}

#[test]
fn a_chart_without_points_is_refused_and_gaps_are_not_bridged() {
    let values = |values: Vec<Option<f64>>| {
        chart(vec![Series {
            name: "only".to_owned(),
            values,
        }])
        .to_svg(Canvas::Page)
    };
    assert!(matches!(
        values(vec![None, Some(f64::NAN)]),
        Err(MonitoringError::EmptyPlot { .. })
    ));
    assert!(matches!(
        chart(Vec::new()).to_svg(Canvas::Page),
        Err(MonitoringError::EmptyPlot { .. })
    ));
    let strokes = |svg: String| svg.matches("stroke-width=\"3\"").count();
    let whole = strokes(values(vec![Some(0.1), Some(0.2), Some(0.3)]).unwrap());
    let gap = strokes(values(vec![Some(0.1), None, Some(0.3)]).unwrap());
    assert_eq!(whole, gap + 2);
}
