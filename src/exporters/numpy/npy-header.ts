const ALIGNMENT = 64;
const MAGIC_BYTES = 10;

/** The head of a `.npy` file, version 1.0 (numpy.lib.format): magic, length, a Python dictionary, padding. */
export function npyHeader(dtype: string, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const bytes = Math.ceil((MAGIC_BYTES + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const head = Buffer.alloc(bytes, ' ');
  head.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  head.writeUInt16LE(bytes - MAGIC_BYTES, 8);
  head.write(text, MAGIC_BYTES, 'latin1');
  head[bytes - 1] = 0x0a;
  return head;
}
