import { status } from '../model/live.js';
import { bytes, count, rate } from '../model/format.js';
import { changeView, view } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { Panel } from '../ui/panel.js';
import type { RobotStatus } from '../wire.js';

/** One line per robot. Choosing a robot filters the page. */
export function Fleet() {
  const now = useStore(status);
  const { robot: chosen } = useStore(view);
  const robots = now?.recorder.robots ?? [];
  const largest = Math.max(1, ...robots.map((one) => one.bytesPerS));
  return (
    <Panel
      title="Fleet"
      area="fleet"
      aside={
        chosen === '' ? (
          `${robots.length} ${robots.length === 1 ? 'robot' : 'robots'}`
        ) : (
          <button type="button" class="link" onClick={() => changeView({ robot: '' })}>
            Show all {robots.length}
          </button>
        )
      }
    >
      {robots.length === 0 ? (
        <p class="empty">No message of a robot has arrived yet.</p>
      ) : (
        <div class="scroll fleet-scroll" role="region" aria-label="Fleet table" tabIndex={0}>
          <table class="grid fleet-grid">
            <thead>
              <tr>
                <th scope="col">Robot</th>
                <th scope="col" class="num">
                  Messages/s
                </th>
                <th scope="col" class="num">
                  Rate
                </th>
                <th scope="col" class="num">
                  Dropped
                </th>
              </tr>
            </thead>
            <tbody>
              {robots.map((one) => (
                <Row key={one.robot} robot={one} isChosen={one.robot === chosen} largest={largest} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Row({
  robot,
  isChosen,
  largest,
}: {
  readonly robot: RobotStatus;
  readonly isChosen: boolean;
  readonly largest: number;
}) {
  const isSilent = robot.messagesPerS === 0;
  return (
    <tr class={isChosen ? 'chosen' : undefined}>
      <th scope="row">
        <button
          type="button"
          class="row-button"
          aria-pressed={isChosen}
          onClick={() => changeView({ robot: isChosen ? '' : robot.robot })}
        >
          <span class={`lamp ${isSilent ? 'lamp-off' : 'lamp-on'}`} aria-hidden="true" />
          {robot.robot}
          {isSilent ? <span class="unseen">, silent</span> : null}
        </button>
      </th>
      <td class="num">{isSilent ? <span class="tone-warn">silent</span> : rate(robot.messagesPerS)}</td>
      <td class="num share-cell">
        <span
          class="share"
          aria-hidden="true"
          style={{ width: `${((robot.bytesPerS / largest) * 100).toFixed(1)}%` }}
        />
        {bytes(robot.bytesPerS)}/s
      </td>
      <td class={`num ${robot.dropped > 0 ? 'tone-warn' : 'dim'}`}>{count(robot.dropped)}</td>
    </tr>
  );
}
