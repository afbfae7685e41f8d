import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** The types of Node.js lack this global. */
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: { compile(bytes: Uint8Array): Promise<object> };
};

/** Compiles a WebAssembly file of a package, such as `package/codec.wasm`. */
export async function wasmModule(specifier: string): Promise<object> {
  const path = createRequire(import.meta.url).resolve(specifier);
  return wasm.compile(await readFile(path));
}
