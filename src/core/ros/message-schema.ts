import type { Schema } from '../message.js';
import { messageText, type MessageDefinition } from './message-definition.js';

const TIME = 'builtin_interfaces/Time';
/** As in builtin_interfaces/msg/Time.msg, without its comments. */
const TIME_TEXT = 'int32 sec\nuint32 nanosec\n';

/** The schema of a type as rosbag2 writes it: its definition, then the definitions of its field types. */
export function messageSchema(definition: MessageDefinition): Schema {
  const parts = new Map<string, string>();
  for (const field of definition.fields) {
    if (field.kind === 'list') parts.set(field.of.type, messageText(field.of));
    if (field.kind === 'receive-time') parts.set(TIME, TIME_TEXT);
  }
  const dependencies = [...parts].sort(([a], [b]) => (a < b ? -1 : 1));
  const text = [
    messageText(definition),
    ...dependencies.map(([type, one]) => `${'='.repeat(80)}\nMSG: ${type}\n${one}`),
  ].join('\n');
  return Object.freeze({
    name: definition.type.replace('/', '/msg/'),
    encoding: 'ros2msg',
    data: new TextEncoder().encode(text),
  });
}
