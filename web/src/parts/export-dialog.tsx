import { useId, useState } from 'preact/hooks';
import { access } from '../model/live.js';
import { view } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { Dialog } from '../ui/dialog.js';

/** Formats by their usual names; the server lists the available ones. */
const titles: Readonly<Record<string, string>> = {
  mcap: 'MCAP',
  rosbag2: 'rosbag2 folder',
  parquet: 'Parquet',
  csv: 'CSV',
  jsonl: 'JSON lines',
  numpy: 'NumPy',
  tfrecord: 'TFRecord',
};

/** Asks what to export. `onExport` resolves to the reason of a refusal, or to undefined. */
export function ExportDialog({
  onClose,
  onExport,
}: {
  readonly onClose: () => void;
  readonly onExport: (request: Readonly<Record<string, unknown>>) => Promise<string | undefined>;
}) {
  const id = useId();
  const { robot } = useStore(view);
  const { exports } = useStore(access);
  const [format, setFormat] = useState(exports[0] ?? 'mcap');
  const [lastMin, setLastMin] = useState('60');
  const [fault, setFault] = useState<string | undefined>();
  const submit = async (): Promise<void> => {
    const minutes = Number(lastMin);
    if (!(minutes > 0)) {
      setFault(`Minutes: ${lastMin || 'nothing'} is not allowed; enter a number above 0.`);
      return;
    }
    const after = new Date(Date.now() - minutes * 60_000).toISOString();
    const refusal = await onExport({ format, after, ...(robot === '' ? {} : { robot }) });
    if (refusal !== undefined) setFault(`Refused: ${refusal}.`);
  };
  return (
    <Dialog title="Export recorded data" onClose={onClose} onSubmit={() => void submit()}>
      <p>{robot === '' ? 'All robots' : robot}, from the sealed segments on this disk.</p>
      <div class="field-row">
        <div class="field">
          <label for={`${id}-format`}>Format</label>
          <select
            id={`${id}-format`}
            value={format}
            onChange={({ currentTarget }) => setFormat(currentTarget.value)}
          >
            {exports.map((one) => (
              <option key={one} value={one}>
                {titles[one] ?? one}
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for={`${id}-last`}>The last minutes</label>
          <input
            id={`${id}-last`}
            type="number"
            min={1}
            value={lastMin}
            onInput={({ currentTarget }) => setLastMin(currentTarget.value)}
          />
        </div>
      </div>
      <p class="fault" role="alert">
        {fault}
      </p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="button primary">
          Export
        </button>
      </div>
    </Dialog>
  );
}
