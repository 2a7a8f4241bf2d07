use models::families::{Family, GeneratorOptions, UpConvolution};
use models::{Join, Layer, Pads};
use proptest::prelude::*;

use super::*;

/// What a picture's reader sees of a text: its letters and where they stand.
struct Line {
    words: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// Reads a drawing back: only what is in the file counts.
fn lines(svg: &str) -> (Vec<Line>, [f64; 2]) {
    let document = roxmltree::Document::parse(svg).expect("well-formed XML");
    let root = document.root_element();
    let number = |node: roxmltree::Node<'_, '_>, name: &str| -> f64 {
        node.attribute(name).expect(name).parse().expect("a number")
    };
    let texts = root.descendants().filter(|node| node.has_tag_name("text") || node.tag_name().name() == "text");
    let lines = texts.map(|node| {
        let (left, size, baseline) = (number(node, "x"), number(node, "font-size"), number(node, "y"));
        let words = node.text().unwrap_or_default().to_owned();
        let right = left + number(node, "textLength");
        Line { words, left, right, top: baseline - 0.8 * size, bottom: baseline + 0.25 * size }
    });
    let lines = lines.collect();
    (lines, ["width", "height"].map(|side| number(root, side)))
}

/// That no two texts touch, and none leaves the page. Gives the page's sides.
#[track_caller]
fn assert_readable(network: &Network, size: [usize; 2], what: &str) -> [f64; 2] {
    let headings = ["a network".to_owned(), "trained on things".to_owned()];
    let svg = draw(network, size, &headings).expect("the size fits");
    let (lines, [width, height]) = lines(&svg);
    for (place, one) in lines.iter().enumerate() {
        let Line { words, left, right, top, bottom } = one;
        assert!(
            *left >= 0.0 && *top >= 0.0 && *right <= width && *bottom <= height,
            "{what}: `{words}` leaves the page"
        );
        for other in &lines[place + 1..] {
            let apart = right <= &other.left || &other.right <= left || bottom <= &other.top || &other.bottom <= top;
            assert!(apart, "{what}: `{words}` and `{}` overlap", other.words);
        }
    }
    [width, height]
}

#[test]
fn no_text_overlaps_another_whatever_the_width_and_the_blocks() {
    for family in [Family::Concat, Family::Paper] {
        for width in [1, 2, 64, 1024] {
            for blocks in [0, 1, 2, 9, 64] {
                let network = family.generator(GeneratorOptions::sized(width, blocks));
                assert_readable(&network, [256, 256], &format!("{family:?} width {width}, {blocks} blocks"));
            }
            assert_readable(&family.discriminator(width), [256, 256], &format!("discriminator of width {width}"));
        }
    }
    let resize = GeneratorOptions { up: UpConvolution::Resize, ..GeneratorOptions::default() };
    for size in [[16, 16], [64, 4096], [4096, 8192]] {
        assert_readable(&Family::Concat.generator(resize), size, &format!("{size:?}"));
    }
}

#[test]
fn the_default_networks_fit_on_a_page() {
    for family in [Family::Concat, Family::Paper] {
        let network = family.generator(GeneratorOptions::default());
        let [width, height] = assert_readable(&network, [256, 256], &format!("{family:?}"));
        assert!(width < 1100.0 && height < 1150.0, "{family:?}: {width} × {height}");
    }
}

/// As in a U-Net: each skip connection around the next, and blocks within blocks.
#[test]
fn skip_connections_within_others_are_drawn_too() {
    let conv = |name: String| Layer::Conv { name, from: 3, to: 3, kernel: 3, stride: 1, pad: Pads::all(1) };
    let mut nested = vec![Layer::Tanh];
    for depth in 0..8 {
        let repeated = Layer::Skip { body: vec![conv(format!("depth{depth}.inner"))], join: Join::Add };
        let mut body = vec![conv(format!("depth{depth}.before")), repeated.clone(), repeated];
        body.append(&mut nested);
        nested = vec![Layer::Skip { body, join: Join::Add }, Layer::Relu];
    }
    assert_readable(&Network { channels: 3, layers: nested }, [64, 64], "nested");
    assert_readable(&Network { channels: 3, layers: Vec::new() }, [64, 64], "no layers");
}

/// Layers that keep their input's shape, however deep: any of them fits any other.
fn layers() -> impl Strategy<Value = Vec<Layer>> {
    let conv = |name: String| Layer::Conv { name, from: 3, to: 3, kernel: 1, stride: 1, pad: Pads::NONE };
    let named = prop_oneof!["[a-z]{0,60}", "block[0-9]{1,3}[.]conv", any::<String>()];
    let leaf = prop_oneof![
        Just(Layer::Relu),
        Just(Layer::InstanceNorm { name: None, channels: 3, eps: 1e-5 }),
        named.prop_map(conv)
    ];
    let layer = leaf.prop_recursive(6, 60, 6, |inner| {
        proptest::collection::vec(inner, 0..6).prop_map(|body| Layer::Skip { body, join: Join::Add })
    });
    proptest::collection::vec(layer, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_readable(layers in layers()) {
        let what = format!("{layers:?}");
        assert_readable(&Network { channels: 3, layers }, [64, 64], &what);
    }
}

#[test]
fn names_that_a_hostile_file_gives_stay_text() {
    let name = "</text><script>alert(1)</script>&\"'\u{0}\u{1b}\u{ffff}".to_owned() + &"x".repeat(1000);
    let layers = vec![Layer::Conv { name, from: 3, to: 3, kernel: 1, stride: 1, pad: Pads::NONE }];
    let network = Network { channels: 3, layers };
    assert_readable(&network, [8, 8], "hostile");
    let svg = draw(&network, [8, 8], &["<b>&".into()]).expect("8 fits");
    let document = roxmltree::Document::parse(&svg).expect("well-formed XML");
    assert!(document.descendants().all(|node| !["script", "b"].contains(&node.tag_name().name())));
    for outside in ["http://", "https://", "href", "@import"] {
        let found = svg.matches(outside).count();
        assert_eq!(found, usize::from(outside == "http://"), "{outside}: only the namespace has an address");
    }
}

#[test]
fn a_picture_that_does_not_fit_is_an_error() {
    assert!(draw(&Family::Paper.generator(GeneratorOptions::sized(4, 1)), [4, 4], &[]).is_err());
}
