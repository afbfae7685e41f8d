import { useStore } from '../model/store.js';
import { Panel } from '../ui/panel.js';
import { EnrolledRobots } from './enrolled-robots.js';
import { role } from './model.js';
import { UsersPanel } from './users-panel.js';

/** Which robots may connect and who may ask the ground. What an admin does here is in the audit log. */
export function AdminPage() {
  if (useStore(role) !== 'admin')
    return (
      <Panel title="Admin" area="admin">
        <p class="empty">Only an admin may manage robots and users.</p>
      </Panel>
    );
  return (
    <div class="admin-panels">
      <EnrolledRobots />
      <UsersPanel />
    </div>
  );
}
