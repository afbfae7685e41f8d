import { coarse, percent } from '../model/format.js';
import { Chart, type TimeSpan } from '../ui/chart.js';
import { Fact, Facts, Panel } from '../ui/panel.js';
import { FieldChart } from './field-charts.js';
import { fieldKey } from './field-history.js';
import type { FieldCurve } from './history-curve.js';
import type { DriveRole, DriveView, FieldView } from './wire.js';

const NB = '\u00a0';
const M_PER_KM = 1_000;
const M_PER_MILE = 1_609.344;
const MPS_PER_MPH = M_PER_MILE / 3_600;

/** In this order, with the colours of the curves. */
const charts: readonly (readonly [role: DriveRole, title: string, token: string])[] = [
  ['speed', 'Speed', 'curve-1'],
  ['power', 'Power', 'curve-2'],
  ['efficiency', 'Efficiency', 'curve-3'],
  ['battery', 'Battery', 'curve-4'],
];

/** The speed in the unit of the figures above it. */
const inKmh = { shownUnit: 'km/h', factor: 3.6 };

/** The fields that have a chart here. */
export function driveFieldsIn(
  drive: DriveView,
  fields: readonly FieldView[],
): ReadonlyMap<DriveRole, FieldView> {
  const found = new Map<DriveRole, FieldView>();
  for (const [role] of charts) {
    const wanted = drive.fields[role];
    const field = fields.find((one) => wanted !== undefined && fieldKey(one) === fieldKey(wanted));
    if (field !== undefined) found.set(role, field);
  }
  return found;
}

/** What a vehicle did: distance, speed, power, efficiency and battery. */
export function DrivePanel(props: {
  readonly drive: DriveView;
  readonly fields: ReadonlyMap<DriveRole, FieldView>;
  readonly curveOf: (field: FieldView) => FieldCurve;
  readonly span: TimeSpan;
  readonly isPast: boolean;
  /** The robot is not connected. */
  readonly isGone: boolean;
  /** Of the time that is shown. */
  readonly when: string;
}) {
  const { drive, fields, curveOf, span, isPast, isGone, when } = props;
  return (
    <Panel title="Drive" area="drive" aside={when}>
      <Figures drive={drive} />
      <div class="charts field-charts">
        <DistanceChart drive={drive} span={span} />
        {charts.map(([role, title, token]) => {
          const field = fields.get(role);
          return field === undefined ? null : (
            <FieldChart
              key={role}
              {...{ field, span, isPast, isGone, title, token }}
              {...(field.unit === 'm/s' ? inKmh : {})}
              curve={curveOf(field)}
            />
          );
        })}
      </div>
    </Panel>
  );
}

function Figures({ drive }: { readonly drive: DriveView }) {
  const { distance, speed, energy, whPerKm, battery } = drive;
  const inMiles = drive.fields.speed?.unit === 'mph';
  return (
    <div class="drive-figures">
      <Facts>
        <Fact term="Distance">{distance === null ? 'unknown' : <Distance {...{ distance, inMiles }} />}</Fact>
        <Fact term="Speed">{speedInWords(drive, inMiles)}</Fact>
        <Fact term="Moving">{speed === null ? 'unknown' : coarse(speed.movingS * 1_000)}</Fact>
      </Facts>
      <Facts>
        <Fact term="Energy">
          {energy === null
            ? 'unknown'
            : `${energy.netKwh.toFixed(2)}${NB}kWh, ${energy.regainedKwh.toFixed(2)}${NB}kWh came back`}
        </Fact>
        <Fact term="Efficiency">
          {whPerKm === null ? 'not far enough to say' : `${whPerKm.toFixed(0)}${NB}Wh/km`}
        </Fact>
        <Fact term="Battery">
          {battery === null ? 'unknown' : `${percent(battery.first)} to ${percent(battery.last)}`}
        </Fact>
      </Facts>
    </div>
  );
}

function Distance(props: {
  readonly distance: NonNullable<DriveView['distance']>;
  readonly inMiles: boolean;
}) {
  const { distance, inMiles } = props;
  const { metres, withinMetres, by } = distance;
  const how = by === 'odometer' ? 'by its odometer' : 'from its speed';
  return (
    <span
      title={`at most ${far(withinMetres)} from the true distance; ${coarse(distance.knownS * 1_000)} are known`}
    >
      {far(metres)}
      {inMiles ? ` (${(metres / M_PER_MILE).toFixed(1)}${NB}mi)` : ''} <span class="dim">{how}</span>
    </span>
  );
}

function far(metres: number): string {
  return metres < 1_000 ? `${metres.toFixed(0)}${NB}m` : `${(metres / 1_000).toFixed(1)}${NB}km`;
}

function speedInWords({ speed, distance }: DriveView, inMiles: boolean): string {
  if (speed === null) return 'unknown';
  const shown = (mps: number): string =>
    inMiles ? `${(mps / MPS_PER_MPH).toFixed(0)}${NB}mph` : `${(mps * 3.6).toFixed(0)}${NB}km/h`;
  const most = `at most ${shown(speed.maxMps)}`;
  if (distance === null || speed.movingS < 1) return most;
  return `${shown(distance.metres / speed.movingS)} while moving, ${most}`;
}

/** How far it has come in this time. */
function DistanceChart({ drive, span }: { readonly drive: DriveView; readonly span: TimeSpan }) {
  const { steps, stepS, distance } = drive;
  const times: number[] = [];
  const values: (number | null)[] = [];
  for (const { at, metres } of steps) {
    if (metres === null) continue;
    const s = Date.parse(at) / 1_000 + stepS;
    const last = times.at(-1);
    if (last !== undefined && s - last > 1.5 * stepS) {
      times.push(last + 0.001);
      values.push(null);
    }
    times.push(s);
    values.push(metres);
  }
  // One unit for the whole axis.
  const isFar = (distance?.metres ?? 0) >= M_PER_KM;
  const unit = (metres: number): string =>
    isFar
      ? `${(metres / M_PER_KM).toFixed(metres < 10 * M_PER_KM ? 2 : 1)}${NB}km`
      : `${metres.toFixed(0)}${NB}m`;
  const now = distance === null ? 'unknown' : unit(distance.metres);
  return (
    <div class="field-chart" data-state="known" data-field="distance">
      <Chart
        {...{ times, span, unit, now }}
        title="Distance"
        curves={[{ name: 'distance', token: 'curve-1', values }]}
        summary={`Distance in this time: ${now}`}
      />
      <p class="field-topic">
        {distance?.by === 'odometer'
          ? 'odometer; the curve is the integral of the speed'
          : 'integral of the speed'}
      </p>
    </div>
  );
}
