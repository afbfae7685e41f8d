import type { MonitoredRecorder, MonitoredSync } from '../../core/monitoring.js';
import type { RobotCommand } from '../../uplink/protocol/robot-command.js';

/** Does what a ground asks, as the recorder's own API does. Resolves with what was done, in words. */
export async function doCommand(
  { name, label, beforeS, afterS }: RobotCommand,
  recorder: Pick<MonitoredRecorder, 'markEvent' | 'split' | 'pause' | 'resume'>,
  sync: Pick<MonitoredSync, 'syncNow'>,
): Promise<string> {
  switch (name) {
    case 'mark_event': {
      const { id } = await recorder.markEvent({ label, beforeS, afterS });
      return `marked event ${id}`;
    }
    case 'split':
      await recorder.split();
      return 'the next segment is open';
    case 'sync_now':
      await sync.syncNow();
      return 'sync looks at once';
    case 'pause':
      recorder.pause();
      return 'recording is paused';
    case 'resume':
      recorder.resume();
      return 'recording continues';
  }
}
