import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes, count, counted, msOf, percent, rate, timeOfDay } from '../model/format.js';
import { connection, secondTick, serverNow } from '../model/live.js';
import { useStore } from '../model/store.js';
import { Fact, Facts, Panel } from '../ui/panel.js';
import { AnswerCard } from './answer-card.js';
import { ask } from './ask.js';
import { FieldHistory } from './field-history.js';
import { judge, type Cell } from './judge.js';
import { fleet } from './model.js';
import { RobotActions } from './robot-actions.js';
import { RobotSegments } from './robot-segments.js';
import { RobotTelemetry, robotNow } from './robot-telemetry.js';
import { usePoll } from './use-poll.js';
import type { FleetRow, HoleCounts, HoleView, RobotDetail } from './wire.js';

const ASK_MS = 1_000;
const HOLES_MS = 10_000;

/** Everything about one robot. */
export function RobotPage({ robot }: { readonly robot: string }) {
  const { detail, why, history } = useRobot(robot);
  const row = useStore(fleet)?.find((one) => one.robot === robot || one.vin === robot);
  useStore(secondTick);
  // Then the banner says so.
  const isLost = useStore(connection).state === 'lost';
  return (
    <>
      <nav class="crumbs" aria-label="Where">
        <a href="#/">Fleet</a> <span aria-hidden="true">/</span> <b>{detail?.robot ?? robot}</b>
        {detail?.vin ? <span class="dim"> {detail.vin}</span> : null}
      </nav>
      {why === undefined || isLost ? null : (
        <p class="missing" role="alert">
          <strong>No news of {robot}:</strong> {why}.
        </p>
      )}
      {detail?.refusedVin ? (
        <p class="missing" role="alert">
          <strong>It says the VIN {detail.refusedVin} and may not:</strong> the VIN is bound to another robot,
          or this robot to another VIN. What it sends is kept under its name.
        </p>
      ) : null}
      {detail === undefined || row === undefined ? null : (
        <Known detail={detail} row={row} history={history} />
      )}
    </>
  );
}

function Known(props: {
  readonly detail: RobotDetail;
  readonly row: FleetRow;
  readonly history: FieldHistory;
}) {
  const { detail, row, history } = props;
  const verdict = judge(row, serverNow());
  const { value: holes } = usePoll<HolesAnswer>(
    `api/robots/${encodeURIComponent(detail.robot)}/holes`,
    HOLES_MS,
  );
  return (
    <>
      <section class="answers fleet-answers" aria-label="At a glance">
        <Card name="state" question="Is it recording?" cell={verdict.state} line={stateLine(detail)} />
        <Card name="heard" question="When was it heard?" cell={verdict.heard} line={heardLine(detail)} />
        <Card
          name="unsynced"
          question="What is not in the store?"
          cell={verdict.unsynced}
          line={linkLine(detail)}
        />
        <Card
          name="risk"
          question="What would a power cut lose now?"
          cell={verdict.risk}
          line={diskLine(verdict.disk)}
        />
      </section>
      <RobotActions
        robot={detail.robot}
        isConnected={detail.connected}
        isPaused={detail.status?.state === 'paused'}
        tags={detail.tags}
      />
      <TagList tags={detail.tags ?? {}} />
      <Alerts alerts={detail.alerts} />
      <div class="robot-panels">
        <RobotTelemetry key={detail.robot} detail={detail} history={history} />
        <div class="robot-side">
          <LinkPanel detail={detail} holes={holes} />
          <RobotSegments detail={detail} holes={holes?.holes ?? []} />
          <Events detail={detail} />
        </div>
      </div>
    </>
  );
}

function Card(props: {
  readonly name: string;
  readonly question: string;
  readonly cell: Cell;
  readonly line: string;
}) {
  const { name, question, cell, line } = props;
  const headline = cell.text.charAt(0).toUpperCase() + cell.text.slice(1);
  return <AnswerCard {...{ name, question, headline, line }} tone={cell.tone} />;
}

function stateLine({ status, reportedAt }: RobotDetail): string {
  if (status === null) return 'It has not reported, or reports are missing.';
  if (status.stalledReason !== undefined) return status.stalledReason;
  const since = reportedAt === null ? '' : ` Reported at ${timeOfDay(Date.parse(reportedAt))}.`;
  return `${rate(status.messagesPerS ?? 0)} messages/s, ${bytes(status.bytesPerS ?? 0)}/s.${since}`;
}

function heardLine({ clockBehindS, connected }: RobotDetail): string {
  if (!connected) return 'Everything below is what it said last.';
  if (clockBehindS === null) return 'It is connected and sends no fields.';
  const off = Math.abs(clockBehindS);
  if (off < 2) return 'It is connected.';
  return `Its clock is ${off.toFixed(0)} s ${clockBehindS > 0 ? 'behind' : 'ahead'}.`;
}

function linkLine({ status }: RobotDetail): string {
  if (status?.link === undefined) return 'Sync does not answer the recorder.';
  const words = status.link === 'online' ? 'The store is in reach' : `The link to the store: ${status.link}`;
  const speed = status.transferBytesPerS ?? 0;
  return speed > 0 ? `${words}, ${bytes(speed)}/s.` : `${words}.`;
}

