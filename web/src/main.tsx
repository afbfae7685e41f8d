import { render } from 'preact';
import { linkAnswer, recordingAnswer } from './model/answers.js';
import { connection, secondTick, status, syncSeenAtMs } from './model/live.js';
import { bindSettings } from './model/settings.js';
import { useStore } from './model/store.js';
import { applyFrame } from './net/apply.js';
import { connect, useFeed } from './net/feed.js';
import { Alerts } from './parts/alerts.js';
import { Answers } from './parts/answers.js';
import { Charts } from './parts/charts.js';
import { Fleet } from './parts/fleet.js';
import { Header, LostBanner } from './parts/header.js';
import { LogPanel } from './parts/log-panel.js';
import { SyncPanel } from './parts/sync-panel.js';
import { StoragePanel, SystemPanel } from './parts/system-panel.js';
import { Timeline } from './parts/timeline.js';
import { TokenGate } from './parts/token-dialog.js';
import { Topics } from './parts/topics.js';
import type { Frame } from './wire.js';

function App() {
  const link = useStore(connection);
  const isKnown = useStore(status) !== undefined;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Header />
      <div aria-live="assertive">
        <LostNotice />
      </div>
      <LostBanner />
      <main id="main" tabIndex={-1} class={link.state === 'lost' ? 'stale' : undefined}>
        {link.state === 'locked' ? (
          <TokenGate reason={link.reason} />
        ) : (
          <>
            <Answers />
            <Alerts />
            {isKnown ? (
              <div class="panels">
                <div class="rail">
                  <Fleet />
                  <SyncPanel />
                </div>
                <div class="wide">
                  <Charts />
                  <Timeline />
                  <Topics />
                  <LogPanel />
                </div>
                <div class="foot">
                  <StoragePanel />
                  <SystemPanel />
                </div>
              </div>
            ) : null}
          </>
        )}
      </main>
    </>
  );
}

/** Announced once when the recorder is lost. The running seconds of the banner are not announced. */
function LostNotice() {
  const link = useStore(connection);
  return (
    <p class="unseen">
      {link.state === 'lost' && link.everLive ? 'The recorder process does not answer any more.' : ''}
    </p>
  );
}

/** The hash of the address holds the view, so the link must not replace it. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** The state in the title of the tab, for users with many tabs. */
function nameTab(): void {
  const now = status.get();
  const recording = recordingAnswer(now, connection.get(), '');
  const link = linkAnswer(now, syncSeenAtMs.get());
  const worst = recording.tone === 'ok' && link.tone !== 'ok' && link.tone !== 'info' ? link : recording;
  const title = `${worst.headline} – ${now?.host ?? 'Holdfast'}`;
  if (document.title !== title) document.title = title;
}

useFeed({ what: 'recorder', probe: 'alerts', apply: (frame) => applyFrame(frame as Frame) });
bindSettings();
setInterval(() => {
  secondTick.set(Date.now());
  nameTab();
}, 1_000);
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
void connect();
