import { withoutFormula } from './csv.js';
import { numberText } from './text-value.js';

/** A decoded message, or one element of its list. */
type Fields = Readonly<Record<string, unknown>>;

/** How messages of one type become rows of a file of their own. */
export interface RowTable {
  /** Begin of the file's name; `_vehicle_<id>.csv` follows. */
  readonly file: string;
  readonly columns: readonly string[];
  /** A list of messages whose elements become a row each; their fields are columns too. */
  readonly rowsOf?: string;
}

const pose = ['x', 'y', 'theta', 'v'] as const;

/**
 * The files that loggers of vehicle control programs write, by the type of message with the same content. A fleet
 * estimate is one row per vehicle. The logger and `export --preset vehicle` both go by this table, so that they
 * give the same bytes.
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
 * A decoded message as lines, each with its end.
 *
 * @param guardFormulas texts that a spreadsheet would take for a formula get an apostrophe before them
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

/** Seconds with all nine decimals: a number of 64 bits would round them. */
function secondsText({ sec = 0, nanosec, nsec }: { sec?: number; nanosec?: number; nsec?: number }): string {
  return `${sec}.${String(nanosec ?? nsec ?? 0).padStart(9, '0')}`;
}

/** As RFC 4180 quotes; but one record is one line, so that a torn line can be recognised after a crash. */
function quotedLine(text: string): string {
  const line = text.replaceAll(/[\r\n]/g, ' ');
  return /[",]|^\s|\s$/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}
