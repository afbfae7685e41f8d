import { access, connection, secondTick, status } from '../model/live.js';
import { coarse, timeOfDay } from '../model/format.js';
import { changeView, view } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { ForgetToken, Mark, Pulse, ThemePicker } from './brand.js';

export function Header() {
  const now = useStore(status);
  const { robot } = useStore(view);
  const { role } = useStore(access);
  const robots = (now?.recorder.robots ?? []).map((one) => one.robot);
  // A chosen robot stays chosen before it is seen and after it is gone.
  const options = robot === '' || robots.includes(robot) ? robots : [...robots, robot];
  return (
    <header class="top">
      <div class="brand">
        <Mark />
        <h1>Holdfast</h1>
        {now === undefined ? null : <span class="brand-host">{now.host}</span>}
      </div>
      <Pulse />
      <div class="top-tools">
        <div class="picker">
          <label for="pick-robot">Robot</label>
          <select
            id="pick-robot"
            name="robot"
            value={robot}
            onChange={({ currentTarget }) => changeView({ robot: currentTarget.value })}
          >
            <option value="">All robots ({robots.length})</option>
            {options.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <ThemePicker />
        <ForgetToken role={role} />
      </div>
    </header>
  );
}

/** A banner for a page that shows old data. */
export function LostBanner() {
  const link = useStore(connection);
  useStore(secondTick);
  if (link.state !== 'lost') return null;
  const retryInMs = link.retryAtMs - Date.now();
  return (
    <div class="lost" data-lost="recorder">
      <p>
        <strong>
          {link.everLive ? 'The recorder process stopped answering' : 'The recorder does not answer'} since{' '}
          {timeOfDay(link.sinceMs)} ({coarse(Date.now() - link.sinceMs)}).
        </strong>{' '}
        {link.everLive ? 'Everything below is from that moment. ' : ''}
        Committed messages are safe on its disk.{' '}
        {retryInMs > 500 ? `Trying again in ${coarse(retryInMs)}.` : 'Trying again…'}
      </p>
    </div>
  );
}