function diskLine({ text }: Cell): string {
  return `Disk: ${text}.`;
}

function TagList({ tags }: { readonly tags: Readonly<Record<string, string>> }) {
  const all = Object.entries(tags);
  if (all.length === 0) return null;
  return (
    <ul class="robot-tags" role="list" aria-label="Tags">
      {all.map(([name, value]) => (
        <li key={name}>
          <span class="dim">{name}</span> {value}
        </li>
      ))}
    </ul>
  );
}

function Alerts({ alerts }: Pick<RobotDetail, 'alerts'>) {
  if (alerts.length === 0) return null;
  return (
    <ul class="alerts" role="list" aria-label="Alerts">
      {alerts.map(({ id, severity, summary, sinceMs }) => (
        <li key={id} class={`alert alert-${severity}`}>
          <strong>{severity === 'critical' ? 'Critical' : 'Warning'}:</strong> {summary}
          {sinceMs === 0 ? '' : `, since ${timeOfDay(sinceMs)}`}.
        </li>
      ))}
    </ul>
  );
}

type HolesAnswer = HoleCounts & { readonly holes: readonly HoleView[] };

function LinkPanel(props: { readonly detail: RobotDetail; readonly holes: HoleCounts | undefined }) {
  const { detail, holes } = props;
  const {
    bytes: received,
    messages,
    gaps,
    telemetryBytes,
    fullBytes,
    jsonBytes,
    version,
    status,
    connections,
  } = detail;
  const saved = fullBytes === 0 ? undefined : 1 - telemetryBytes / fullBytes;
  return (
    <Panel title="Uplink" area="uplink">
      <Facts>
        <Fact term="Bandwidth saved">
          {saved === undefined
            ? 'nothing was sent yet'
            : `${percent(saved * 100)}: ${bytes(telemetryBytes)} instead of ${bytes(fullBytes)}, or ${bytes(jsonBytes)} as JSON, since the ground started`}
        </Fact>
        <Fact term="Received">
          {bytes(received)} in {counted(messages, 'message')}
        </Fact>
        <Fact term="Connections">
          {count(connections)}, {counted(gaps, 'gap')}
        </Fact>
        <Fact term="Dropped" tone={(status?.dropped ?? 0) > 0 ? 'warn' : undefined}>
          {status?.dropped === undefined ? 'unknown' : counted(status.dropped, 'message')}
        </Fact>
        <Fact term="Outbox" tone={isOutboxBad(status) ? 'warn' : undefined}>
          {outboxLine(status)}
        </Fact>
        <Fact term="Holes of the history" tone={(holes?.open ?? 0) > 0 ? 'warn' : undefined}>
          {holesLine(holes)}
        </Fact>
        <Fact term="Holdfast">{version === '' ? 'unknown' : version}</Fact>
      </Facts>
    </Panel>
  );
}

/** Undefined: the ground keeps no history, or has not answered. */
function holesLine(holes: HoleCounts | undefined): string {
  if (holes === undefined) return 'unknown';
  const { open, filled, lost, values } = holes;
  if (open + filled + lost === 0) return 'none';
  const words = open === 0 ? [] : [`${count(open)} wait for their segments`];
  if (filled > 0) words.push(`${count(filled)} filled in with ${counted(values, 'value')}`);
  if (lost > 0) words.push(`${count(lost)} lost`);
  return words.join(', ');
}

function isOutboxBad(status: RobotDetail['status']): boolean {
  return (status?.outboxSamples ?? 0) + (status?.outboxLostSamples ?? 0) > 0;
}

function outboxLine(status: RobotDetail['status']): string {
  const { outboxSamples: waiting, outboxLostSamples: lost = 0 } = status ?? {};
  if (waiting === undefined) return 'unknown';
  const words = waiting === 0 ? 'empty' : `${counted(waiting, 'sample')} of an outage to come`;
  return lost === 0 ? words : `${words}, ${counted(lost, 'sample')} lost`;
}

function Events({ detail: { events } }: { readonly detail: RobotDetail }) {
  return (
    <Panel title="Marked events" area="events" aside={counted(events.length, 'event')}>
      {events.length === 0 ? (
        <p class="empty">None since the robot connected.</p>
      ) : (
        <ul class="plain-list" role="list">
          {[...events].reverse().map(({ id, label, at }) => (
            <li key={id}>
              <span class="dim">{timeOfDay(msOf(at))}</span> {label}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** Asks for the robot once per second while the page is seen. */
function useRobot(robot: string) {
  const [detail, setDetail] = useState<RobotDetail | undefined>();
  const [why, setWhy] = useState<string | undefined>();
  const history = useRef(new FieldHistory());
  useEffect(() => {
    history.current = new FieldHistory();
    setDetail(undefined);
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      if (!document.hidden) {
        const answer = await ask<RobotDetail>(`api/robots/${encodeURIComponent(robot)}`);
        if (isOver) return;
        if ('value' in answer) {
          const { fields, connected } = answer.value;
          history.current.add(robotNow(answer.value), fields, connected);
          setDetail(answer.value);
        }
        setWhy('why' in answer ? answer.why : undefined);
      }
      timer = setTimeout(() => void look(), ASK_MS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [robot]);
  return { detail, why, history: history.current };
}
