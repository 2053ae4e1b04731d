//! This file's job is to compile the contract without an installed protoc.

use prost::Message as _;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=aloft");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir("aloft/v1")?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "proto"));
    files.sort();
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true).open_files(files)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // The encoded set keeps the policy options, which prost's own types drop.
    let encoded = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("descriptor.bin"), &encoded)?;
    let descriptors = prost_types::FileDescriptorSet::decode(encoded.as_slice())?;
    tonic_prost_build::configure().build_server(true).build_client(true).bytes(".aloft.v1").compile_fds(descriptors)?;
    Ok(())
}
