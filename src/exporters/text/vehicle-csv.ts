import { withoutFormula } from './csv.js';
import { numberText } from './text-value.js';

/** A decoded message, or one element of its list. */
type Fields = Readonly<Record<string, unknown>>;

/** How messages of one type become the rows of a file. */
export interface RowTable {
  /** Start of the file name; `_vehicle_<id>.csv` follows. */
  readonly file: string;
  readonly columns: readonly string[];
  /** A list of messages. Each element becomes a row, with the fields of the message as columns too. */
  readonly rowsOf?: string;
}

const pose = ['x', 'y', 'theta', 'v'] as const;

/**
 * The files that the logger of a vehicle's control program writes, by the message type with the same content.
 * A fleet estimate has one row per vehicle. The logger and `export --preset vehicle` both use this table, so
 * their bytes are the same.
 */
export const vehicleTables: Readonly<Record<string, RowTable>> = {
  'holdfast/msg/VehicleTelemetry': {
    file: 'telemetry',
    columns: [
      'timestamp',
      ...pose,
      'yaw_rate',
      'acceleration',
      'steering',
      'steering_command',
      'throttle',
      'brake',
      'v_ref',
      'state',
    ],
  },
  'holdfast/msg/FleetEstimation': {
    file: 'received_fleet_estimations',
    columns: ['timestamp', 'receive_time', 'sender_id', 'vehicle_id', ...pose],
    rowsOf: 'states',
  },
  'holdfast/msg/LocalEstimation': {
    file: 'received_local_estimations',
    columns: ['timestamp', 'receive_time', 'sender_id', ...pose, 'acceleration'],
  },
};

/** `telemetry_vehicle_3.csv` */
export function vehicleFileName({ file }: Pick<RowTable, 'file'>, vehicleId: string): string {
  return `${file}_vehicle_${vehicleId}.csv`;
}

export function rowHeader({ columns }: RowTable): string {
  return `${columns.join(',')}\n`;
}

/**
 * A decoded message as lines, including line ends.
 *
 * @param guardFormulas - Texts that a spreadsheet would take for a formula get an apostrophe before them.
 */
export function rowsOfMessage(
  { columns, rowsOf }: RowTable,
  message: Fields,
  guardFormulas: boolean,
): string {
  if (rowsOf === undefined) return row(columns, message, message, guardFormulas);
  const elements = message[rowsOf];
  if (!Array.isArray(elements)) return '';
  return (elements as readonly Fields[])
    .map((element) => row(columns, message, element, guardFormulas))
    .join('');
}

function row(columns: readonly string[], message: Fields, element: Fields, guardFormulas: boolean): string {
  let line = '';
  for (let i = 0; i < columns.length; i++) {
    const name = columns[i]!;
    if (i > 0) line += ',';
    line += fieldText(Object.hasOwn(element, name) ? element[name] : message[name], guardFormulas);
  }
  return `${line}\n`;
}

function fieldText(value: unknown, guardFormulas: boolean): string {
  switch (typeof value) {
    case 'number':
      return numberText(value, false);
    case 'string':
      return quotedLine(guardFormulas ? withoutFormula(value) : value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'object':
      return value === null ? '' : secondsText(value);
    case 'undefined':
    case 'function':
    case 'symbol':
      return '';
  }
}

/** Seconds with all nine decimals, because a 64-bit float would round them. */
function secondsText({ sec = 0, nanosec, nsec }: { sec?: number; nanosec?: number; nsec?: number }): string {
  return `${sec}.${String(nanosec ?? nsec ?? 0).padStart(9, '0')}`;
}

/** Quotes as RFC 4180 does. A record is always one line, so that a torn line is recognised after a crash. */
function quotedLine(text: string): string {
  const line = text.replaceAll(/[\r\n]/g, ' ');
  return /[",]|^\s|\s$/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}
