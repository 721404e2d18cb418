//! App settings and the `%NAME%` references to them.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Settings and inherited environment, looked up without regard to case, as the host's configuration does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// `settings` win over `environment`.
    pub(crate) fn new(
        settings: &BTreeMap<String, String>,
        environment: &[(OsString, OsString)],
    ) -> Self {
        let inherited = environment.iter().filter_map(|(name, value)| {
            Some((name.to_str()?.to_lowercase(), value.to_str()?.to_owned()))
        });
        let own = settings
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.clone()));
        Self {
            values: inherited.chain(own).collect(),
        }
    }

    /// These settings with `more` over them.
    pub(crate) fn with(&self, more: &[(OsString, OsString)]) -> Self {
        let mut values = self.values.clone();
        values.extend(Self::new(&BTreeMap::new(), more).values);
        Self { values }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(&name.to_lowercase()).map(String::as_str)
    }

    /// The text with every `%NAME%` replaced.
    ///
    /// Errors: the host's own sentence, `'%NAME%' does not resolve to a value`.
    pub(crate) fn resolve(&self, text: &str) -> Result<String, String> {
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let Some((name, following)) = after.split_once('%') else {
                return Err(format!("the '%' in {text:?} has no closing '%'"));
            };
            let value = self.get(name).ok_or_else(|| {
                format!("'%{name}%' does not resolve to a value: set the app setting {name}")
            })?;
            resolved.push_str(before);
            resolved.push_str(value);
            rest = following;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    /// The text with every `%NAME%` replaced and those that have no value removed, as in command lines.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let Some((name, following)) = after.split_once('%') else {
                break;
            };
            expanded.push_str(before);
            expanded.push_str(self.get(name).unwrap_or_default());
            rest = following;
        }
        expanded.push_str(rest);
        expanded
    }

    /// The settings that begin with `prefix`, without it, in their order.
    pub(crate) fn under(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let prefix = prefix.to_lowercase();
        self.values
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(&prefix)?, value.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let own = BTreeMap::from([("Train_Schedule".to_owned(), "0 0 3 * * 1".to_owned())]);
        Settings::new(
            &own,
            &[
                ("HOME".into(), "/h".into()),
                ("train_schedule".into(), "old".into()),
            ],
        )
    }

    #[test]
    fn a_reference_is_replaced_by_the_setting_and_settings_win() {
        assert_eq!(
            settings().resolve("%TRAIN_SCHEDULE%").as_deref(),
            Ok("0 0 3 * * 1")
        );
        assert_eq!(settings().resolve("a%home%b").as_deref(), Ok("a/hb"));
        assert_eq!(settings().resolve("plain").as_deref(), Ok("plain"));
    }

    #[test]
    fn an_unset_reference_is_an_error_that_names_it() {
        assert!(
            settings()
                .resolve("x/%NOPE%")
                .unwrap_err()
                .contains("'%NOPE%' does not resolve")
        );
        assert!(settings().resolve("50% of").is_err());
        assert_eq!(settings().expand("-x %NOPE% %HOME%"), "-x  /h");
    }
}
