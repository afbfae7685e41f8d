import { bytes, duration, rate } from '../model/format.js';
import { curves } from '../model/history.js';
import { view } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { Chart } from '../ui/chart.js';
import { Panel } from '../ui/panel.js';

const perS = (value: number): string => `${rate(value)}/s`;
const bytesPerS = (value: number): string => `${bytes(value)}/s`;

/** Curves of the last minutes of the recorder. */
export function Charts() {
  useStore(curves.version);
  const { robot } = useStore(view);
  const { times } = curves;
  const ofRobot = robot === '' ? undefined : curves.ofRobot(robot);
  const messages = ofRobot?.messages ?? curves.of('messagesPerS');
  const volume = ofRobot?.bytes ?? curves.of('bytesPerS');
  const p50 = curves.of('commitP50Ms');
  const p99 = curves.of('commitP99Ms');
  const loss = curves.of('lossWindowMs');
  const whose = robot === '' ? '' : ` of ${robot}`;
  return (
    <Panel title="Last ten minutes" area="charts" aside={robot === '' ? 'all robots' : `rates of ${robot}`}>
      <div class="charts">
        <Chart
          title="Messages"
          times={times}
          unit={perS}
          curves={[{ name: 'messages/s', token: 'curve-1', values: messages }]}
          summary={`Message rate${whose}: ${sentence(messages, perS)}`}
        />
        <Chart
          title="Volume"
          times={times}
          unit={bytesPerS}
          curves={[{ name: 'bytes/s', token: 'curve-2', values: volume }]}
          summary={`Byte rate${whose}: ${sentence(volume, bytesPerS)}`}
        />
        <Chart
          title="Commit latency"
          times={times}
          unit={duration}
          curves={[
            { name: 'p50', token: 'curve-1', values: p50 },
            { name: 'p99', token: 'curve-3', dashed: true, values: p99 },
          ]}
          summary={`Commit latency: median ${sentence(p50, duration)}; 99th percentile ${sentence(p99, duration)}`}
        />
        <Chart
          title="Loss window"
          times={times}
          unit={duration}
          curves={[{ name: 'ms', token: 'curve-4', values: loss }]}
          summary={`Loss window: ${sentence(loss, duration)}`}
        />
      </div>
    </Panel>
  );
}

function sentence(values: readonly (number | null)[], unit: (value: number) => string): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return 'no data yet';
  const last = known.at(-1) ?? 0;
  return `now ${unit(last)}, between ${unit(Math.min(...known))} and ${unit(Math.max(...known))}`;
}
