//! Hostile `.safetensors`.

use super::reading::assert_refused;

fn file(header: &str, numbers: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; numbers]].concat()
}

#[test]
fn headers_that_lie_or_grow_are_refused() {
    let tensor =
        |shape: &str, end: &str| format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
    let many = |what: &str, times: usize| vec![what; times].join(",");
    let deep = format!(r#"{{"w":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let quad = r#"{"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#;
    let mut long = file(&tensor("[1]", "4"), 4);
    long[..8].copy_from_slice(&0xff_ffff_u64.to_le_bytes());
    assert_refused(&[
        ("longer than the file", long, "is no safetensors file"),
        ("numbers missing", file(&tensor("[2]", "8"), 4), "is no safetensors file"),
        ("numbers too many", file(&tensor("[1]", "4"), 8), "is no safetensors file"),
        ("another size than its shape", file(&tensor("[3]", "8"), 8), "is no safetensors file"),
        ("a product beyond 64 bits", file(&tensor("[4294967296,4294967296,4]", "4"), 4), "is no safetensors file"),
        ("hidden by a 0", file(&tensor("[0,4294967296,4294967296]", "0"), 0), "a shape that no memory holds"),
        (
            "a hundred dimensions",
            file(&tensor(&format!("[{}]", many("1", 100)), "4"), 4),
            "a shape that no memory holds",
        ),
        ("a million dimensions", file(&tensor(&format!("[{}]", many("1", 1 << 20)), "4"), 4), "needs more than"),
        ("lists in lists", file(&deep, 0), "is no safetensors file"),
        ("numbers of a kind", file(quad, 4), "tensor `w` holds numbers of the kind F8_E4M3"),
    ]);
}
