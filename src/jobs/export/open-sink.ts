import type { McapChannel } from '../../core/mcap/definitions.js';
import { imageTypes } from '../../exporters/images/image-file.js';
import { AlignSink } from './align-sink.js';
import type { ExportGroup } from './export-groups.js';
import { robotOf } from './export-groups.js';
import type { GroupSink, SinkContext } from './group-sink.js';
import { ImageSink } from './image-sink.js';
import { McapSink } from './mcap-sink.js';
import { SplitSink } from './split-sink.js';
import { TableSink } from './table-sink.js';
import { VehicleSink } from './vehicle-sink.js';

/** The sink for a group, by format and options. */
export function openSink(context: SinkContext, group: ExportGroup): GroupSink {
  const { options } = context;
  if (options.preset === 'vehicle') return new VehicleSink(context);
  if (options.format === 'mcap') {
    return new McapSink(
      context,
      group.members.flatMap(({ gaps }) => gaps.map((gap) => JSON.stringify(gap))),
      group.members.flatMap(({ metadata }) => metadata),
    );
  }
  const all = group.members.flatMap((member) =>
    member.channels.map((channel) => ({ channel, robot: robotOf(member.robot, channel.topic, options) })),
  );
  const areFiles = options.images === 'files';
  const channels = areFiles ? all.filter(({ channel }) => !isImage(channel)) : all;
  const tables =
    options.alignHz === undefined ? new TableSink(context, channels) : new AlignSink(context, channels);
  if (!areFiles) return tables;
  return new SplitSink(({ message }) => isImage(message.channel), new ImageSink(context), tables);
}

function isImage({ schema }: McapChannel): boolean {
  return imageTypes.has(schema.name);
}
