//! This file's job is to run Brotli's C library, as an independent decoder and encoder.
#![expect(unsafe_code, reason = "the C library has no other interface")]

use compu_brotli_sys as c;
use std::ptr;

const RAW: c::BrotliSharedDictionaryType = c::BrotliSharedDictionaryType_BROTLI_SHARED_DICTIONARY_RAW;

/// Decompresses a stream that was made with this dictionary; panics when the C library refuses it.
pub fn brotli(stream: &[u8], dictionary: &[u8], size_bytes: usize) -> Vec<u8> {
    let mut output = vec![0; size_bytes + 1];
    let (mut available_in, mut next_in) = (stream.len(), stream.as_ptr());
    let (mut available_out, mut next_out) = (output.len(), output.as_mut_ptr());
    // SAFETY: the pointers are those of live slices with these lengths, and the decoder is destroyed after its last use.
    let result = unsafe {
        let decoder = c::BrotliDecoderCreateInstance(None, None, ptr::null_mut());
        assert_eq!(c::BrotliDecoderAttachDictionary(decoder, RAW, dictionary.len(), dictionary.as_ptr()), 1);
        let result = c::BrotliDecoderDecompressStream(
            decoder,
            &raw mut available_in,
            &raw mut next_in,
            &raw mut available_out,
            &raw mut next_out,
            ptr::null_mut(),
        );
        c::BrotliDecoderDestroyInstance(decoder);
        result
    };
    assert_eq!(result, c::BrotliDecoderResult_BROTLI_DECODER_RESULT_SUCCESS, "the C library refuses the stream");
    assert_eq!(available_in, 0);
    output.truncate(output.len() - available_out);
    output
}

/// Compresses with this dictionary.
pub fn brotli_encode(bytes: &[u8], dictionary: &[u8], window_log: u32) -> Vec<u8> {
    let mut output = vec![0; bytes.len() + 1_000];
    let (mut available_in, mut next_in) = (bytes.len(), bytes.as_ptr());
    let (mut available_out, mut next_out) = (output.len(), output.as_mut_ptr());
    // SAFETY: as above; the prepared dictionary outlives the encoder.
    unsafe {
        let prepared = c::BrotliEncoderPrepareDictionary(
            RAW,
            dictionary.len(),
            dictionary.as_ptr(),
            9,
            None,
            None,
            ptr::null_mut(),
        );
        let encoder = c::BrotliEncoderCreateInstance(None, None, ptr::null_mut());
        c::BrotliEncoderSetParameter(encoder, c::BrotliEncoderParameter_BROTLI_PARAM_QUALITY, 9);
        c::BrotliEncoderSetParameter(encoder, c::BrotliEncoderParameter_BROTLI_PARAM_LGWIN, window_log);
        assert_eq!(c::BrotliEncoderAttachPreparedDictionary(encoder, prepared), 1);
        let done = c::BrotliEncoderCompressStream(
            encoder,
            c::BrotliEncoderOperation_BROTLI_OPERATION_FINISH,
            &raw mut available_in,
            &raw mut next_in,
            &raw mut available_out,
            &raw mut next_out,
            ptr::null_mut(),
        );
        assert_eq!((done, available_in), (1, 0));
        c::BrotliEncoderDestroyInstance(encoder);
        c::BrotliEncoderDestroyPreparedDictionary(prepared);
    }
    output.truncate(output.len() - available_out);
    output
}
