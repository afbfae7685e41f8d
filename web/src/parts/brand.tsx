import { coarse } from '../model/format.js';
import { connection, secondTick } from '../model/live.js';
import { theme, type Theme } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { connect } from '../net/feed.js';
import { storedToken, storeToken } from '../net/token.js';

const themeNames: readonly (readonly [Theme, string])[] = [
  ['auto', 'Auto'],
  ['light', 'Light'],
  ['dark', 'Dark'],
];

export function ThemePicker() {
  const chosenTheme = useStore(theme);
  return (
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
  );
}

/** Nothing without a token. */
export function ForgetToken({ role }: { readonly role: string }) {
  useStore(connection);
  if (storedToken() === undefined) return null;
  return (
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
  );
}

/** Whether the page shows present data. */
export function Pulse() {
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

export function Mark() {
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
