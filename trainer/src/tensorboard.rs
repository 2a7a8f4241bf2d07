//! TensorBoard event files: what `tensorboard --logdir runs` shows of a run.
//!
//! A file is a list of records, each a protobuf `Event` in TFRecord framing: length, its checksum, the event, its
//! checksum (`tensorflow/core/lib/io/record_writer.cc`). TensorBoard follows a file as it grows and reads the files of a
//! folder in the order of their names.

mod messages;

use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err::File;
use prost::Message;

use messages::{Event, Image, PluginData, SessionLog, Summary, SummaryMetadata, Tensor, TensorShape, Value, What};

/// What an event file begins with. From version 2 on, a session's start hides what an earlier one logged later.
const FILE_VERSION: &str = "brain.Event:2";
/// How the names of event files begin.
pub(crate) const EVENTS: &str = "events.out.tfevents.";
/// An image's channels: red, green, blue.
const RGB: i32 = 3;

/// An event file that is being written. What was written can be read at once.
#[derive(Debug)]
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// Begins a new file in `folder`, for a run whose updates up to `from_step` are made already. TensorBoard then
    /// forgets what an earlier session logged after them: it was killed, and these steps come again.
    ///
    /// # Errors
    /// The error of the system, with the path.
    pub fn create(folder: &Path, from_step: u64) -> io::Result<Self> {
        let now = since_epoch();
        // Nanoseconds keep two sessions of the same second apart, and in order.
        let name = format!("{EVENTS}{:010}.{:09}.trainer", now.as_secs(), now.subsec_nanos());
        fs_err::create_dir_all(folder)?;
        let mut goes_on = from_step > 0;
        for entry in fs_err::read_dir(folder)? {
            goes_on |= entry?.file_name().as_encoded_bytes().starts_with(EVENTS.as_bytes());
        }
        let mut events = Self { file: File::create_new(folder.join(name))? };
        events.write(0, What::FileVersion(FILE_VERSION.into()))?;
        if goes_on {
            events.write(from_step + 1, What::SessionLog(SessionLog { status: SessionLog::START }))?;
        }
        Ok(events)
    }

    /// Writes numbers of one step.
    ///
    /// # Errors
    /// The error of the system, with the path.
    pub fn scalars(&mut self, step: u64, scalars: &[(impl AsRef<str>, f64)]) -> io::Result<()> {
        let number = |number: f64| Value { simple_value: Some(number as f32), ..Value::default() };
        let value = scalars.iter().map(|(tag, value)| Value { tag: tag.as_ref().into(), ..number(*value) }).collect();
        self.write(step, What::Summary(Summary { value }))
    }

    /// Writes a picture: a PNG file's bytes, with its width and height in pixels.
    ///
    /// # Errors
    /// The error of the system, with the path.
    pub fn image(&mut self, step: u64, tag: &str, png: &[u8], width: u32, height: u32) -> io::Result<()> {
        let image = Image { height: height as i32, width: width as i32, colorspace: RGB, encoded: png.to_vec() };
        self.value(step, Value { tag: tag.into(), image: Some(image), ..Value::default() })
    }

    /// Writes a text that is shown as Markdown.
    ///
    /// # Errors
    /// The error of the system, with the path.
    pub fn text(&mut self, step: u64, tag: &str, markdown: &str) -> io::Result<()> {
        let metadata = SummaryMetadata {
            plugin_data: Some(PluginData { plugin_name: "text".into() }),
            data_class: SummaryMetadata::TENSOR,
        };
        let tensor =
            Tensor { kind: Tensor::STRING, shape: Some(TensorShape {}), strings: vec![markdown.as_bytes().to_vec()] };
        self.value(step, Value { tag: tag.into(), metadata: Some(metadata), tensor: Some(tensor), ..Value::default() })
    }

    fn value(&mut self, step: u64, value: Value) -> io::Result<()> {
        self.write(step, What::Summary(Summary { value: vec![value] }))
    }

    /// One write for each record: a reader that follows never sees half of one for long.
    fn write(&mut self, step: u64, what: What) -> io::Result<()> {
        let event = Event { wall_time: since_epoch().as_secs_f64(), step: step as i64, what: Some(what) };
        self.file.write_all(&record(&event.encode_to_vec()))
    }
}

fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// TFRecord framing of an event's bytes.
fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    [&length, &masked_checksum(&length)[..], event, &masked_checksum(event)].concat()
}

/// CRC32C, rotated and shifted so that the checksum of bytes that hold checksums stays a good one
/// (`tensorflow/core/lib/hash/crc32c.h`).
fn masked_checksum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorflow_does_it() {
        let framed = record(b"hello");
        assert_eq!(framed.len(), 8 + 4 + 5 + 4);
        assert_eq!(framed[..8], 5_u64.to_le_bytes());
        let unmasked = |four: &[u8]| {
            let masked = u32::from_le_bytes(four.try_into().expect("four bytes"));
            masked.wrapping_sub(0xa282_ead8).rotate_left(15)
        };
        assert_eq!(unmasked(&framed[8..12]), crc32c::crc32c(&framed[..8]));
        assert_eq!(unmasked(&framed[17..]), 0x9a71_bb4c, "CRC32C of `hello`");
    }
}
