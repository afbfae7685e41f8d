import type { CdrWriter } from './cdr-writer.js';

/** Time of a header: nanoseconds since the Unix epoch. */
export type Stamp = bigint;

const NS_PER_S = 1_000_000_000n;

export function writeHeader(w: CdrWriter, stamp: Stamp, frame: string): CdrWriter {
  return w
    .i32(Number(stamp / NS_PER_S))
    .u32(Number(stamp % NS_PER_S))
    .string(frame);
}

export function writeVector3(w: CdrWriter, x: number, y: number, z: number): CdrWriter {
  return w.f64(x).f64(y).f64(z);
}

/** A rotation about the vertical axis. */
export function writeYaw(w: CdrWriter, yaw: number): CdrWriter {
  return w
    .f64(0)
    .f64(0)
    .f64(Math.sin(yaw / 2))
    .f64(Math.cos(yaw / 2));
}

export function writePose(w: CdrWriter, x: number, y: number, z: number, yaw: number): CdrWriter {
  return writeYaw(writeVector3(w, x, y, z), yaw);
}

export function writeTwist(w: CdrWriter, forward: number, turnRate: number): CdrWriter {
  return writeVector3(writeVector3(w, forward, 0, 0), 0, 0, turnRate);
}

/** A covariance matrix with the given diagonal. */
export function diagonal(...values: readonly number[]): Float64Array {
  const matrix = new Float64Array(values.length ** 2);
  values.forEach((value, i) => (matrix[i * (values.length + 1)] = value));
  return matrix;
}

export interface Transform {
  readonly parent: string;
  readonly child: string;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly yaw: number;
}

/** tf2_msgs/TFMessage. */
export function writeTransforms(w: CdrWriter, stamp: Stamp, transforms: readonly Transform[]): CdrWriter {
  w.u32(transforms.length);
  for (const { parent, child, x, y, z, yaw } of transforms) {
    writePose(writeHeader(w, stamp, parent).string(child), x, y, z, yaw);
  }
  return w;
}

/** Level of diagnostic_msgs/DiagnosticStatus. */
export const DIAGNOSTIC_OK = 0;
export const DIAGNOSTIC_WARN = 1;

export interface Diagnostic {
  readonly level: number;
  readonly name: string;
  readonly message: string;
  readonly hardwareId: string;
  readonly values: Readonly<Record<string, string>>;
}

/** diagnostic_msgs/DiagnosticArray. */
export function writeDiagnostics(w: CdrWriter, stamp: Stamp, all: readonly Diagnostic[]): CdrWriter {
  writeHeader(w, stamp, '').u32(all.length);
  for (const { level, name, message, hardwareId, values } of all) {
    w.u8(level).string(name).string(message).string(hardwareId);
    const pairs = Object.entries(values);
    w.u32(pairs.length);
    for (const [key, value] of pairs) w.string(key).string(value);
  }
  return w;
}

const FLOAT32 = 7;

/** sensor_msgs/PointCloud2 of x, y, z and intensity, each a float32; `points` holds them in turn. */
export function writePoints(w: CdrWriter, stamp: Stamp, frame: string, points: Float32Array): CdrWriter {
  const bytesPerPoint = 16;
  const count = points.length / 4;
  writeHeader(w, stamp, frame).u32(1).u32(count).u32(4);
  ['x', 'y', 'z', 'intensity'].forEach((name, i) => {
    w.string(name)
      .u32(4 * i)
      .u8(FLOAT32)
      .u32(1);
  });
  w.bool(false)
    .u32(bytesPerPoint)
    .u32(bytesPerPoint * count);
  w.u8Sequence(new Uint8Array(points.buffer, points.byteOffset, points.byteLength));
  return w.bool(true);
}
