import { configInvalid } from '../parameters/fault.js';
import { encodeName } from '../../core/name-encoding.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import {
  rowHeader,
  rowsOfMessage,
  vehicleFileName,
  vehicleTables,
  type RowTable,
} from '../../exporters/text/vehicle-csv.js';
import { MessageDecoder } from '../reading/message-decoder.js';
import type { ExportMessage, GroupSink, SinkContext, WindowResult } from './group-sink.js';
import { robotOf, type ExportGroup } from './export-groups.js';
import type { ExportOptions } from './export-options.js';
import type { PlaceFile } from './output-place.js';
import { Thinning } from './thinning.js';
import { newTally, tallyKey, type TopicTally } from './topic-tally.js';

/** Types that `--preset vehicle` exports. */
export const vehicleTypes: readonly string[] = Object.keys(vehicleTables);

interface OpenFile {
  readonly path: string;
  readonly file: PlaceFile;
  readonly holds: Set<string>;
  rows: number;
}

/** The files of `holdfast/logger`, out of the same messages recorded as topics: the same names, columns and bytes. */
export class VehicleSink implements GroupSink {
  readonly #files = new Map<string, OpenFile>();
  readonly #tallies = new Map<string, TopicTally>();
  readonly #thinnings = new Map<string, Thinning>();
  readonly #decoder = new MessageDecoder();

  constructor(readonly context: SinkContext) {}

  async add({ message, robot }: ExportMessage): Promise<void> {
    const { channel, logTime, data } = message;
    const table = vehicleTables[channel.schema.name];
    if (table === undefined) return;
    const tally = this.#tallyOf(channel, robot);
    if (!this.#thinningOf(robot, channel.topic).keeps(logTime)) {
      tally.thinned_out++;
      return;
    }
    const decoded = this.#decoder.decode(channel, data);
    if (!decoded.ok) {
      tally.undecoded++;
      tally.reason ??= decoded.reason;
      return;
    }
    const open = await this.#fileOf(table, robot);
    const lines = rowsOfMessage(table, decoded.value as Readonly<Record<string, unknown>>);
    await open.file.write(Buffer.from(lines));
    open.rows += lines.split('\n').length - 1;
    open.holds.add(tallyKey(tally));
    tally.messages++;
    tally.first ??= String(logTime);
    tally.last = String(logTime);
  }

  async endWindow(): Promise<WindowResult> {
    const files = [];
    for (const { path, file, rows, holds } of this.#files.values()) {
      files.push({ path, rows, holds: [...holds], ...(await file.finish()) });
    }
    this.#files.clear();
    const tallies = [...this.#tallies.values()];
    this.#tallies.clear();
    return { files, tallies };
  }

  async abort(): Promise<void> {
    for (const { file } of this.#files.values()) await file.abort();
    this.#files.clear();
  }

  async #fileOf(table: RowTable, robot: string): Promise<OpenFile> {
    const path = vehicleFileName(table, vehicleIdOf(robot));
    let open = this.#files.get(path);
    if (open === undefined) {
      const file = await this.context.place.create(path);
      await file.write(Buffer.from(rowHeader(table)));
      this.#files.set(path, (open = { path, file, holds: new Set(), rows: 0 }));
    }
    return open;
  }

  #tallyOf({ topic, schema, encoding }: McapChannel, robot: string): TopicTally {
    const fresh = newTally(robot, topic, schema.name, encoding);
    const key = tallyKey(fresh);
    let tally = this.#tallies.get(key);
    if (tally === undefined) this.#tallies.set(key, (tally = fresh));
    return tally;
  }

  #thinningOf(robot: string, topic: string): Thinning {
    const key = JSON.stringify([robot, topic]);
    let thinning = this.#thinnings.get(key);
    if (thinning === undefined) {
      this.#thinnings.set(key, (thinning = new Thinning(this.context.options.every)));
    }
    return thinning;
  }
}

/** `3` of the robot `vehicle_3`, as a logger names it; of others their name. */
function vehicleIdOf(robot: string): string {
  return encodeName(/^vehicle_(.+)$/.exec(robot)?.[1] ?? robot);
}

/** Two robots whose files would have one name are refused: `CONFIG_INVALID`. */
export function refuseSharedFiles(groups: readonly ExportGroup[], options: ExportOptions): void {
  const robots = new Map<string, string>();
  for (const { members } of groups) {
    for (const { robot: said, channels } of members) {
      for (const { topic } of channels) {
        const robot = robotOf(said, topic, options);
        const id = vehicleIdOf(robot);
        const other = robots.get(id) ?? robot;
        robots.set(id, robot);
        if (other === robot) continue;
        const allowed = `${JSON.stringify(other)} and ${JSON.stringify(robot)} would share files; choose with --robots`;
        throw configInvalid([{ where: '--preset', path: 'preset', value: 'vehicle', allowed }]);
      }
    }
  }
}
