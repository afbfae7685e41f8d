import { useEffect, useRef, useState } from 'preact/hooks';
import { count } from '../model/format.js';
import { useStore } from '../model/store.js';
import { post } from '../net/control.js';
import { Icon } from '../ui/icon.js';
import { Panel } from '../ui/panel.js';
import { ask } from './ask.js';
import { addressOf, role } from './model.js';
import type { TrialView } from './wire.js';

const ASK_MS = 500;
const LINES_MAX = 500;
/** This near to the end, new lines scroll. */
const NEAR_PX = 40;

type Lines = TrialView['lines'];

const words: Readonly<Record<TrialView['state'], string>> = {
  stopped: 'Five vehicles drive the bundled electric drive, and send to this ground.',
  starting: 'The vehicles start…',
  playing: 'The vehicles drive.',
  stopping: 'The vehicles end, and what they recorded is removed…',
};

/** The bundled fleet of five vehicles: play, stop, cut the link, and watch. */
export function TryPage() {
  const { fleet, lines, why, look } = useTrial();
  const mayAct = useStore(role) !== 'viewer';
  const [fault, setFault] = useState<string | undefined>();
  const give = async (action: string): Promise<void> => {
    const outcome = await post(`api/trial/${action}`, {});
    setFault(outcome.ok ? undefined : outcome.why);
    look();
  };
  const isPlaying = fleet?.state === 'playing';
  const toggle = (): void => {
    if (mayAct && isPlaying) void give(fleet.isCut ? 'mend' : 'cut');
  };
  const trouble = fault ?? why ?? (fleet?.problem === '' ? undefined : fleet?.problem);
  return (
    <Panel title="Try it" area="try" aside="Five vehicles, a recorder each">
      <p>{fleet === undefined ? 'Waiting for the ground…' : words[fleet.state]}</p>
      {trouble === undefined ? null : (
        <p class="missing" role="alert">
          <strong>It does not work:</strong> {trouble}.
        </p>
      )}
      {fleet === undefined || !mayAct ? null : <Buttons {...{ fleet, give, toggle }} />}
      {mayAct ? null : <p class="empty">This token may look, but not play.</p>}
      {fleet === undefined || fleet.robots.length === 0 ? null : <Vehicles fleet={fleet} />}
      <Terminal lines={lines} isCut={fleet?.isCut === true} isPlaying={isPlaying} onEnter={toggle} />
    </Panel>
  );
}

function Buttons(props: {
  readonly fleet: TrialView;
  readonly give: (action: string) => Promise<void>;
  readonly toggle: () => void;
}) {
  const { fleet, give, toggle } = props;
  const { state, isCut } = fleet;
  const isOn = state === 'starting' || state === 'playing';
  return (
    <div class="actions">
      <button
        type="button"
        class={isOn ? 'button' : 'button primary'}
        data-action="trial"
        aria-busy={state === 'starting' || state === 'stopping'}
        onClick={() => void give(isOn ? 'stop' : 'play')}
      >
        <Icon name={isOn ? 'stop' : 'play'} />
        {isOn ? 'Stop' : 'Play'}
      </button>
      {state === 'playing' ? (
        <button type="button" class="button" data-action="link" aria-pressed={isCut} onClick={toggle}>
          <Icon name="cut" />
          {isCut ? 'Connect again' : 'Disconnect'}
        </button>
      ) : null}
    </div>
  );
}

function Vehicles({ fleet }: { readonly fleet: TrialView }) {
  return (
    <ul class="try-vehicles" role="list" aria-label="Vehicles">
      {fleet.robots.map((robot) => (
        <li key={robot}>
          <a href={addressOf(robot)}>{robot}</a>
        </li>
      ))}
    </ul>
  );
}

function Terminal(props: {
  readonly lines: Lines;
  readonly isCut: boolean;
  readonly isPlaying: boolean;
  readonly onEnter: () => void;
}) {
  const { lines, isCut, isPlaying, onEnter } = props;
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    if (isAtEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  const hint = isCut ? 'Enter connects the vehicles again' : 'Enter disconnects the vehicles';
  return (
    <>
      <div
        ref={box}
        class={`terminal ${isCut ? 'terminal-cut' : ''}`}
        role="log"
        aria-label={`Log of the vehicles. ${isPlaying ? `${hint}.` : ''}`}
        tabIndex={0}
        onScroll={({ currentTarget: at }) =>
          (isAtEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_PX)
        }
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          onEnter();
        }}
      >
        {lines.map(({ number, text }) => (
          <div key={number}>{text}</div>
        ))}
      </div>
      <p class="dim terminal-hint">
        {isPlaying ? `${hint}, while the log has the focus. ` : ''}
        {lines.length === 0 ? 'The log is empty.' : `${count(lines.length)} lines.`}
      </p>
    </>
  );
}

function useTrial() {
  const [fleet, setFleet] = useState<TrialView | undefined>();
  const [lines, setLines] = useState<Lines>([]);
  const [why, setWhy] = useState<string | undefined>();
  const [turn, setTurn] = useState(0);
  const last = useRef(0);
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      const path = `api/trial?after=${last.current}`;
      const answer = await ask<{ readonly allowed: boolean; readonly fleet?: TrialView }>(path);
      if (isOver) return;
      if ('value' in answer && answer.value.fleet !== undefined) {
        const { fleet: now } = answer.value;
        last.current = now.lines.at(-1)?.number ?? last.current;
        setFleet(now);
        if (now.lines.length > 0) setLines((before) => [...before, ...now.lines].slice(-LINES_MAX));
      }
      setWhy('why' in answer ? answer.why : answer.value.allowed ? undefined : 'this ground may not play it');
      timer = setTimeout(() => void look(), ASK_MS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [turn]);
  return { fleet, lines, why, look: () => setTurn((before) => before + 1) };
}
