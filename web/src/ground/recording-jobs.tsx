import { useEffect, useRef, useState } from 'preact/hooks';
import { useStore } from '../model/store.js';
import { post } from '../net/control.js';
import { Icon } from '../ui/icon.js';
import { ask } from './ask.js';
import { role } from './model.js';

const ASK_MS = 1_000;
const formats = ['csv', 'parquet', 'jsonl', 'numpy', 'tfrecord'] as const;

interface Job {
  readonly job: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly message: string;
  readonly path?: string;
}

/** A report or an export of a recording, made by the ground and then downloaded. */
export function RecordingJobs({ recording }: { readonly recording: number }) {
  const mayAct = useStore(role) !== 'viewer';
  const [format, setFormat] = useState<string>(formats[0]);
  const { text, tone, path, start } = useJob();
  if (!mayAct) return null;
  const at = `api/recordings/${recording}`;
  return (
    <div class="actions recording-jobs">
      <button type="button" class="button" onClick={() => void start(`${at}/report`, {}, 'Report')}>
        <Icon name="flag" />
        Report
      </button>
      <button type="button" class="button" onClick={() => void start(`${at}/export`, { format }, 'Export')}>
        <Icon name="export" />
        Export
      </button>
      <label class="export-format">
        <span>as</span>
        <select name="format" value={format} onInput={({ currentTarget }) => setFormat(currentTarget.value)}>
          {formats.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <p class={`outcome outcome-${tone}`} role="status">
        {text}
        {path === undefined ? null : (
          <>
            {' '}
            <a href={path} download>
              Save it
            </a>
          </>
        )}
      </p>
    </div>
  );
}

interface Shown {
  readonly text: string;
  readonly tone: 'ok' | 'bad' | 'info';
  readonly path?: string | undefined;
}

function useJob() {
  const [shown, setShown] = useState<Shown>({ text: '', tone: 'info' });
  const turn = useRef(0);
  useEffect(
    () => () => {
      turn.current++;
    },
    [],
  );
  const start = async (path: string, body: object, what: string): Promise<void> => {
    const mine = ++turn.current;
    setShown({ text: `${what}: the ground reads the recording…`, tone: 'info' });
    const outcome = await post(path, body);
    if (!outcome.ok) {
      if (turn.current === mine) setShown({ text: `${what}: ${outcome.why}.`, tone: 'bad' });
      return;
    }
    const { job } = outcome.result as Job;
    while (turn.current === mine) {
      const answer = await ask<Job>(`api/jobs/${job}`);
      if (turn.current !== mine) return;
      const isDone = 'value' in answer && answer.value.state === 'done';
      if (isDone) setShown({ text: `${what}: ready.`, tone: 'ok', path: answer.value.path });
      const why = 'why' in answer ? answer.why : answer.value.message;
      if (why !== '') setShown({ text: `${what}: ${why}.`, tone: 'bad' });
      if (why !== '' || isDone) return;
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  };
  return { ...shown, start };
}
