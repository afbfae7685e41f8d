/** Compresses at a level of zstd, -7 to 22: negative levels are faster, and compress less. */
export type ZstdCompress = (data: Uint8Array, level: number) => Uint8Array;

/**
 * zstd as native code, with prebuilt binaries for x64 and arm64. Where none can be loaded, the package compiles the
 * same source to WebAssembly, at a third of the speed. Loaded when it is needed first.
 */
export async function loadZstd(): Promise<ZstdCompress> {
  const { compress } = await import('@cloudpss/zstd');
  return compress;
}
