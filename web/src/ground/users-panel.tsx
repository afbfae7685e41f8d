import { useId, useState } from 'preact/hooks';
import { timeOfDay } from '../model/format.js';
import { post } from '../net/control.js';
import { Panel } from '../ui/panel.js';
import { AccessList, ConfirmAccess, type Holder } from './access-list.js';
import { issuedToken } from './issued-token.js';
import { NameForm } from './name-form.js';
import { usePoll } from './use-poll.js';

const ASK_MS = 10_000;
const roles = ['viewer', 'operator', 'admin'] as const;
type Role = (typeof roles)[number];
const may: Readonly<Record<Role, string>> = {
  viewer: 'looks at everything',
  operator: 'also controls the robots',
  admin: 'also manages robots and users',
};

interface User extends Holder {
  readonly role: Role;
}

interface People {
  readonly people: readonly { readonly name: string; readonly role: Role; readonly addedAt: string }[];
}

/** People who may ask the ground: add one, give one another role and a new token, revoke one. */
export function UsersPanel() {
  const { users, self, why, look } = useUsers();
  const isFirst = users?.length === 0;
  const [chosen, setChosen] = useState<Role | undefined>();
  const role = chosen ?? (isFirst ? 'admin' : 'viewer');
  const [asked, setAsked] = useState<Asked | undefined>();
  const [fault, setFault] = useState<string | undefined>();
  const close = (): void => setAsked(undefined);
  const settle = async (work: Promise<string | undefined>): Promise<void> => {
    close();
    setFault(await work);
    look();
  };
  const trouble = fault ?? why;
  return (
    <Panel title="People" area="people" aside="Each has a role and a token">
      {isFirst ? (
        <p class="access-note">
          Nobody needs a token yet. With the first user, everybody needs one: add an admin, and keep the
          token.
        </p>
      ) : null}
      <NameForm
        {...{ what: 'user', button: 'Add', known: users?.map(({ name }) => name) ?? [] }}
        onSubmit={async (name) => {
          const refusal = await add(name, role);
          look();
          return refusal;
        }}
      >
        <RoleField role={role} onChoose={setChosen} />
      </NameForm>
      {trouble === undefined ? null : (
        <p class="missing" role="alert">
          <strong>It does not work:</strong> {trouble}.
        </p>
      )}
      <AccessList
        {...{ what: 'user', holders: users, empty: 'There are no users yet.', renew: 'Change' }}
        onRenew={(user) => setAsked({ user, does: 'renew' })}
        onRevoke={(user) => setAsked({ user, does: 'revoke' })}
      />
      {asked === undefined ? null : (
        <UserDialog
          {...{ asked, onClose: close }}
          warningFor={(as) => warningOf(asked.user, as, self, users ?? [])}
          onChange={(as) => void settle(add(asked.user.name, as))}
          onRevoke={() => void settle(revoke(asked.user.name))}
        />
      )}
    </Panel>
  );
}

/** What an admin wants to do to whom. */
interface Asked {
  readonly user: User;
  readonly does: 'renew' | 'revoke';
}

function useUsers() {
  const { value, why, look } = usePoll<People>('api/people', ASK_MS);
  const { value: me } = usePoll<{ readonly name: string }>('api/me', ASK_MS);
  const self = me?.name;
  const users = value?.people.map(({ name, role, addedAt }): User => {
    const who = name === self ? `${role}, you` : role;
    return { name, role, about: `${who}, token of ${timeOfDay(Date.parse(addedAt))}` };
  });
  return { users, self, why, look };
}

/** Resolves with why the ground refuses; undefined: it is done, and the page shows the token. */
async function add(name: string, role: Role): Promise<string | undefined> {
  const outcome = await post(`api/people/${encodeURIComponent(name)}`, { role });
  if (!outcome.ok) return outcome.why;
  issuedToken.set({ kind: 'user', name, token: (outcome.result as { token: string }).token });
  return undefined;
}

/** Resolves with why the ground refuses; undefined: it is done. */
async function revoke(name: string): Promise<string | undefined> {
  const outcome = await post(`api/people/${encodeURIComponent(name)}/revoke`, {});
  return outcome.ok ? undefined : outcome.why;
}

/** @param as - The role that the user gets; undefined: none. */
function warningOf(
  user: User,
  as: Role | undefined,
  self: string | undefined,
  users: readonly User[],
): string {
  const admins = users.filter(({ role }) => role === 'admin').length;
  const wasLast = user.role === 'admin' && admins === 1 && as !== 'admin';
  return [
    ...(user.name === self ? ['This is the token of this page.'] : []),
    ...(wasLast ? ['There is no other admin: only the command line can add one then.'] : []),
  ].join(' ');
}

function UserDialog(props: {
  readonly asked: Asked;
  readonly warningFor: (role: Role | undefined) => string;
  readonly onClose: () => void;
  readonly onChange: (role: Role) => void;
  readonly onRevoke: () => void;
}) {
  const { asked, warningFor, onClose, onChange, onRevoke } = props;
  const { user, does } = asked;
  if (does === 'renew') return <ChangeUser {...{ user, warningFor, onClose, onChange }} />;
  return (
    <ConfirmAccess
      {...{ title: `${user.name}: Revoke the token?`, button: 'Revoke', isDanger: true, onClose }}
      onConfirm={onRevoke}
    >
      <p>The token ends at once, and open pages close within 5 s. {warningFor(undefined)}</p>
    </ConfirmAccess>
  );
}

function ChangeUser(props: {
  readonly user: User;
  readonly warningFor: (role: Role) => string;
  readonly onClose: () => void;
  readonly onChange: (role: Role) => void;
}) {
  const { user, warningFor, onClose, onChange } = props;
  const [role, setRole] = useState<Role>(user.role);
  return (
    <ConfirmAccess
      {...{ title: `${user.name}: New token and role`, button: 'New token', isDanger: false, onClose }}
      onConfirm={() => onChange(role)}
    >
      <p>The present token ends at once. {warningFor(role)}</p>
      <RoleField role={role} onChoose={setRole} />
    </ConfirmAccess>
  );
}

function RoleField({ role, onChoose }: { readonly role: Role; readonly onChoose: (role: Role) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Role</label>
      <select
        id={id}
        name="role"
        value={role}
        onChange={({ currentTarget }) => onChoose(currentTarget.value as Role)}
      >
        {roles.map((one) => (
          <option key={one} value={one}>
            {`${one}: ${may[one]}`}
          </option>
        ))}
      </select>
    </div>
  );
}
