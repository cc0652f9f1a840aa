//! Compiles the .proto files in pure Rust (no protoc on the machine).

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/assent/v1/ledger.proto", "proto/assent/v1/peer.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
