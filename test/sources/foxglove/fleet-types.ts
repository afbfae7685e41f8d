/** Channels as the kinds of servers advertise them. */
export const FleetTypes = {
  string: {
    encoding: 'cdr',
    schemaName: 'std_msgs/msg/String',
    schema: 'string data\n',
    schemaEncoding: 'ros2msg',
  },
  json: {
    encoding: 'json',
    schemaName: 'Pose',
    schema: '{"type":"object","properties":{"x":{"type":"number"}}}',
    schemaEncoding: 'jsonschema',
  },
  protobuf: {
    encoding: 'protobuf',
    schemaName: 'foxglove.Pose',
    schema: Buffer.from([10, 3, 97, 98, 99]).toString('base64'),
    schemaEncoding: 'protobuf',
  },
  ros1: { encoding: 'ros1', schemaName: 'std_msgs/String', schema: 'string data\n' },
} as const;
