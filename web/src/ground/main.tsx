import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { coarse, timeOfDay } from '../model/format.js';
import { connection, secondTick } from '../model/live.js';
import { bindTheme } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { connect, useFeed } from '../net/feed.js';
import { ForgetToken, Mark, Pulse, ThemePicker } from '../parts/brand.js';
import { TokenGate } from '../parts/token-dialog.js';
import { AdminPage } from './admin-page.js';
import { ask } from './ask.js';
import { AuditPage } from './audit-page.js';
import { FleetPage } from './fleet-page.js';
import { IssuedTokenDialog } from './issued-token.js';
import { worstFirst } from './judge.js';
import { applyGroundFrame, fleet, followAddress, mayTry, place, role } from './model.js';
import { RequestsPage } from './requests-page.js';
import { RecordingPage } from './recording-page.js';
import { RecordingsPage } from './recordings-page.js';
import { RobotPage } from './robot-page.js';
import { TryPage } from './try-page.js';
import type { GroundFrame } from './wire.js';

function App() {
  const link = useStore(connection);
  const where = useStore(place);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Header />
      <LostBanner />
      <main id="main" tabIndex={-1} class={link.state === 'lost' ? 'stale' : undefined}>
        {link.state === 'locked' ? (
          <TokenGate reason={link.reason} />
        ) : where.page === 'robot' ? (
          <RobotPage robot={where.robot} />
        ) : where.page === 'audit' ? (
          <AuditPage />
        ) : where.page === 'admin' ? (
          <AdminPage />
        ) : where.page === 'requests' ? (
          <RequestsPage />
        ) : where.page === 'try' ? (
          <TryPage />
        ) : where.page === 'recording' ? (
          <RecordingPage recording={where.recording} />
        ) : where.page === 'recordings' ? (
          <RecordingsPage />
        ) : (
          <FleetPage />
        )}
      </main>
      <IssuedTokenDialog />
    </>
  );
}

function Header() {
  const where = useStore(place);
  const as = useStore(role);
  const isTrial = useTrial();
  const current = (page: string): { 'aria-current'?: 'page' } =>
    where.page === page ? { 'aria-current': 'page' } : {};
  return (
    <header class="top">
      <div class="brand">
        <Mark />
        <h1>Holdfast</h1>
        <span class="brand-host">ground</span>
      </div>
      <nav class="pages" aria-label="Pages">
        <a href="#/" {...current('fleet')}>
          Fleet
        </a>
        <a href="#/recordings" {...current('recordings')} {...current('recording')}>
          Recordings
        </a>
        <a href="#/requests" {...current('requests')}>
          Requests
        </a>
        <a href="#/audit" {...current('audit')}>
          Audit
        </a>
        {as === 'admin' ? (
          <a href="#/admin" {...current('admin')}>
            Admin
          </a>
        ) : null}
        {isTrial ? (
          <a href="#/try" {...current('try')}>
            Try it
          </a>
        ) : null}
      </nav>
      <Pulse />
      <div class="top-tools">
        <ThemePicker />
        <ForgetToken role={as} />
      </div>
    </header>
  );
}

/** Asked again with another token. */
function useTrial(): boolean {
  const { state } = useStore(connection);
  useEffect(() => {
    if (state !== 'live') return;
    void ask<{ readonly allowed: boolean }>(`api/trial?after=${Number.MAX_SAFE_INTEGER}`).then((answer) =>
      mayTry.set('value' in answer && answer.value.allowed),
    );
  }, [state]);
  return useStore(mayTry);
}

/** A banner for a page that shows old data. */
function LostBanner() {
  const link = useStore(connection);
  useStore(secondTick);
  if (link.state !== 'lost') return null;
  return (
    <div class="lost" data-lost="ground" role="alert">
      <p>
        <strong>
          The ground does not answer since {timeOfDay(link.sinceMs)} ({coarse(Date.now() - link.sinceMs)}).
        </strong>{' '}
        {link.everLive ? 'Everything below is from that moment. ' : ''}Robots record without it.
      </p>
    </div>
  );
}

/** The hash of the address names the page, so the link must not replace it. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** The state in the title of the tab, for users with many tabs. */
function nameTab(): void {
  const lines = worstFirst(fleet.get() ?? [], Date.now());
  const bad = lines.filter(({ verdict: { tone } }) => tone === 'bad' || tone === 'warn').length;
  const what = connection.get().state === 'lost' ? 'Lost' : bad === 0 ? 'Fleet' : `${bad} need attention`;
  const title = `${what} – Holdfast ground`;
  if (document.title !== title) document.title = title;
}

useFeed({
  ...{ what: 'ground', probe: 'api/me' },
  apply: (frame) => applyGroundFrame(frame as GroundFrame),
});
bindTheme();
followAddress();
setInterval(() => {
  secondTick.set(Date.now());
  nameTab();
}, 1_000);
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
void connect();
