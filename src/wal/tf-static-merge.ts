import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import type { Message } from '../core/message.js';

interface Transform {
  header: { frame_id: string };
  child_frame_id: string;
}

/**
 * `/tf_static` is published in pieces by several nodes, each transient-local: what a late joiner knows is
 * the union. Keeps the last transform per publisher and child frame and gives it as one message.
 */
export class TfStaticMerge {
  private readonly transforms = new Map<string, Transform>();
  private reader: MessageReader | undefined;
  private writer: MessageWriter | undefined;

  /** The merged message, or undefined where this one cannot be decoded (it is then kept as it is). */
  add(message: Message): Message[] | undefined {
    try {
      if (!this.reader || !this.writer) {
        const text = Buffer.from(message.channel.schema.data).toString('utf8');
        const definitions = parse(text, { ros2: true });
        this.reader = new MessageReader(definitions);
        this.writer = new MessageWriter(definitions);
      }
      const { transforms } = this.reader.readMessage<{ transforms: Transform[] }>(message.data);
      for (const transform of transforms) {
        this.transforms.set(JSON.stringify([message.publisher ?? '', transform.child_frame_id]), transform);
      }
      const data = this.writer.writeMessage({ transforms: [...this.transforms.values()] });
      return [{ ...message, data }];
    } catch {
      // A definition or payload that lies: carried as it came, never lost.
      return undefined;
    }
  }
}
