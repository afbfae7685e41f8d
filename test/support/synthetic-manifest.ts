import { MANIFEST_VERSION, type Manifest } from '../../src/core/manifest.js';
import { objectKey, objectName, sealedFileName } from '../../src/core/object-name.js';

const START_NS = 1_795_222_800_000_000_000n;
const SEGMENT_NS = 60_000_000_000n;
const ROBOTS = 4;

/** The manifest of a segment that was never recorded: one minute of one of four robots, ten channels. */
export function syntheticManifest(number: number): Manifest {
  const robot = `robot ${number % ROBOTS}`;
  const id = `${String(number).padStart(12, '0')}-${String(number).padStart(32, '0')}`;
  const first = START_NS + BigInt(number) * SEGMENT_NS;
  const [firstLogTime, lastLogTime] = [String(first), String(first + SEGMENT_NS - 1n)];
  const name = objectName(robot, undefined);
  const count = 100 + ((number * 7919) % 1000);
  return {
    format: 'holdfast-manifest',
    version: MANIFEST_VERSION,
    segment: { id, number },
    robot,
    file: {
      name: sealedFileName(id, name),
      bytes: 4,
      sha256: 'a'.repeat(64),
      crc32: 1,
      compression: 'zstd',
    },
    key: objectKey(id, name, first),
    messages: 10 * count,
    payloadBytes: 1000 * count,
    firstLogTime,
    lastLogTime,
    channels: Array.from({ length: 10 }, (_, i) => ({
      topic: `/${robot}/topic_${i}`,
      type: 'sensor_msgs/msg/Imu',
      encoding: 'cdr',
      schemaEncoding: 'ros2msg',
      latched: false,
      count,
      bytes: 100 * count,
      carried: 0,
      firstLogTime,
      lastLogTime,
    })),
    gaps: [],
    identity: {
      dataFolderId: 'd'.repeat(32),
      machineId: 'a'.repeat(32),
      bootId: 'boot',
      sessionId: 'e'.repeat(32),
      hostname: 'robot',
    },
    clockSteps: [],
    uncleanEnd: false,
    sealedAt: lastLogTime,
    software: { name: 'holdfast', version: '0', node: '20' },
  };
}
