//! `--init-from`: networks of an earlier run as the first weights of this one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use models::families::{GeneratorOptions, UpConvolution};
use models::{Metadata, Role, Weight};

use crate::settings::{Layer, Settings};

/// Weights by role, and the files that they are from.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    pub(crate) weights: BTreeMap<Role, Vec<Weight>>,
    pub(crate) files: Vec<PathBuf>,
}

impl Earlier {
    /// Reads a generator and the networks that lie beside it. Each has to be the one that the settings describe.
    pub(crate) fn read(file: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let of = generator(file)?.role;
        let mut earlier = Self::default();
        for role in Role::ALL {
            let Some(path) = beside(file, of, role) else { continue };
            let saved = models_torch::read(&path).with_context(|| path.display().to_string())?;
            let expected = match role.is_generator() {
                true => settings.generator_network(),
                false => settings.discriminator_network(),
            };
            if saved.metadata.role != role || saved.metadata.network != expected {
                bail!(
                    "--init-from {}: it holds the {} of other settings than these; give those that it was trained with \
                     (--config {} has them), or move it away to start that network anew",
                    path.display(),
                    saved.metadata.role,
                    path.with_file_name("run.toml").display()
                );
            }
            earlier.weights.insert(role, saved.weights);
            earlier.files.push(path);
        }
        Ok(earlier)
    }

    /// The settings that the file's network and its training size stand for, where it is of a family.
    pub(crate) fn settings(file: &Path) -> anyhow::Result<Layer> {
        let Metadata { family, network, training_size, .. } = generator(file)?;
        let Some((family, options)) = family.and_then(|family| Some((family, GeneratorOptions::of(family, &network)?)))
        else {
            bail!("--init-from {}: its network is of no family that can be trained here", file.display());
        };
        let GeneratorOptions { width, blocks, up, output_norm } = options;
        let family = format!("{family:?}").to_lowercase();
        let up = if up == UpConvolution::Resize { "resize" } else { "transpose" };
        let size = training_size.map_or(String::new(), |size| format!("size = {size}\n"));
        let text = format!(
            "preset = '{family}'\ngenerator = '{family}'\nwidth = {width}\nblocks = {blocks}\nupsample = '{up}'\n\
             output_norm = {output_norm}\n{size}"
        );
        Ok(Layer::read(&text)?)
    }
}

fn generator(file: &Path) -> anyhow::Result<Metadata> {
    let saved = models_torch::read(file).with_context(|| format!("--init-from {}", file.display()))?;
    if !saved.metadata.role.is_generator() {
        bail!("--init-from {}: it is a {}; give a generator, like g_ab.ot", file.display(), saved.metadata.role);
    }
    Ok(saved.metadata)
}

/// The file of a role beside one of another, with the same ending where there is one: an averaged generator stands beside
/// an averaged one.
fn beside(file: &Path, of: Role, role: Role) -> Option<PathBuf> {
    if of == role {
        return Some(file.to_owned());
    }
    let ending = file.file_name()?.to_str()?.strip_prefix(of.stem())?;
    let candidates = [ending, ".ot"].map(|ending| file.with_file_name(format!("{}{ending}", role.stem())));
    candidates.into_iter().find(|path| path.is_file())
}
