//! Settings on top of each other: preset, `--config` file, flags; and as text for `run.toml`.
//!
//! A layer holds some settings as the text that their flag would take. All texts go through the same parsers, so a file
//! is checked as strictly as the command line is.

use std::collections::BTreeMap;

use clap::builder::StyledStr;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use program::nearest;

use super::{Preset, Settings};

/// Two ways to say how long a run is: the one that is said later replaces the other.
const LENGTHS: [&str; 2] = ["steps", "epochs"];
/// Columns of a comment in `run.toml`.
const COLUMNS: usize = 100;

/// Why settings cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A file that is no TOML.
    #[error("is no TOML")]
    Toml(#[from] toml::de::Error),
    /// A key that no setting has.
    #[error("`{key}` is no setting{}; `trainer --print-config` prints them all", did_you_mean(.nearest))]
    Unknown {
        /// The key.
        key: String,
        /// The setting that it resembles most.
        nearest: Option<String>,
    },
    /// A list or a table.
    #[error("`{key}` must be a text, a number, true or false")]
    NotPlain {
        /// The key.
        key: String,
    },
    /// A value that its flag would not take either.
    #[error("{}", first_paragraph(.0))]
    Value(clap::Error),
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

/// clap's message without its usage.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Some settings, by name, as the texts that flags take.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layer(BTreeMap<String, String>);

impl Layer {
    /// Reads a file of settings. A key may be written as its flag is, with `-` for `_`.
    pub(crate) fn read(text: &str) -> Result<Self, SettingsError> {
        let known = arguments();
        let mut layer = BTreeMap::new();
        for (key, value) in toml::from_str::<toml::Table>(text)? {
            let name = key.replace('-', "_");
            if !known.iter().any(|argument| argument.get_id() == name.as_str()) {
                let names = known.iter().map(|argument| argument.get_id().as_str());
                let nearest = nearest(&name, names).first().map(|&nearest| nearest.to_owned());
                return Err(SettingsError::Unknown { key, nearest });
            }
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                toml::Value::Boolean(truth) => truth.to_string(),
                _ => return Err(SettingsError::NotPlain { key }),
            };
            layer.insert(name, text);
        }
        Ok(Self(layer))
    }

    /// This layer with `upper` on top.
    pub(crate) fn under(mut self, upper: &Self) -> Self {
        if LENGTHS.iter().any(|length| upper.0.contains_key(*length)) {
            self.0.retain(|name, _| !LENGTHS.contains(&name.as_str()));
        }
        self.0.extend(upper.0.iter().map(|(name, text)| (name.clone(), text.clone())));
        self
    }

    /// This layer on top of the preset that it names.
    pub(crate) fn onto_preset(self) -> Result<Self, SettingsError> {
        let preset = self.0.get("preset").map_or("concat", String::as_str);
        // An unknown one is reported when the whole is read.
        let preset = <Preset as clap::ValueEnum>::from_str(preset, false).unwrap_or_default();
        let below = Self::read(preset.text()).expect("presets are tested");
        Ok(below.under(&self))
    }

    /// All settings, where none that has no default is missing.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        let words = self.0.iter().map(|(name, text)| format!("--{}={text}", name.replace('_', "-")));
        let command = Settings::augment_args(Command::new("trainer").no_binary_name(true));
        let matches = command.try_get_matches_from(words).map_err(SettingsError::Value)?;
        Settings::from_arg_matches(&matches).map_err(SettingsError::Value)
    }

    /// Names and texts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// A setting's text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The flags that set settings, as far as the user gave them: a layer that clap reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(pub(crate) Layer);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        // What is required may stand in a file, or come from the preset.
        let command = Settings::augment_args(command).mut_args(|argument| argument.required(false));
        command.mut_arg("data", |data| data.required_unless_present_any(["config", "resume", "print_config"]))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut layer = BTreeMap::new();
        for argument in arguments() {
            let id = argument.get_id().as_str();
            if matches.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            let text = matches.get_raw(id).and_then(|mut values| values.next()).unwrap_or_default();
            let text = text.to_str().ok_or_else(|| {
                let message = format!("--{} is not Unicode, and run.toml could not hold it\n", id.replace('_', "-"));
                clap::Error::raw(clap::error::ErrorKind::InvalidUtf8, message)
            })?;
            layer.insert(id.to_owned(), text.to_owned());
        }
        Ok(Self(Layer(layer)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn arguments() -> Vec<Arg> {
    Settings::augment_args(Command::new("trainer")).get_arguments().cloned().collect()
}

impl Settings {
    /// All of them by name, as TOML.
    pub(crate) fn table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("plain values")
    }

    /// A file of all settings, each below what `--help` says of it.
    pub(crate) fn to_toml(&self) -> String {
        self.to_toml_without(None)
    }

    /// The same with one of them for the reader to say.
    pub(crate) fn to_toml_without(&self, left_open: Option<&str>) -> String {
        let table = self.table();
        let mut text = String::new();
        for argument in arguments() {
            let name = argument.get_id().as_str();
            let Some(value) = table.get(name) else { continue };
            let help = argument.get_help().map(StyledStr::to_string).unwrap_or_default();
            let separator = if text.is_empty() { "" } else { "\n" };
            let line = if left_open == Some(name) { format!("# {name} = …") } else { format!("{name} = {value}") };
            text += &format!("{separator}{}{line}\n", comment(&help));
        }
        text
    }
}

/// Text as lines of a comment.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > COLUMNS {
            lines += &std::mem::replace(&mut line, String::from("#"));
            lines.push('\n');
        }
        line.push(' ');
        line += word;
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::settings::tests::small;
    use crate::settings::{Objective, Schedule};

    fn resolve(layers: &[&str]) -> Result<Settings, SettingsError> {
        let mut all = Layer::default();
        for layer in layers {
            all = all.under(&Layer::read(layer)?);
        }
        all.onto_preset()?.settings()
    }

    #[test]
    fn presets_are_whole_files_of_settings() {
        for preset in Preset::value_variants() {
            let settings = resolve(&["data = 'x'", preset.text()]).expect("a preset");
            let named = preset.to_possible_value().expect("none is hidden");
            let by_name = resolve(&[&format!("data = 'x'\npreset = '{}'", named.get_name())]).expect("a preset");
            assert_eq!(Settings { preset: *preset, ..settings }, by_name);
        }
        let paper = resolve(&["data = 'x'\npreset = 'paper'"]).expect("a preset");
        assert_eq!((paper.objective, paper.schedule, paper.flip), (Objective::Joint, Schedule::Linear, true));
    }

    #[test]
    fn what_is_said_later_wins_and_the_preset_is_below_all() {
        let settings = resolve(&["data = 'x'\nflip = false\nsize = 64\nsteps = 9", "preset = 'paper'\nepochs = 3"]);
        let settings = settings.expect("right settings");
        assert_eq!((settings.flip, settings.size, settings.schedule), (false, 64, Schedule::Linear));
        assert_eq!((settings.steps, settings.epochs), (None, Some(3)), "one length replaces the other");
    }

    #[test]
    fn a_file_of_all_settings_reads_back_as_the_same() {
        let all =
            Settings { data_url: Some("http://x".into()), init_from: Some("a b.ot".into()), ema: 0.999, ..small() };
        for settings in [small(), all] {
            let text = settings.to_toml();
            assert_eq!(Layer::read(&text).expect("TOML").settings().expect("complete"), settings, "{text}");
        }
        let text = small().to_toml();
        assert!(text.contains("# Side of the training pictures in pixels, a multiple of 4\nsize = 16\n"), "{text}");
    }

    #[test]
    fn wrong_settings_are_named() {
        for (text, message) in [
            ("sise = 64", "`sise` is no setting; did you mean `size`?; `trainer --print-config` prints them all"),
            ("cycle-wait = 64", "did you mean `cycle_weight`?"),
            ("xyzzy = 1", "`xyzzy` is no setting; `trainer --print-config`"),
            ("size = [64]", "`size` must be a text, a number, true or false"),
            ("size = 8", "invalid value '8' for '--size <PIXELS>': 8 is not in 16..=4096"),
            ("rate = -1.0", "invalid value '-1' for '--rate <RATE>': must be 0 or more"),
            ("preset = 'papre'", "invalid value 'papre' for '--preset <PRESET>'"),
            ("steps = 1\nepochs = 1", "cannot be used with"),
            ("size 8", "is no TOML: "),
        ] {
            let error = format!("{:#}", anyhow::Error::from(resolve(&["data = 'x'", text]).expect_err(text)));
            assert!(error.contains(message), "{error}");
        }
        assert!(resolve(&[]).expect_err("no data").to_string().contains("--data"));
    }
}
