//! The scenes of the built-in data set: animals on grass, with a plain or a striped coat.
//!
//! A convolution does not know where in the picture it is, so what it is to learn must follow from what it sees. The
//! stripes are therefore fixed to the pixel grid with a period of four rows: two strided convolutions leave the network a
//! grid of the same period, on which the rows of a stripe have their place.
//!
//! Brightness and colours vary little, the direction of the light more: a generator whose output has a fixed mean and
//! contrast (`--output-norm`) could not reach the truth otherwise.

use pictures::Picture;
use rand::RngExt;
use rand_pcg::Pcg64;

use crate::random::{Purpose, generator};

/// Rows from one stripe to the next.
const PERIOD: u32 = 4;
/// Rows of a stripe.
const THICKNESS: u32 = 2;
/// Samples along each side of a pixel, against jagged edges.
const SAMPLES: u32 = 3;

type Colour = [f32; 3];

/// What a scene shows; lengths are shares of the picture's side, colours are in [0, 1].
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Colour of the light, and how it grows to the right and downwards.
    light: Colour,
    sun: [f32; 2],
    grass: Colour,
    patches: Vec<Ellipse>,
    animals: Vec<Animal>,
}

#[derive(Clone, Debug)]
struct Animal {
    coat: Colour,
    parts: Vec<Ellipse>,
    /// Its highest and lowest point, between which the coat darkens.
    top: f32,
    bottom: f32,
    hooves: Vec<Ellipse>,
    eye: Ellipse,
}

#[derive(Clone, Copy, Debug)]
struct Ellipse {
    x: f32,
    y: f32,
    /// Half axes before turning.
    half: [f32; 2],
    /// Sine and cosine of the turn.
    turn: (f32, f32),
}

impl Ellipse {
    fn new(x: f32, y: f32, half: [f32; 2], turn: f32) -> Self {
        Self { x, y, half, turn: turn.sin_cos() }
    }

    fn holds(&self, x: f32, y: f32) -> bool {
        let (dx, dy) = (x - self.x, y - self.y);
        let (sine, cosine) = self.turn;
        let along = (dx * cosine + dy * sine) / self.half[0];
        let across = (dy * cosine - dx * sine) / self.half[1];
        along * along + across * across <= 1.0
    }
}

impl Scene {
    /// The scene with a number: the same for the same seed.
    pub(crate) fn draw_up(seed: u64, number: u64) -> Self {
        let random = &mut generator(seed, Purpose::Scene, [number, 0]);
        let brightness = random.random_range(0.95..1.02);
        let warmth = random.random_range(-0.02..0.02);
        let light = [brightness + warmth, brightness, brightness - warmth];
        let sun = [random.random_range(-0.3..0.3), random.random_range(-0.3..0.0)];
        let grass = [random.random_range(0.3..0.36), random.random_range(0.54..0.6), random.random_range(0.2..0.26)];
        let patches = (0..14)
            .map(|_| {
                let half = [random.random_range(0.05..0.2), random.random_range(0.01..0.03)];
                Ellipse::new(random.random(), random.random(), half, random.random_range(-0.2..0.2))
            })
            .collect();
        let size = random.random_range(1.2..1.4);
        let mut animals = vec![Animal::draw_up(random, size, (0.4, 0.6), (0.46, 0.54))];
        if random.random_bool(0.4) {
            // A smaller one farther off, drawn first.
            let size = random.random_range(0.3..0.4);
            let left = random.random_bool(0.5);
            let across = if left { (0.12, 0.25) } else { (0.75, 0.88) };
            animals.insert(0, Animal::draw_up(random, size, across, (0.14, 0.24)));
        }
        Self { light, sun, grass, patches, animals }
    }

    /// The scene as a square picture, with plain or striped coats.
    pub(crate) fn picture(&self, size: u32, striped: bool) -> Picture {
        Picture::from_fn(size, size, |column, row| {
            let in_stripe = striped && row % PERIOD < THICKNESS;
            let mut sum = [0.0; 3];
            for sample in 0..SAMPLES * SAMPLES {
                let place = |pixel: u32, sub: u32| (pixel as f32 + (sub as f32 + 0.5) / SAMPLES as f32) / size as f32;
                let colour = self.colour(place(column, sample % SAMPLES), place(row, sample / SAMPLES), in_stripe);
                sum = add(sum, colour);
            }
            let byte = |value: f32| (value / (SAMPLES * SAMPLES) as f32 * 255.0).round().clamp(0.0, 255.0) as u8;
            sum.map(byte).into()
        })
    }

