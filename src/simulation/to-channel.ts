import type { Channel } from '../core/message.js';
import type { SourceContext } from '../core/source.js';
import type { SimChannel } from './generator.js';

/** The recorder's channel for one of the simulator's, or undefined if it is not wanted. */
export function toChannel(channel: SimChannel, context: SourceContext): Channel | undefined {
  const { topic, encoding, schema, metadata, latched } = channel;
  if (!context.wanted(topic, schema.name)) return undefined;
  return Object.freeze({ robot: context.robotOf(topic), topic, encoding, schema, metadata, latched });
}
