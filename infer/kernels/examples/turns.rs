//! One model on ONNX Runtime's kernels and on ours, in turns in one process, for `cargo xtask bench kernels`.
//!
//! ```text
//! turns MODEL KERNELS THREADS ROUNDS BATCHxHEIGHTxWIDTH …
//! ```
//!
//! Prints a JSON object for each shape: median seconds of a run on either side, the median of the rounds' ratios with the
//! least and the most of them, and the largest difference of the outputs; before that one with the seconds to load.

#![expect(clippy::print_stdout, reason = "the result")]

use std::error::Error;
use std::time::Instant;

use kernels::{CpuKernels, Machine, Plan, Rewritten};
use models_runtime::{Options, Session};
use program::Device;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, kernels, threads, rounds, shapes @ ..] = &words[..] else {
        return Err("turns MODEL KERNELS THREADS ROUNDS BATCHxHEIGHTxWIDTH …".into());
    };
    let (kernels, threads, rounds): (CpuKernels, usize, usize) = (kernels.parse()?, threads.parse()?, rounds.parse()?);
    let bytes = std::fs::read(model)?;
    let options = Options { device: Device::Cpu, threads: Some(threads), ..Options::default() };
    let (mut plain, load_plain) = timed(|| Session::open(&bytes, options))?;
    let (mut ours, load_ours) = timed(|| -> Result<_, Box<dyn Error>> {
        let parsed = models_onnx::parse(bytes.clone())?;
        let plan = Plan::new(&parsed, kernels);
        let rewritten = plan.apply(&parsed, Machine::detect(), threads).and_then(Rewritten::operators)?;
        Ok(Session::with_operators(&bytes, None, options, || Some(rewritten))?)
    })?;
    println!("{{\"load_plain\": {load_plain}, \"load_ours\": {load_ours}}}");
    for shape in shapes {
        let sides: Vec<usize> = shape.split('x').map(str::parse).collect::<Result<_, _>>()?;
        let [batch, height, width] = sides[..] else { return Err(format!("{shape}: not BATCHxHEIGHTxWIDTH").into()) };
        let count = 3 * batch * height * width;
        // Like a picture: smooth, with some noise.
        let input: Vec<f32> = (0..count)
            .map(|place| (place as f32 * 0.003).sin() * 0.8 + ((place * 7919) % 1000) as f32 * 2e-4 - 0.1)
            .collect();
        let run = |session: &mut Session| timed(|| session.run(&input, [batch, 3, height, width]));
        let ((expected, _), _) = run(&mut plain)?;
        let ((found, _), _) = run(&mut ours)?;
        let differences = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs());
        // What is no number stays.
        let difference = differences.fold(0.0, |most: f32, one| if one <= most || most.is_nan() { most } else { one });
        let (mut plains, mut others, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            // Each side goes first every other time.
            let (one, other) = if round % 2 == 0 {
                let one = run(&mut plain)?.1;
                (one, run(&mut ours)?.1)
            } else {
                let other = run(&mut ours)?.1;
                (run(&mut plain)?.1, other)
            };
            plains.push(one);
            others.push(other);
            ratios.push(one / other);
        }
        for numbers in [&mut plains, &mut others, &mut ratios] {
            numbers.sort_by(f64::total_cmp);
        }
        let median = |numbers: &[f64]| numbers[numbers.len() / 2];
        println!(
            "{{\"shape\": \"{shape}\", \"plain\": {}, \"ours\": {}, \"ratio\": {}, \"least\": {}, \"most\": {}, \"difference\": \
             {difference}}}",
            median(&plains),
            median(&others),
            median(&ratios),
            ratios[0],
            ratios[ratios.len() - 1],
        );
    }
    Ok(())
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, f64), E> {
    let start = Instant::now();
    Ok((work()?, start.elapsed().as_secs_f64()))
}
