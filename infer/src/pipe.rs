//! One picture through pipes: `infer --model g_ab.onnx - -`.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::Context;
use program::{Console, Exit, Failure, OrExit};

use crate::arguments::Arguments;
use crate::pipeline::{Pipeline, Translator};

/// What stands for standard input and output.
pub(crate) const PIPE: &str = "-";

/// Whether the translation goes to standard output.
///
/// # Errors
/// With 2 where that cannot be: with several pictures, flags of a journal's, or a person's terminal at the other end.
pub(crate) fn is_asked_for(arguments: &Arguments) -> Result<bool, Failure> {
    let plan = &arguments.plan;
    let is_pipe = |path: &Path| path.as_os_str() == PIPE;
    if !is_pipe(plan.output()) {
        return Ok(false);
    }
    let wrong = |message: &'static str| Err(Failure::new(Exit::Usage, message));
    if plan.inputs.len() != 1 || plan.from_file.is_some() {
        return wrong("the output - takes one picture: infer --model FILE - - or infer --model FILE PICTURE -");
    }
    if plan.inputs[0].is_dir() {
        return wrong("the output - takes one picture, and the input is a directory");
    }
    if plan.dry_run || arguments.run.report.is_some() || arguments.run.profile.is_some() || arguments.run.json {
        return wrong("with the output - there is no plan and no report: standard output is the picture");
    }
    if io::stdout().is_terminal() {
        return wrong("standard output is a terminal: redirect it, as in … - - < photo.jpg > translated.jpg");
    }
    Ok(true)
}

/// Translates the picture.
///
/// # Errors
/// With 5 where the translation cannot be written. A picture that fails is said, and the exit code is 1.
pub(crate) fn run(
    console: &Console,
    arguments: &Arguments,
    pipeline: &Pipeline<'_>,
    mut translator: Translator,
) -> Result<Exit, Failure> {
    let input = &arguments.plan.inputs[0];
    match translate(input, arguments, pipeline, &mut translator) {
        Ok(content) => {
            let mut output = io::stdout().lock();
            output.write_all(&content).and_then(|()| output.flush()).context("standard output").or_exit(Exit::Fault)?;
            Ok(Exit::Done)
        }
        Err(error) => {
            console.always(format!("failed: {}: {}", input.display(), format!("{error:#}").trim_end()));
            Ok(Exit::Differs)
        }
    }
}

fn translate(
    input: &Path,
    arguments: &Arguments,
    pipeline: &Pipeline<'_>,
    translator: &mut Translator,
) -> anyhow::Result<Vec<u8>> {
    let opened = match input.as_os_str() == PIPE {
        true => {
            let most = pipeline.limits.most_bytes;
            let mut content = Vec::new();
            io::stdin().lock().take(most).read_to_end(&mut content).context("standard input")?;
            pipeline.open_bytes(content)?
        }
        false => pipeline.open(input)?,
    };
    let decoded = pipeline.decode(0, opened)?;
    let (translated, result) = translator.run(pipeline, vec![decoded]).pop().context("a batch of one has one")?;
    result?;
    Ok(pipeline.encode(translated, arguments.plan.format)?.content)
}
