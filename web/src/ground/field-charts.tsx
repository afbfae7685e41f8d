import { useState } from 'preact/hooks';
import { counted } from '../model/format.js';
import { Chart, type TimeSpan } from '../ui/chart.js';
import { Panel } from '../ui/panel.js';
import { fieldKey } from './field-history.js';
import type { FieldCurve } from './history-curve.js';
import type { FieldView } from './wire.js';

export const SHOWN_FIRST = 12;
/** A chart is at least so many thresholds high, so that what is not sent does not look like movement. */
const LEAST_THRESHOLDS = 8;

/** A curve for each field. */
export function FieldCharts(props: {
  readonly fields: readonly FieldView[];
  readonly curveOf: (field: FieldView) => FieldCurve;
  readonly span: TimeSpan | undefined;
  /** The time has ended: the last value of a curve is not the present one. */
  readonly isPast: boolean;
  readonly isGone: boolean;
  readonly onAll: () => void;
}) {
  const { fields, curveOf, span, isPast, isGone, onAll } = props;
  const [isAll, setAll] = useState(false);
  const shown = isAll ? fields : fields.slice(0, SHOWN_FIRST);
  const unknown = fields.filter(({ state }) => state === 'unknown').length;
  const aside =
    unknown === 0 ? counted(fields.length, 'field') : `${unknown} of ${fields.length} fields unknown`;
  return (
    <Panel title="Fields" area="fields" aside={aside}>
      {fields.length === 0 ? (
        <p class="empty">
          It sends no other fields. <code>ground.fields</code> chooses them.
        </p>
      ) : (
        <div class="charts field-charts">
          {shown.map((field) => (
            <FieldChart key={fieldKey(field)} {...{ field, span, isPast, isGone }} curve={curveOf(field)} />
          ))}
        </div>
      )}
      {shown.length < fields.length ? (
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            setAll(true);
            onAll();
          }}
        >
          Show all {fields.length} fields
        </button>
      ) : null}
    </Panel>
  );
}

/** The curve of a field, with what it is now. */
export function FieldChart(props: {
  readonly field: FieldView;
  readonly curve: FieldCurve;
  readonly span: TimeSpan | undefined;
  readonly isPast: boolean;
  /** The robot is not connected: the value is the last that it sent. */
  readonly isGone: boolean;
  /** Default: the path of the field. */
  readonly title?: string;
  readonly token?: string;
  /** Values are shown in this unit, multiplied by `factor`. Default: the unit of the field. */
  readonly shownUnit?: string;
  readonly factor?: number;
}) {
  const { field, span, isPast, isGone, title = field.path, token = 'curve-1' } = props;
  const { topic, path, state } = field;
  const { shownUnit = field.unit, factor = 1 } = props;
  const curve = times(props.curve, factor);
  const threshold = field.threshold * factor;
  const value = field.value === null ? null : field.value * factor;
  const withUnit = (one: number): string => `${digits(one, threshold)}${unitAfter(shownUnit)}`;
  const now = value === null ? words[state] : `${withUnit(value)} ±${withUnit(threshold)}`;
  return (
    <div class="field-chart" data-state={isGone ? 'unknown' : state} data-field={path}>
      <Chart
        {...{ title, span }}
        times={curve.times}
        curves={[{ name: path, token, values: curve.values, band: { low: curve.low, high: curve.high } }]}
        unit={withUnit}
        around={Math.max(threshold, 1e-6) * LEAST_THRESHOLDS}
        now={isPast ? undefined : value === null ? words[state] : withUnit(value)}
        summary={`${title} of ${topic}: ${isGone ? 'last' : 'now'} ${now}; ${betweenInWords(curve, withUnit)}`}
      />
      <p class="field-topic">
        {topic} <span class="dim">within {withUnit(threshold)}</span>
      </p>
    </div>
  );
}

function times(curve: FieldCurve, factor: number): FieldCurve {
  if (factor === 1) return curve;
  const all = (values: readonly (number | null)[]): readonly (number | null)[] =>
    values.map((one) => (one === null ? null : one * factor));
  return { times: curve.times, values: all(curve.values), low: all(curve.low), high: all(curve.high) };
}

function betweenInWords({ low, high }: FieldCurve, unit: (value: number) => string): string {
  const known = (values: readonly (number | null)[]): number[] => values.filter((one) => one !== null);
  const [lows, highs] = [known(low), known(high)];
  if (lows.length === 0 || highs.length === 0) return 'no curve in this time';
  const [least, most] = [lows.reduce((a, b) => Math.min(a, b)), highs.reduce((a, b) => Math.max(a, b))];
  return `between ${unit(least)} and ${unit(most)} in this time`;
}

/** A degree follows its number without a space. */
function unitAfter(unit: string): string {
  return unit === '' || unit === '°' ? unit : `\u00a0${unit}`;
}

const words: Readonly<Record<FieldView['state'], string>> = {
  known: '–',
  absent: 'no value',
  unknown: 'unknown',
};

/** As many digits as the threshold allows. */
function digits(value: number, threshold: number): string {
  const decimals = threshold > 0 ? Math.max(0, Math.min(7, Math.ceil(-Math.log10(threshold)) + 1)) : 6;
  return value.toFixed(decimals);
}
