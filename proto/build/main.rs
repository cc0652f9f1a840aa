//! Compiles the .proto files in pure Rust (no protoc on the machine), and writes what they say as tables.

mod tables;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = "proto/assent/v1";
    println!("cargo:rerun-if-changed={folder}");
    println!("cargo:rerun-if-changed=build");
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    let descriptors = protox::compile(&files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("tables.rs"), tables::write(&descriptors)?)?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
