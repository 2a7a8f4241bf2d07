//! Files from people who mean harm, and damaged ones: each ends in an error or in what it holds, within a second and within
//! the memory that its size allows.

mod archives;
mod assembler;
mod bounds;
mod damaged;
mod pickles;
mod reading;
mod safetensors;
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use reading::seeds;

#[test]
fn the_corpus_ends_quickly_and_without_a_panic() {
    type Target = fn(&[u8]);
    let targets: [(&str, Target); 7] = [
        ("archive", targets::archive),
        ("pickle", targets::pickle),
        ("safetensors", targets::safetensors),
        ("onnx", targets::onnx),
        ("external", targets::external),
        ("metadata", targets::metadata),
        ("recognise", targets::recognise),
    ];
    for (name, target) in targets {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name}");
        for (_, bytes) in seeds {
            bounds::within(bytes.len(), || target(&bytes));
        }
    }
}
