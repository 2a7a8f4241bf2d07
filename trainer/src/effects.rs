//! Flags that change nothing in this run, which their user may not know.

use models::families::Family;

use crate::data::{DataSet, Pictures};
use crate::settings::{Layer, Resize, Schedule, Settings};

/// Each flag that was given and has no effect, with the reason.
pub(crate) fn without_effect(flags: &Layer, settings: &Settings, data: &DataSet, has_pairs: bool) -> Vec<String> {
    let drawn = data.train.iter().all(Pictures::keep_their_grid);
    let cases = [
        (
            "eval_every",
            !has_pairs,
            "there are no pictures of the same name in testA and testB to measure on".to_owned(),
        ),
        (
            "load_scale",
            drawn || settings.resize == Resize::Off,
            if drawn {
                format!("{} is drawn at --size", data.name)
            } else {
                "--resize off keeps every picture's size".into()
            },
        ),
        ("resize", drawn, format!("{} is drawn at --size", data.name)),
        (
            "decay_from",
            settings.schedule == Schedule::Constant,
            "the schedule is constant; --schedule linear decays".into(),
        ),
        (
            "output_norm",
            settings.output_norm && settings.generator == Family::Paper,
            "paper generators end without a norm".into(),
        ),
    ];
    let given = cases.into_iter().filter(|(name, has_none, _)| *has_none && flags.get(name).is_some());
    given.map(|(name, _, why)| format!("--{} changes nothing: {why}", name.replace('_', "-"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::small;

    #[test]
    fn a_flag_without_effect_is_named_with_the_reason_and_no_other() {
        let flags = "eval_every = 5\nload_scale = 1.2\nresize = 'off'\ndecay_from = 0.2\noutput_norm = true\nsize = 32";
        let flags = Layer::read(flags).expect("settings");
        let data = DataSet::stripes(1);
        let settings = Settings { generator: Family::Paper, output_norm: true, ..small() };
        let named = |messages: Vec<String>| -> Vec<String> {
            messages.iter().filter_map(|message| Some(message.split_once(" changes nothing: ")?.0.to_owned())).collect()
        };
        let all = without_effect(&flags, &settings, &data, false);
        assert_eq!(named(all), ["--eval-every", "--load-scale", "--resize", "--decay-from", "--output-norm"]);

        let files = data.train.clone().map(|_| Pictures::Files { paths: Vec::new(), ending: "" });
        let data = DataSet { train: files, ..data };
        let settings = Settings { resize: Resize::Squash, schedule: Schedule::Linear, output_norm: true, ..small() };
        assert_eq!(without_effect(&flags, &settings, &data, true), Vec::<String>::new());
        assert_eq!(without_effect(&Layer::default(), &small(), &data, false), Vec::<String>::new(), "none was given");
    }
}
