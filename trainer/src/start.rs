//! What is said of a run before it starts: on what it runs, and what it takes.

use program::{Console, available_bytes, bytes, count};
use serde_json::{Map, Value, json};

use crate::begin::Ready;
use crate::data::augment::Augmentation;
use crate::settings::Settings;

/// Multiply-adds a second of one present CPU core in libtorch's convolutions, with what lies between them. An order of
/// magnitude, for a first word; the first steps are measured.
const CORE_RATE: f64 = 2e10;
/// An update this long on a CPU calls for advice.
const SLOW_SECONDS: f64 = 5.0;

/// What the run is made on and what it costs: `start.json`.
pub(crate) fn to_json(settings: &Settings, ready: &Ready) -> Value {
    let Ready { data, device_name: device, updates, cost, .. } = ready;
    let names = [("trainA", "trainB"), ("testA", "testB")];
    let splits = std::iter::once(&data.train).chain(&data.test);
    let sides = names.into_iter().zip(splits).flat_map(|((name_a, name_b), [a, b])| [(name_a, a), (name_b, b)]);
    let sides: Map<String, Value> =
        sides.map(|(name, side)| (name.to_owned(), json!({ "pictures": side.len() }))).collect();
    let [of_g, of_d] = cost.parameters;
    json!({
        "device": device,
        "threads": settings.threads,
        "updates": updates,
        "program": concat!("trainer ", env!("CARGO_PKG_VERSION")),
        "data": { "name": data.name, "sides": sides },
        "networks": {
            "generator_parameters": of_g,
            "discriminator_parameters": of_d,
            "multiply_adds": cost.multiply_adds,
        },
        "memory_bytes": cost.bytes,
    })
}

/// Prints what will run, on what, and what it will take.
pub(crate) fn say(console: &Console, settings: &Settings, ready: &Ready) {
    let Ready { data, device_name: device, updates, cost, .. } = ready;
    let Settings { size, batch, width, blocks, generator, discriminator, threads, .. } = settings;
    let test = match &data.test {
        Some([a, b]) => format!(", test {} and {}", a.len(), b.len()),
        None => String::new(),
    };
    let [of_g, of_d] = cost.parameters.map(count);
    console.say(format!("device    {device}, {threads} threads"));
    console.say(format!(
        "data      {}: {} pictures of A, {} of B{test}",
        data.name,
        data.train[0].len(),
        data.train[1].len()
    ));
    console.say(format!(
            "networks  {generator:?} generators, width {width}, {blocks} blocks: {of_g} parameters each; {discriminator:?} discriminators: {of_d}"
        ));
    console.say(format!(
        "run       {updates} steps of batch {batch} at {size}×{size}, about {} of memory",
        bytes(cost.bytes as u64)
    ));
    console.say(format!("cache     {}", kept(settings, ready)));
    let available = available_bytes().filter(|_| device.starts_with("cpu"));
    if let Some(available) = available.filter(|&available| cost.bytes > available as f64) {
        console.always(format!(
            "warning: only {} of memory are free; lower --batch, --size, --width or --blocks, in this order",
            bytes(available)
        ));
    }
    let seconds = cost.multiply_adds / (CORE_RATE * *threads as f64);
    if device.starts_with("cpu") && seconds > SLOW_SECONDS {
        console.always(format!(
                "warning: on this CPU a step will take about {seconds:.0} s. A GPU does it in a fraction of a second (see the README); to try on \
                 a CPU, train smaller: --size 128 --width 32 --blocks 6"
            ));
    }
}

/// How many decoded pictures stay in memory.
fn kept(settings: &Settings, ready: &Ready) -> String {
    let [a, b] = &ready.data.train;
    let all = (a.len() + b.len()) as u64;
    let Some(each) = Augmentation::new(settings).loaded_bytes(a.keep_their_grid()) else {
        return format!("up to {} of decoded pictures", bytes(ready.cache));
    };
    match ready.cache / each {
        fitting if fitting >= all => format!("all {all} pictures stay in memory: {}", bytes(all * each)),
        fitting => {
            format!("{fitting} of {all} pictures fit into {}; the others are decoded each time", bytes(ready.cache))
        }
    }
}
