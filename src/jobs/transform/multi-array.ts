import type { Schema } from '../../core/message.js';
import type { CdrWriter } from '../../core/ros/cdr-writer.js';
import { ros2Schema } from '../../core/ros/schemas.js';

/** One output of a model. */
export interface OutputTensor {
  /** Of ONNX Runtime, such as `float32`. */
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

interface ArrayForm {
  readonly message: string;
  readonly put: (writer: CdrWriter, data: ArrayLike<number | bigint>) => CdrWriter;
}

const each =
  (put: (writer: CdrWriter, value: number | bigint) => CdrWriter) =>
  (writer: CdrWriter, data: ArrayLike<number | bigint>): CdrWriter => {
    writer.u32(data.length);
    for (let at = 0; at < data.length; at++) put(writer, data[at]!);
    return writer;
  };

const bytes: ArrayForm = {
  message: 'UInt8MultiArray',
  put: (writer, data) => writer.u8Sequence(data as Uint8Array),
};

/** The messages of std_msgs for the types of tensors. */
const forms: ReadonlyMap<string, ArrayForm> = new Map<string, ArrayForm>([
  [
    'float32',
    {
      message: 'Float32MultiArray',
      put: (writer, data) => writer.f32Sequence(data as ArrayLike<number>),
    },
  ],
  ['float64', { message: 'Float64MultiArray', put: each((writer, value) => writer.f64(Number(value))) }],
  ['int32', { message: 'Int32MultiArray', put: each((writer, value) => writer.i32(Number(value))) }],
  ['int64', { message: 'Int64MultiArray', put: each((writer, value) => writer.i64(BigInt(value))) }],
  ['uint8', bytes],
  ['bool', bytes],
]);

/** The schema of the message for tensors of a type. Throws an Error for types that std_msgs does not have. */
export function multiArraySchema(type: string): Schema {
  return ros2Schema(`std_msgs/${formOf(type).message}`);
}

/**
 * A tensor as a std_msgs MultiArray in plain CDR: one dimension of the layout for each of the tensor, with the stride in
 * elements, and the elements in the order of C.
 */
export function encodeMultiArray(writer: CdrWriter, { type, dims, data }: OutputTensor): Uint8Array {
  const { put } = formOf(type);
  writer.begin().u32(dims.length);
  for (const [at, size] of dims.entries()) {
    const stride = dims.slice(at).reduce((product, one) => product * one, 1);
    writer.string(`dim${at}`).u32(size).u32(stride);
  }
  return put(writer.u32(0), data).finish();
}

function formOf(type: string): ArrayForm {
  const form = forms.get(type);
  if (!form) {
    throw new Error(
      `an output of the model has numbers of type ${type}; allowed: ${[...forms.keys()].join(', ')}`,
    );
  }
  return form;
}
