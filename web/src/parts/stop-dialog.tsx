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
        The sources are closed, and what was taken in is committed and sealed. What the robots publish after
        that is <strong>not recorded</strong> until somebody presses Start.
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
