import { access, connection, secondTick, status } from '../model/live.js';
import { coarse, timeOfDay } from '../model/format.js';
import { changeView, theme, view, type Theme } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { connect } from '../net/feed.js';
import { storedToken, storeToken } from '../net/token.js';

const themeNames: readonly (readonly [Theme, string])[] = [
  ['auto', 'Auto'],
  ['light', 'Light'],
  ['dark', 'Dark'],
];

export function Header() {
  const now = useStore(status);
  const { robot } = useStore(view);
  const chosenTheme = useStore(theme);
  useStore(connection);
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
        <div class="picker">
          <label for="pick-theme">Theme</label>
          <select
            id="pick-theme"
            name="theme"
            value={chosenTheme}
            onChange={({ currentTarget }) => theme.set(currentTarget.value as Theme)}
          >
            {themeNames.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </div>
        {storedToken() === undefined ? null : (
          <button
            type="button"
            class="button quiet"
            title={`Access as ${role}`}
            onClick={() => {
              storeToken(undefined);
              void connect();
            }}
          >
            Forget token
          </button>
        )}
      </div>
    </header>
  );
}

/** Whether the page shows present data. */
function Pulse() {
  const link = useStore(connection);
  useStore(secondTick);
  switch (link.state) {
    case 'live':
      return <p class="pulse pulse-live">Live</p>;
    case 'connecting':
      return <p class="pulse">Connecting…</p>;
    case 'locked':
      return <p class="pulse">Locked</p>;
    case 'lost':
      return <p class="pulse pulse-lost">Lost {coarse(Date.now() - link.sinceMs)} ago</p>;
  }
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

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 28 28" width="28" height="28" aria-hidden="true" focusable="false">
      <g fill="none" stroke="currentColor" stroke-width="2.200" stroke-linecap="round">
        <path d="M14 2v10" />
        <path d="M14 11c-1 5-7 5-9 12" />
        <path d="M14 11c-.5 5-2.500 7-3.200 12" />
        <path d="M14 11c.5 5 2.500 7 3.200 12" />
        <path d="M14 11c1 5 7 5 9 12" />
        <path class="mark-rock" d="M2 26h24" />
      </g>
    </svg>
  );
}