    fn colour(&self, x: f32, y: f32, in_stripe: bool) -> Colour {
        let coat = self.animals.iter().rev().find_map(|animal| animal.colour(x, y, in_stripe));
        let colour = coat.unwrap_or_else(|| {
            let shade = if self.patches.iter().any(|patch| patch.holds(x, y)) { 0.86 } else { 1.0 };
            self.grass.map(|value| value * shade)
        });
        let falling = 1.0 + self.sun[0] * (x - 0.5) + self.sun[1] * (y - 0.5);
        [0, 1, 2].map(|channel| colour[channel] * self.light[channel] * falling)
    }
}

impl Animal {
    fn draw_up(random: &mut Pcg64, size: f32, across: (f32, f32), down: (f32, f32)) -> Self {
        let x = random.random_range(across.0..across.1);
        let y = random.random_range(down.0..down.1);
        let facing = if random.random_bool(0.5) { 1.0 } else { -1.0 };
        let length = size * random.random_range(0.23..0.29);
        let height = size * random.random_range(0.14..0.17);
        let tone = random.random_range(0.85..1.0);
        let coat = [tone, tone * random.random_range(0.8..0.92), tone * random.random_range(0.55..0.75)];

        let mut parts = vec![Ellipse::new(x, y, [length, height], facing * random.random_range(-0.08..0.08))];
        let raise = random.random_range(0.5..1.1); // from grazing ahead to looking up
        let (neck_x, neck_y) = (x + facing * length * 0.95, y - height * raise);
        parts.push(Ellipse::new(neck_x, neck_y, [height * 1.1, height * 0.5], facing * -raise));
        let (head_x, head_y) = (x + facing * (length * 1.1 + height * 0.7), y - height * (0.4 + raise * 1.1));
        parts.push(Ellipse::new(head_x, head_y, [height * 0.75, height * 0.42], facing * 0.5));
        parts.push(Ellipse::new(
            head_x - facing * height * 0.4,
            head_y - height * 0.5,
            [height * 0.12, height * 0.28],
            0.0,
        ));
        let mut hooves = Vec::new();
        for place in [-0.78, -0.45, 0.4, 0.75] {
            let stride: f32 = random.random_range(-0.12..0.12);
            let leg = height * 0.95;
            let (leg_x, leg_y) = (x + place * length, y + height * 0.6 + leg * 0.7);
            parts.push(Ellipse::new(leg_x, leg_y, [height * 0.22, leg], stride));
            hooves.push(Ellipse::new(leg_x - stride * leg, leg_y + leg * 0.92, [height * 0.24, height * 0.14], 0.0));
        }
        parts.push(Ellipse::new(
            x - facing * length * 1.05,
            y + height * 0.1,
            [height * 0.16, height * 0.7],
            facing * 0.3,
        ));
        let eye = Ellipse::new(head_x + facing * height * 0.15, head_y - height * 0.1, [height * 0.1; 2], 0.0);
        Self { coat, parts, top: y - height, bottom: y + height * 2.0, hooves, eye }
    }

    fn colour(&self, x: f32, y: f32, in_stripe: bool) -> Option<Colour> {
        if self.eye.holds(x, y) || self.hooves.iter().any(|hoof| hoof.holds(x, y)) {
            return Some([0.12, 0.1, 0.1]);
        }
        if !self.parts.iter().any(|part| part.holds(x, y)) {
            return None;
        }
        let depth = ((y - self.top) / (self.bottom - self.top)).clamp(0.0, 1.0);
        let shade = 1.05 - 0.35 * depth;
        let stripe = if in_stripe { 0.15 } else { 1.0 };
        Some(self.coat.map(|value| value * shade * stripe))
    }
}

fn add(one: Colour, other: Colour) -> Colour {
    [0, 1, 2].map(|channel| one[channel] + other[channel])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_differs_between_its_sides_only_in_the_rows_of_stripes() {
        for number in 0..20 {
            let scene = Scene::draw_up(5, number);
            let (plain, striped) = (scene.picture(64, false), scene.picture(64, true));
            let mut differing = 0;
            for (x, y, pixel) in plain.enumerate_pixels() {
                if pixel != striped.get_pixel(x, y) {
                    assert!(y % PERIOD < THICKNESS, "row {y} is no stripe");
                    differing += 1;
                }
            }
            assert!((200..2000).contains(&differing), "scene {number}: {differing} of 4096 pixels are striped");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_scene_and_another_number_another() {
        let picture = |seed, number| Scene::draw_up(seed, number).picture(32, true);
        assert_eq!(picture(1, 2), picture(1, 2));
        assert_ne!(picture(1, 2), picture(1, 3));
        assert_ne!(picture(1, 2), picture(2, 2));
    }
}
