//! Profiles, drift tests, performance, alert rules and the report page: pure, no IO.
