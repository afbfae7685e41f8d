import protobuf from 'protobufjs';

/*
 * Writes small ONNX models, field by field as onnx.proto3 of the ONNX project (IR version 8) numbers them. A test needs
 * no other tool for its model.
 */

const FLOAT = 1;
const INT64 = 7;
const IR_VERSION = 8;
const OPSET = 13;

/** A named tensor of a graph; a text among its dimensions is a free one. */
export interface TensorPlace {
  readonly name: string;
  readonly dims: readonly (number | string)[];
  /** Default: float. */
  readonly type?: 'float' | 'int64';
}

/** A constant of a graph. */
export interface TensorConstant extends TensorPlace {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers. */
  readonly attributes?: Readonly<Record<string, number>>;
}

export interface OnnxGraph {
  readonly inputs: readonly TensorPlace[];
  readonly outputs: readonly TensorPlace[];
  readonly constants?: readonly TensorConstant[];
  readonly nodes: readonly OnnxNode[];
}

type Fill = (writer: protobuf.Writer) => void;

/** A ModelProto with this graph. */
export function onnxModel({ inputs, outputs, constants = [], nodes }: OnnxGraph): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(tag(1, 0)).int64(IR_VERSION);
  message(writer, 7, (graph) => {
    for (const node of nodes) message(graph, 1, nodeProto(node));
    graph.uint32(tag(2, 2)).string('test');
    for (const constant of constants) message(graph, 5, tensorProto(constant));
    for (const input of inputs) message(graph, 11, valueInfo(input));
    for (const output of outputs) message(graph, 12, valueInfo(output));
  });
  message(writer, 8, (opset) => {
    opset.uint32(tag(1, 2)).string('').uint32(tag(2, 0)).int64(OPSET);
  });
  return writer.finish();
}

function nodeProto({ op, inputs, outputs, attributes = {} }: OnnxNode): Fill {
  return (node) => {
    for (const input of inputs) node.uint32(tag(1, 2)).string(input);
    for (const output of outputs) node.uint32(tag(2, 2)).string(output);
    node.uint32(tag(4, 2)).string(op);
    for (const [name, value] of Object.entries(attributes)) {
      message(node, 5, (attribute) => {
        attribute.uint32(tag(1, 2)).string(name).uint32(tag(3, 0)).int64(value);
        // The type INT.
        attribute.uint32(tag(20, 0)).int32(2);
      });
    }
  };
}

function tensorProto({ name, dims, values, type = 'float' }: TensorConstant): Fill {
  const raw = type === 'float' ? Float32Array.from(values) : BigInt64Array.from(values.map(BigInt));
  return (tensor) => {
    for (const size of dims) tensor.uint32(tag(1, 0)).int64(size);
    tensor.uint32(tag(2, 0)).int32(typeNumber(type));
    tensor.uint32(tag(8, 2)).string(name);
    tensor.uint32(tag(9, 2)).bytes(new Uint8Array(raw.buffer));
  };
}

function valueInfo({ name, dims, type = 'float' }: TensorPlace): Fill {
  return (info) => {
    info.uint32(tag(1, 2)).string(name);
    message(info, 2, (typeProto) => {
      message(typeProto, 1, (tensor) => {
        tensor.uint32(tag(1, 0)).int32(typeNumber(type));
        message(tensor, 2, (shape) => {
          for (const size of dims) {
            message(shape, 1, (dim) => {
              if (typeof size === 'number') dim.uint32(tag(1, 0)).int64(size);
              else dim.uint32(tag(2, 2)).string(size);
            });
          }
        });
      });
    });
  };
}

function typeNumber(type: 'float' | 'int64'): number {
  return type === 'float' ? FLOAT : INT64;
}

function tag(field: number, wireType: number): number {
  return field * 8 + wireType;
}

function message(writer: protobuf.Writer, field: number, fill: Fill): void {
  writer.uint32(tag(field, 2)).fork();
  fill(writer);
  writer.ldelim();
}
