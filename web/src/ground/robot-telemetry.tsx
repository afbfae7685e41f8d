import { useState } from 'preact/hooks';
import { serverNow } from '../model/live.js';
import { DrivePanel, driveFieldsIn } from './drive-panel.js';
import { FieldCharts, SHOWN_FIRST } from './field-charts.js';
import { fieldKey, type FieldHistory } from './field-history.js';
import { noCurve, withLive, type FieldCurve } from './history-curve.js';
import { firstRange, rangeInWords, refreshMsOf, spanOfRange, type HistoryRange } from './history-range.js';
import { RangePicker } from './range-picker.js';
import { timesOf, useHistory } from './use-history.js';
import { usePoll } from './use-poll.js';
import type { DriveView, FieldView, RobotDetail } from './wire.js';

/** Of what has ended, the sums still grow when a robot sends what it kept. */
const SETTLED_MS = 60_000;

/** The fields of a robot over time: of a vehicle its drive, then the others. */
export function RobotTelemetry(props: { readonly detail: RobotDetail; readonly history: FieldHistory }) {
  const { detail, history } = props;
  const { robot, fields } = detail;
  const [range, setRange] = useState<HistoryRange>(firstRange);
  const [isAll, setAll] = useState(false);
  const now = (): number => robotNow(detail);
  const drive = useDrive(robot, range, now);
  const ofDrive = drive === undefined ? new Map<never, FieldView>() : driveFieldsIn(drive, fields);
  const others = fields.filter((field) => ![...ofDrive.values()].includes(field));
  const asked = [...ofDrive.values(), ...(isAll ? others : others.slice(0, SHOWN_FIRST))];
  const past = useHistory(robot, asked, range, now);
  const { fromMs, toMs } = spanOfRange(range, now());
  const span = past.isAbsent ? undefined : { from: fromMs / 1_000, to: toMs / 1_000 };
  const isPast = range.kind === 'between';
  const isGone = !detail.connected;
  const curveOf = (field: FieldView): FieldCurve => {
    const [key, live] = [fieldKey(field), history.of(fieldKey(field))];
    if (past.isAbsent) return live;
    const known = past.curves.get(key);
    if (isPast) return known ?? noCurve;
    return withLive(known ?? noCurve, live, fromMs / 1_000);
  };
  return (
    <div class="robot-telemetry">
      {past.isAbsent ? (
        <p class="range-note">This ground keeps no history: the curves begin when the page was opened.</p>
      ) : (
        <div class="range-bar">
          <h2>Telemetry</h2>
          <RangePicker range={range} nowMs={now()} onPick={setRange} />
          {past.why === undefined ? null : (
            <p class="missing" role="alert">
              <strong>No history:</strong> {past.why}.
            </p>
          )}
        </div>
      )}
      {drive === undefined || span === undefined ? null : (
        <DrivePanel
          {...{ drive, curveOf, span, isPast, isGone }}
          fields={ofDrive}
          when={rangeInWords(range)}
        />
      )}
      <FieldCharts {...{ curveOf, span, isPast, isGone }} fields={others} onAll={() => setAll(true)} />
    </div>
  );
}

/** The time on the clock of the robot, which may be hours off. */
export function robotNow({ clockBehindS }: Pick<RobotDetail, 'clockBehindS'>): number {
  return serverNow() - (clockBehindS ?? 0) * 1_000;
}

/** Undefined: it is no vehicle, or the ground keeps no history. */
function useDrive(robot: string, range: HistoryRange, now: () => number): DriveView | undefined {
  const everyMs = refreshMsOf(range) ?? SETTLED_MS;
  const path = (): string =>
    `api/robots/${encodeURIComponent(robot)}/drive?${new URLSearchParams(timesOf(range, now())).toString()}`;
  const { value } = usePoll<{ readonly drive: DriveView | null }>(
    path,
    everyMs,
    JSON.stringify([robot, range]),
  );
  return value?.drive ?? undefined;
}
