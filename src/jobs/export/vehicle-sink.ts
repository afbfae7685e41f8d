import { configInvalid } from '../../settings/fault.js';
import { encodeName } from '../../core/name-encoding.js';
import { vehicleIdOf } from '../../core/vehicle-name.js';
import {
  rowHeader,
  rowsOfMessage,
  vehicleFileName,
  vehicleTables,
  type RowTable,
} from '../../exporters/text/vehicle-csv.js';
import { MessageDecoder } from '../../recordings/message-decoder.js';
import type { ExportMessage, GroupSink, SinkContext, WindowResult } from './group-sink.js';
import { robotOf, type ExportGroup } from './export-groups.js';
import type { ExportOptions } from './export-options.js';
import type { PlaceFile } from './output-place.js';
import { severalAtOnce } from './several-at-once.js';
import { Thinnings } from './thinning.js';
import { countLeftOver, tallyKey, TopicTallies } from './topic-tally.js';

/** Number of files fsynced at the same time. */
const FINISHED_AT_ONCE = 16;

/** Types that `--preset vehicle` exports. */
export const vehicleTypes: readonly string[] = Object.keys(vehicleTables);

interface OpenFile {
  readonly path: string;
  readonly file: PlaceFile;
  readonly holds: Set<string>;
  rows: number;
}

/**
 * The files of `holdfast/logger` from the same messages recorded as topics: the same names, columns and
 * bytes.
 */
export class VehicleSink implements GroupSink {
  readonly #files = new Map<string, OpenFile>();
  readonly #tallies = new TopicTallies();
  readonly #thinnings: Thinnings;
  readonly #decoder = new MessageDecoder();

  constructor(readonly context: SinkContext) {
    this.#thinnings = new Thinnings(context.options.every);
  }

  async add({ message, robot }: ExportMessage): Promise<void> {
    const { channel, logTime, data } = message;
    const table = vehicleTables[channel.schema.name];
    if (table === undefined) return;
    const tally = this.#tallies.of(robot, channel);
    if (!this.#thinnings.of(robot, channel.topic).keeps(logTime)) {
      tally.thinned_out++;
      return;
    }
    const decoded = this.#decoder.decode(channel, data);
    if (!decoded.ok) {
      tally.undecoded++;
      tally.reason ??= decoded.reason;
      return;
    }
    countLeftOver(tally, decoded.leftOver ?? 0);
    const open = await this.#fileOf(table, robot);
    const lines = rowsOfMessage(
      table,
      decoded.value as Readonly<Record<string, unknown>>,
      this.context.options.guardFormulas === true,
    );
    await open.file.write(Buffer.from(lines));
    open.rows += lines.split('\n').length - 1;
    open.holds.add(tallyKey(tally));
    tally.messages++;
    tally.first ??= String(logTime);
    tally.last = String(logTime);
  }

  async endWindow(): Promise<WindowResult> {
    const files = await severalAtOnce(
      this.#files.values(),
      FINISHED_AT_ONCE,
      async ({ path, file, rows, holds }) => ({ path, rows, holds: [...holds], ...(await file.finish()) }),
    );
    this.#files.clear();
    return { files, tallies: this.#tallies.take() };
  }

  async abort(): Promise<void> {
    for (const { file } of this.#files.values()) await file.abort();
    this.#files.clear();
  }

  async #fileOf(table: RowTable, robot: string): Promise<OpenFile> {
    const path = vehicleFileName(table, fileIdOf(robot));
    let open = this.#files.get(path);
    if (open === undefined) {
      const file = await this.context.place.create(path);
      await file.write(Buffer.from(rowHeader(table)));
      this.#files.set(path, (open = { path, file, holds: new Set(), rows: 0 }));
    }
    return open;
  }
}

/** Part of a file's name: the vehicle's id; for other robots, their name. */
function fileIdOf(robot: string): string {
  return encodeName(vehicleIdOf(robot));
}

/** Throws `CONFIG_INVALID` if the files of two robots would have one name. */
export function refuseSharedFiles(groups: readonly ExportGroup[], options: ExportOptions): void {
  const robots = new Map<string, string>();
  for (const { members } of groups) {
    for (const { robot: said, channels } of members) {
      for (const { topic } of channels) {
        const robot = robotOf(said, topic, options);
        const id = fileIdOf(robot);
        const other = robots.get(id) ?? robot;
        robots.set(id, robot);
        if (other === robot) continue;
        const allowed = `${JSON.stringify(other)} and ${JSON.stringify(robot)} would share files; choose with --robots`;
        throw configInvalid([{ where: '--preset', path: 'preset', value: 'vehicle', allowed }]);
      }
    }
  }
}
