import { Dialog } from '../ui/dialog.js';

export function StopDialog({
  onClose,
  onStop,
}: {
  readonly onClose: () => void;
  readonly onStop: () => void;
}) {
  return (
    <Dialog title="Stop recording?" onClose={onClose} onSubmit={onStop}>
      <p>
        The recorder closes its sources, then commits and seals all received messages. Later messages of the
        robots are <strong>not recorded</strong> until somebody presses Start.
      </p>
      <div class="dialog-buttons">
        <button type="button" class="button" autofocus onClick={onClose}>
          Keep recording
        </button>
        <button type="submit" class="button danger">
          Stop recording
        </button>
      </div>
    </Dialog>
  );
}
